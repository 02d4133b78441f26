"""The workspace's hand: a process that keeps the generator open and shows, finds and learns, one wish after another."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from smis_desktop.errors import UserError
from smis_desktop.workers.process import Inbox, Send, WorkerProcess
from smis_desktop.workers.shot_messages import (
    SAMPLE_SIDE,
    CancelSearch,
    InvertShot,
    LearnClasses,
    RequestFailed,
    SampleShown,
    ShotFound,
    ShotGrowing,
    ShowSamples,
    WorkerReady,
)

if TYPE_CHECKING:
    from torch import Tensor

    from smis_desktop.generators.generator import Generator
    from smis_desktop.inference.backends import SynthesisBackend


def shot_worker(generator_name: str, deliver: Callable[[Any], None]) -> WorkerProcess:
    """Not started yet; `tell` it wishes. `WorkerReady` comes first, or `WorkFailed`."""
    return WorkerProcess(work, (generator_name,), deliver)


def work(send: Send, inbox: Inbox, generator_name: str) -> None:
    """The process's own loop."""
    import torch

    from smis_desktop.generators.device import best_device
    from smis_desktop.generators.store import open_generator
    from smis_desktop.inference.backend_selection import open_chosen_backend

    threads = max(1, os.cpu_count() or 1)
    torch.set_num_threads(threads)
    device = best_device()
    generator = open_generator(generator_name).to(device)
    pictures = open_chosen_backend(generator, threads, lambda words, fraction: None)
    send(WorkerReady(generator.name, generator.weights_sha256, generator.img_resolution))
    _ShotWorker(send, inbox, generator, pictures).serve()


class _ShotWorker:
    """Quick wishes go before searches, and before the rest of one that is under way."""

    def __init__(self, send: Send, inbox: Inbox, generator: Generator, pictures: SynthesisBackend) -> None:
        from smis_desktop.workers.label_trial import LabelTrial
        from smis_desktop.workers.search_starts import SearchStarts

        self._send, self._inbox = send, inbox
        self._generator, self._pictures = generator, pictures
        self._learning = LabelTrial(generator, pictures, self._picture)
        self._starts = SearchStarts(generator, pictures, lambda so_far: self._between_steps())
        self._quick: list[ShowSamples | LearnClasses] = []
        self._searches: list[InvertShot] = []
        self._is_search_wanted = True

    def serve(self) -> None:
        """Until nobody listens any more."""
        while True:
            self._hear(self._inbox.take(wait=True))
            self._handle_quick()
            while self._searches:
                self._is_search_wanted = True
                with suppress(_SearchCancelled):
                    self._handle(self._searches.pop(0))
                self._handle_quick()

    def _hear(self, wish: Any) -> None:
        match wish:
            case InvertShot():
                self._searches.append(wish)
            case CancelSearch():
                self._searches.clear()
                self._is_search_wanted = False
            case LearnClasses():
                self._quick = [kept for kept in self._quick if not isinstance(kept, LearnClasses)] + [wish]
            case ShowSamples():
                self._quick = [kept for kept in self._quick if not _is_replaced(kept, wish)] + [wish]

    def _handle_quick(self) -> None:
        while True:
            while (wish := self._inbox.take()) is not None:
                self._hear(wish)
            if not self._quick:
                return
            self._handle(self._quick.pop(0))

    def _handle(self, wish: ShowSamples | LearnClasses | InvertShot) -> None:
        try:
            match wish:
                case ShowSamples():
                    self._show(wish)
                case LearnClasses():
                    self._send(self._learning.learn(wish))
                case InvertShot():
                    self._find(wish)
        except UserError as error:
            self._send(RequestFailed(str(error), wish.name if isinstance(wish, InvertShot) else ""))

    def _show(self, wish: ShowSamples) -> None:
        """The first of them; the others wait, so that nothing waits for all of them."""
        from smis_desktop.generators.generator import latents_of_seed

        seed, *others = wish.seeds
        ws = latents_of_seed(self._generator, seed, wish.truncation)[None]
        self._send(SampleShown(seed, wish.truncation, self._picture(ws)))
        if others:
            self._quick.append(replace(wish, seeds=tuple(others)))

    def _picture(self, ws: Tensor) -> np.ndarray:
        import torch

        from smis_desktop.generators.generator import draft_side, resized, to_rgb8

        side = draft_side(self._generator, SAMPLE_SIDE)
        with torch.inference_mode():
            picture = self._pictures.synthesize_fine(self._pictures.coarse_features(ws), ws, side, None)
            return to_rgb8(resized(picture, SAMPLE_SIDE)[0])

    def _find(self, wish: InvertShot) -> None:
        from smis_desktop.generators.generator import to_rgb8
        from smis_desktop.training.inversion import Inversion, InversionProgress, InversionSettings, invert
        from smis_desktop.training.perceptual import open_perceptual_distance
        from smis_desktop.training.workspace import Workspace

        workspace = Workspace(wish.workspace)
        start = self._starts.of(workspace, wish.name, wish.start)
        if start is None and wish.only_by_label:
            return
        perceptual = open_perceptual_distance(lambda words, fraction: None).to(self._generator.device)
        shown = time.monotonic()

        def told(progress: InversionProgress, inversion: Inversion) -> None:
            nonlocal shown
            picture = None
            if time.monotonic() - shown > 1.0:
                picture, shown = to_rgb8(inversion.best_draft()), time.monotonic()
            self._send(ShotGrowing(wish.name, progress.step / progress.steps, picture))
            self._between_steps()

        photo = workspace.picture(wish.name)
        settings = InversionSettings(start=wish.start)
        if wish.steps is not None:
            settings = replace(settings, steps=wish.steps)
        result = invert(self._generator, perceptual, photo, settings, told, start)
        found = result.ws.numpy(), result.reconstruction_ws.numpy()
        by_label = start is not None
        is_better = workspace.set_better_latents(wish.name, *found, result.psnr, result.perceptual, by_label)
        picture = self._picture(result.reconstruction_ws[None].to(self._generator.device))
        self._send(ShotFound(wish.name, result.psnr, result.perceptual, is_better, picture))

    def _between_steps(self) -> None:
        """Of a search."""
        self._handle_quick()
        if not self._is_search_wanted:
            raise _SearchCancelled


def _is_replaced(waiting: ShowSamples | LearnClasses, by: ShowSamples) -> bool:
    return isinstance(waiting, ShowSamples) and waiting.truncation != by.truncation


class _SearchCancelled(Exception):
    """The search under way is not wanted any more."""

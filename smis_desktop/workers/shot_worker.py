"""The assistant's worker process: keeps the generator open and handles requests about shots one after another."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from smis_desktop.errors import UserError
from smis_desktop.workers.photo_inversion import invert_with_previews
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
    """Returns a worker for that generator, not started yet; `send` it requests.

    deliver: receives `WorkerReady` first, or `WorkFailed`; then the answers to requests.
    """
    return WorkerProcess(work, (generator_name,), deliver)


def work(send: Send, inbox: Inbox, generator_name: str) -> None:
    """The process's main function. Raises UserError when the generator cannot be opened."""
    import torch

    from smis_desktop.generators.device import best_device
    from smis_desktop.generators.store import open_generator
    from smis_desktop.inference.backend_selection import open_chosen_backend

    threads = max(1, os.cpu_count() or 1)
    torch.set_num_threads(threads)
    generator = open_generator(generator_name).to(best_device())
    backend = open_chosen_backend(generator, threads, lambda words, fraction: None)
    send(WorkerReady(generator.name, generator.weights_sha256, generator.img_resolution))
    ShotWorker(send, inbox, generator, backend).serve()


class ShotWorker:
    """Handles requests. Short ones go before inversions, and between the steps of one that is running."""

    def __init__(self, send: Send, inbox: Inbox, generator: Generator, backend: SynthesisBackend) -> None:
        from smis_desktop.workers.label_trial import InitialLatents, LabelTrial

        self._send, self._inbox = send, inbox
        self._generator, self._backend = generator, backend
        self._label_trial = LabelTrial(generator, backend, self._render)
        self._initial_latents = InitialLatents(generator, backend, lambda done: self._interrupt_inversion())
        self._short_requests: list[ShowSamples | LearnClasses] = []
        self._inversions: list[InvertShot] = []
        self._is_cancelled = False

    def serve(self) -> None:
        """Handles requests until the other side closes; then raises EOFError."""
        while True:
            self._queue(self._inbox.take(wait=True))
            self._handle_short_requests()
            while self._inversions:
                self._is_cancelled = False
                with suppress(_InversionCancelled):
                    self._handle(self._inversions.pop(0))
                self._handle_short_requests()

    def _queue(self, request: Any) -> None:
        match request:
            case InvertShot():
                self._inversions.append(request)
            case CancelSearch():
                self._inversions.clear()
                self._is_cancelled = True
            case LearnClasses() | ShowSamples():
                kept = [waiting for waiting in self._short_requests if not _replaces(request, waiting)]
                self._short_requests = [*kept, request]

    def _handle_short_requests(self) -> None:
        while True:
            while (request := self._inbox.take()) is not None:
                self._queue(request)
            if not self._short_requests:
                return
            self._handle(self._short_requests.pop(0))

    def _handle(self, request: ShowSamples | LearnClasses | InvertShot) -> None:
        try:
            match request:
                case ShowSamples():
                    self._show_samples(request)
                case LearnClasses():
                    self._send(self._label_trial.learn(request))
                case InvertShot():
                    self._invert(request)
        except UserError as error:
            self._send(RequestFailed(str(error), request.name if isinstance(request, InvertShot) else ""))

    def _show_samples(self, request: ShowSamples) -> None:
        """Shows the first sample and queues the others, so that no other request waits for all of them."""
        from smis_desktop.generators.generator import latents_of_seed

        seed, *others = request.seeds
        ws = latents_of_seed(self._generator, seed, request.truncation)[None]
        self._send(SampleShown(seed, request.truncation, self._render(ws)))
        if others:
            self._short_requests.append(replace(request, seeds=tuple(others)))

    def _render(self, ws: Tensor) -> np.ndarray:
        """[1, num_ws, D] → uint8 [256, 256, 3]."""
        import torch

        from smis_desktop.generators.generator import draft_side, resized, to_rgb8

        side = draft_side(self._generator, SAMPLE_SIDE)
        with torch.inference_mode():
            picture = self._backend.synthesize_fine(self._backend.coarse_features(ws), ws, side, None)
            return to_rgb8(resized(picture, SAMPLE_SIDE)[0])

    def _invert(self, request: InvertShot) -> None:
        from smis_desktop.training.inversion import InversionSettings
        from smis_desktop.training.workspace import Workspace

        workspace = Workspace(request.workspace)
        start = self._initial_latents.of(workspace, request.name, request.start)
        if start is None and request.only_by_label:
            return

        def on_progress(fraction: float, picture: np.ndarray | None) -> None:
            self._send(ShotGrowing(request.name, fraction, picture))
            self._interrupt_inversion()

        photo, settings = workspace.picture(request.name), InversionSettings.of(request.steps, request.start)
        result = invert_with_previews(self._generator, photo, settings, on_progress, start)
        is_better = workspace.set_better_latents(
            request.name,
            result.ws.numpy(),
            result.reconstruction_ws.numpy(),
            result.psnr,
            result.perceptual,
            by_label=start is not None,
        )
        picture = self._render(result.reconstruction_ws[None].to(self._generator.device))
        self._send(ShotFound(request.name, result.psnr, result.perceptual, is_better, picture))

    def _interrupt_inversion(self) -> None:
        """Handles short requests between two steps. Raises _InversionCancelled when one cancels the inversion."""
        self._handle_short_requests()
        if self._is_cancelled:
            raise _InversionCancelled


def _replaces(request: ShowSamples | LearnClasses, waiting: ShowSamples | LearnClasses) -> bool:
    if isinstance(request, ShowSamples) and isinstance(waiting, ShowSamples):
        return request.truncation != waiting.truncation
    return isinstance(request, LearnClasses) and isinstance(waiting, LearnClasses)


class _InversionCancelled(Exception):
    """Ends the running inversion."""

"""The workshop's hand: a process that keeps the generator open and shows, finds and learns, one wish after another."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from smis_desktop.errors import UserError
from smis_desktop.jobs.spawned import Inbox, Send, Spawned
from smis_desktop.jobs.workshop_messages import (
    PICTURE_SIDE,
    FindShot,
    GiveUp,
    HandReady,
    LearnPalette,
    SheetPicture,
    ShotFound,
    ShotGrowing,
    ShowSheet,
    WishRefused,
)

if TYPE_CHECKING:
    from torch import Tensor

    from smis_desktop.gan.pictures import Pictures
    from smis_desktop.gan.protocol import Generator


def workshop_hand(generator_name: str, deliver: Callable[[Any], None]) -> Spawned:
    """Not started yet; `tell` it wishes. `HandReady` comes first, or `WorkFailed`."""
    return Spawned(work, (generator_name,), deliver)


def work(send: Send, inbox: Inbox, generator_name: str) -> None:
    """The process's own loop."""
    import torch

    from smis_desktop.gan.device import best_device
    from smis_desktop.storage.backend_choice import open_chosen_pictures
    from smis_desktop.storage.generator_store import open_generator

    threads = max(1, os.cpu_count() or 1)
    torch.set_num_threads(threads)
    device = best_device()
    generator = open_generator(generator_name).to(device)
    pictures = open_chosen_pictures(generator, threads, lambda words, fraction: None)
    send(HandReady(generator.name, generator.weights_sha256, generator.img_resolution))
    _Hand(send, inbox, generator, pictures).serve()


class _Hand:
    """Quick wishes go before searches, and before the rest of one that is under way."""

    def __init__(self, send: Send, inbox: Inbox, generator: Generator, pictures: Pictures) -> None:
        from smis_desktop.jobs.palette_learning import PaletteLearning
        from smis_desktop.jobs.search_starts import SearchStarts

        self._send, self._inbox = send, inbox
        self._generator, self._pictures = generator, pictures
        self._learning = PaletteLearning(generator, pictures, self._picture)
        self._starts = SearchStarts(generator, pictures, lambda so_far: self._between_steps())
        self._quick: list[ShowSheet | LearnPalette] = []
        self._searches: list[FindShot] = []
        self._is_search_wanted = True

    def serve(self) -> None:
        """Until nobody listens any more."""
        while True:
            self._hear(self._inbox.take(wait=True))
            self._grant_quick()
            while self._searches:
                self._is_search_wanted = True
                with suppress(_GivenUp):
                    self._grant(self._searches.pop(0))
                self._grant_quick()

    def _hear(self, wish: Any) -> None:
        match wish:
            case FindShot():
                self._searches.append(wish)
            case GiveUp():
                self._searches.clear()
                self._is_search_wanted = False
            case LearnPalette():
                self._quick = [kept for kept in self._quick if not isinstance(kept, LearnPalette)] + [wish]
            case ShowSheet():
                self._quick = [kept for kept in self._quick if not _is_replaced(kept, wish)] + [wish]

    def _grant_quick(self) -> None:
        while True:
            while (wish := self._inbox.take()) is not None:
                self._hear(wish)
            if not self._quick:
                return
            self._grant(self._quick.pop(0))

    def _grant(self, wish: ShowSheet | LearnPalette | FindShot) -> None:
        try:
            match wish:
                case ShowSheet():
                    self._show(wish)
                case LearnPalette():
                    self._send(self._learning.learn(wish))
                case FindShot():
                    self._find(wish)
        except UserError as error:
            self._send(WishRefused(str(error), wish.name if isinstance(wish, FindShot) else ""))

    def _show(self, wish: ShowSheet) -> None:
        """The first of them; the others wait, so that nothing waits for all of them."""
        from smis_desktop.fewshot.known_latents import latents_of_seed

        seed, *others = wish.seeds
        ws = latents_of_seed(self._generator, seed, wish.truncation)[None]
        self._send(SheetPicture(seed, wish.truncation, self._picture(ws)))
        if others:
            self._quick.append(replace(wish, seeds=tuple(others)))

    def _picture(self, ws: Tensor) -> np.ndarray:
        import torch

        from smis_desktop.gan.pixels import resized, to_rgb8
        from smis_desktop.gan.protocol import draft_side

        side = draft_side(self._generator, PICTURE_SIDE)
        with torch.inference_mode():
            picture = self._pictures.finish(self._pictures.structure(ws), ws, side, None)
            return to_rgb8(resized(picture, PICTURE_SIDE)[0])

    def _find(self, wish: FindShot) -> None:
        from smis_desktop.fewshot.inversion import Inversion, InversionProgress, InversionSettings, invert
        from smis_desktop.gan.pixels import to_rgb8
        from smis_desktop.storage.perceptual_store import open_perceptual_distance
        from smis_desktop.storage.workshop import Workshop

        workshop = Workshop(wish.workshop)
        start = self._starts.of(workshop, wish.name, wish.start)
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

        photo = workshop.picture(wish.name)
        settings = InversionSettings(start=wish.start)
        if wish.steps is not None:
            settings = replace(settings, steps=wish.steps)
        result = invert(self._generator, perceptual, photo, settings, told, start)
        found = result.ws.numpy(), result.close_ws.numpy()
        by_label = start is not None
        is_better = workshop.set_better_latents(wish.name, *found, result.psnr, result.perceptual, by_label)
        picture = self._picture(result.close_ws[None].to(self._generator.device))
        self._send(ShotFound(wish.name, result.psnr, result.perceptual, is_better, picture))

    def _between_steps(self) -> None:
        """Of a search."""
        self._grant_quick()
        if not self._is_search_wanted:
            raise _GivenUp


def _is_replaced(waiting: ShowSheet | LearnPalette, by: ShowSheet) -> bool:
    return isinstance(waiting, ShowSheet) and waiting.truncation != by.truncation


class _GivenUp(Exception):
    """The search under way is not wanted any more."""

"""The workshop's hand: a process that keeps the generator open and shows, finds and learns, one wish after another."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from smis_desktop.errors import UserError
from smis_desktop.jobs.spawned import Inbox, Send, Spawned
from smis_desktop.labels.index_png import EMPTY
from smis_desktop.labels.shots import UNKNOWN

if TYPE_CHECKING:
    from torch import Tensor

    from smis_desktop.fewshot.transfer import LabelTransfer, LatentShot
    from smis_desktop.gan.pictures import Pictures
    from smis_desktop.gan.protocol import Generator
    from smis_desktop.storage.workshop import Workshop

SAMPLES = 6
"""Random pictures on which a palette is tried out."""
_FIRST_SAMPLE = 700_000
PICTURE_SIDE = 256
"""Of all pictures that are shown here, whatever side the generator makes."""


@dataclass(frozen=True)
class ShowSheet:
    """Wish: the generator's pictures of these seeds."""

    seeds: tuple[int, ...]
    truncation: float


@dataclass(frozen=True)
class FindShot:
    """Wish: look for a photo of the workshop in the generator. start: another number, another try. steps: how long
    (None: the usual number)."""

    workshop: Path
    name: str
    start: int = 0
    steps: int | None = None


@dataclass(frozen=True)
class LearnPalette:
    """Wish: learn from all shots that are labelled and located, and try it on random pictures.

    ticket: comes back. first_sample: which random pictures.
    """

    workshop: Path
    ticket: int
    first_sample: int = _FIRST_SAMPLE


@dataclass(frozen=True)
class GiveUp:
    """Wish: end the search that is under way, and forget those that wait."""


@dataclass(frozen=True)
class HandReady:
    """The generator is open."""

    generator: str
    weights_sha256: str
    img_resolution: int


@dataclass(frozen=True, eq=False)
class SheetPicture:
    """uint8 [256, 256, 3]."""

    seed: int
    truncation: float
    picture: np.ndarray = field(repr=False)


@dataclass(frozen=True, eq=False)
class ShotGrowing:
    """The search for a photo goes on; `picture` uint8 [256, 256, 3] now and then."""

    name: str
    fraction: float
    picture: np.ndarray | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class ShotFound:
    """It was found, and better than before if it was found before (`is_kept`)."""

    name: str
    psnr: float
    perceptual: float
    is_kept: bool
    picture: np.ndarray = field(repr=False)


@dataclass(frozen=True, eq=False)
class Tried:
    """One random picture: uint8 [256, 256, 3], what is believed of it in class ids uint8 [r, r] (255 unknown), how
    surely float32 [r, r], and on the whole."""

    seed: int
    picture: np.ndarray = field(repr=False)
    label_map: np.ndarray = field(repr=False)
    certainty: np.ndarray = field(repr=False)
    doubt: float


@dataclass(frozen=True)
class ClassLearned:
    """See `fewshot.beliefs.ClassBelief`."""

    class_id: int
    confidence: float | None
    is_thin: bool
    is_rare: bool


@dataclass(frozen=True, eq=False)
class PaletteLearned:
    """The least sure pictures first."""

    ticket: int
    classes: tuple[ClassLearned, ...]
    samples: tuple[Tried, ...]
    seconds: float


@dataclass(frozen=True)
class WishRefused:
    """A wish that cannot be granted: one sentence. `name`: of the shot it was about, if it was."""

    text: str
    name: str = ""


def workshop_hand(generator_name: str, deliver: Callable[[Any], None]) -> Spawned:
    """Not started yet; `tell` it wishes. `HandReady` comes first, or `WorkFailed`."""
    return Spawned(work, (generator_name,), deliver)


def work(send: Send, inbox: Inbox, generator_name: str) -> None:
    """The process's own loop."""
    import torch

    from smis_desktop.storage.backend_choice import open_chosen_pictures
    from smis_desktop.storage.generator_store import open_generator

    threads = max(1, os.cpu_count() or 1)
    torch.set_num_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    generator = open_generator(generator_name).to(device)
    pictures = open_chosen_pictures(generator, threads, lambda words, fraction: None)
    send(HandReady(generator.name, generator.weights_sha256, generator.img_resolution))
    hand = _Hand(send, inbox, generator, pictures)
    while True:
        hand.grant(inbox.take(wait=True))


class _Hand:
    def __init__(self, send: Send, inbox: Inbox, generator: Generator, pictures: Pictures) -> None:
        self._send, self._inbox = send, inbox
        self._generator, self._pictures = generator, pictures
        self._waiting: list[Any] = []
        self._known: dict[tuple[bytes, bytes], bool] = {}

    def grant(self, wish: Any) -> None:
        self._waiting.append(wish)
        while self._waiting:
            wish = self._waiting.pop(0)
            try:
                if isinstance(wish, ShowSheet):
                    self._show(wish)
                elif isinstance(wish, FindShot):
                    self._find(wish)
                elif isinstance(wish, LearnPalette):
                    self._learn(wish)
            except UserError as error:
                self._send(WishRefused(str(error), getattr(wish, "name", "")))
            except _GivenUp:
                self._waiting = [left for left in self._waiting if not isinstance(left, FindShot)]

    def _look_at_inbox(self) -> None:
        """Quick wishes go before the rest of a search; giving up ends it."""
        while (wish := self._inbox.take()) is not None:
            if isinstance(wish, GiveUp):
                raise _GivenUp
            if isinstance(wish, FindShot):
                self._waiting.append(wish)
            else:
                before, self._waiting = self._waiting, []
                self.grant(wish)
                self._waiting = before + self._waiting

    def _show(self, wish: ShowSheet) -> None:
        from smis_desktop.fewshot.known_latents import latents_of_seed

        for seed in wish.seeds:
            ws = latents_of_seed(self._generator, seed, wish.truncation)[None]
            self._send(SheetPicture(seed, wish.truncation, self._picture(ws)))

    def _picture(self, ws: Any) -> np.ndarray:
        import torch

        from smis_desktop.gan.pixels import resized, to_rgb8

        sides = self._generator.draft_sizes
        side = min((known for known in sides if known >= PICTURE_SIDE), default=sides[-1])
        with torch.inference_mode():
            picture = self._pictures.finish(self._pictures.structure(ws), ws, side, None)
            return to_rgb8(resized(picture, PICTURE_SIDE)[0])

    def _find(self, wish: FindShot) -> None:
        from smis_desktop.fewshot.inversion import Inversion, InversionProgress, InversionSettings, invert
        from smis_desktop.gan.pixels import to_rgb8
        from smis_desktop.storage.perceptual_store import open_perceptual_distance
        from smis_desktop.storage.workshop import Workshop

        workshop = Workshop(wish.workshop)
        perceptual = open_perceptual_distance(lambda words, fraction: None).to(self._generator.device)
        shown = time.monotonic()

        def told(progress: InversionProgress, inversion: Inversion) -> None:
            nonlocal shown
            picture = None
            if time.monotonic() - shown > 1.0:
                picture, shown = to_rgb8(inversion.best_draft()), time.monotonic()
            self._send(ShotGrowing(wish.name, progress.step / progress.steps, picture))
            self._look_at_inbox()

        photo = workshop.picture(wish.name)
        settings = InversionSettings(start=wish.start)
        if wish.steps is not None:
            settings = replace(settings, steps=wish.steps)
        result = invert(self._generator, perceptual, photo, settings, told)
        before = next((shot.perceptual for shot in workshop.shots() if shot.name == wish.name), None)
        is_better = before is None or result.perceptual < before
        if is_better:
            workshop.set_latents(wish.name, result.ws.numpy(), result.psnr, result.perceptual)
        picture = self._picture(result.ws[None].to(self._generator.device))
        self._send(ShotFound(wish.name, result.psnr, result.perceptual, is_better, picture))

    def _learn(self, wish: LearnPalette) -> None:
        import torch

        from smis_desktop.fewshot.beliefs import believe, class_beliefs
        from smis_desktop.fewshot.known_latents import latents_of_seed
        from smis_desktop.storage.workshop import Workshop

        started = time.monotonic()
        workshop = Workshop(wish.workshop)
        palette = workshop.palette
        shots, transfer = self._learned(workshop)
        ids = np.array([*palette.class_ids, 255], np.uint8)
        tried, beliefs = [], []
        for seed in range(wish.first_sample, wish.first_sample + SAMPLES):
            ws = latents_of_seed(self._generator, seed, 1.0)[None]
            with torch.inference_mode():
                belief = believe(transfer, self._pictures.label_features(ws))
            beliefs.append(belief)
            tried.append(
                Tried(
                    seed,
                    self._picture(ws),
                    ids[belief.labels.cpu().numpy()],
                    belief.certainty.cpu().numpy().astype(np.float32),
                    belief.doubt,
                )
            )
        classes = tuple(
            ClassLearned(palette.class_ids[found.channel], found.confidence, found.is_thin, found.is_rare)
            for found in class_beliefs(beliefs, shots, palette.num_classes)
        )
        tried.sort(key=lambda one: -one.doubt)
        self._send(PaletteLearned(wish.ticket, classes, tuple(tried), time.monotonic() - started))

    def _learned(self, workshop: Workshop) -> tuple[list[LatentShot], LabelTransfer]:
        import torch

        from smis_desktop.fewshot.known_latents import latents_of_seed
        from smis_desktop.fewshot.personal_model import layout_channels
        from smis_desktop.fewshot.probe import learn_probe
        from smis_desktop.fewshot.representative_vectors import learn_vectors
        from smis_desktop.fewshot.transfer import LatentShot
        from smis_desktop.storage.workshop import kept_latents

        facts, palette, generator = workshop.facts, workshop.palette, self._generator
        generated = workshop.generated()
        by_name = {} if generated is None else generated.by_name()
        shots = []
        for shot in workshop.shots():
            label = workshop.label(shot.name)
            if label is None or not shot.is_located:
                continue
            if shot.name in by_name:
                ws = latents_of_seed(generator, by_name[shot.name].seed, by_name[shot.name].truncation)
                if not self._is_own(workshop, shot.name, ws):
                    workshop.take_for_photo(shot.name)
                    continue
            else:
                kept = kept_latents(workshop.path, shot.name)
                if kept is None:
                    continue
                ws = kept["ws"].to(generator.device)
            if facts.label_kind == "sparse":
                label = np.where(label == UNKNOWN, np.uint8(EMPTY), label)  # as training reads it
            channels = layout_channels(label, palette, facts.label_kind, generator.feature_resolution)
            shots.append(LatentShot(shot.name, ws, channels.to(generator.device)))
        if not any(bool((shot.labels >= 0).any()) for shot in shots):
            raise UserError("No shot is labelled and found in the generator yet; label one, or wait for the search.")
        if facts.label_kind == "dense":
            return shots, learn_probe(generator, shots, palette.num_classes)
        with torch.no_grad():
            vectors = learn_vectors(
                generator, shots, palette.num_classes, facts.label_kind, facts.top_k, facts.threshold
            )
        return shots, vectors

    def _is_own(self, workshop: Workshop, name: str, ws: Tensor) -> bool:
        """Whether the shot is what the generator makes of `ws`; looked at once."""
        from smis_desktop.fewshot.known_latents import is_picture_of

        picture = workshop.picture(name)
        key = (hashlib.sha256(picture.tobytes()).digest(), hashlib.sha256(ws.cpu().numpy().tobytes()).digest())
        if key not in self._known:
            self._known[key] = is_picture_of(self._generator, ws, picture)
        return self._known[key]


class _GivenUp(Exception):
    """The search under way is not wanted any more."""

"""What the labels of a workshop teach, tried out at once on pictures that nobody labelled."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from smis_desktop.errors import UserError
from smis_desktop.fewshot.beliefs import believe, class_beliefs
from smis_desktop.fewshot.known_latents import is_picture_of, latents_of_seed
from smis_desktop.fewshot.label_alignment import aligned_to_ws
from smis_desktop.fewshot.personal_model import layout_channels
from smis_desktop.fewshot.probe import LinearProbe, learn_probe
from smis_desktop.fewshot.representative_vectors import RepresentativeVectors, learn_vectors
from smis_desktop.fewshot.scribbles import ScribbleTransfer, are_scribbles
from smis_desktop.fewshot.training import views_of
from smis_desktop.fewshot.transfer import LabelTransfer, LatentShot
from smis_desktop.gan.pictures import Pictures
from smis_desktop.gan.protocol import Generator
from smis_desktop.jobs.workshop_messages import SAMPLES, ClassLearned, LearnPalette, PaletteLearned, Tried
from smis_desktop.labels.index_png import EMPTY
from smis_desktop.labels.shots import UNKNOWN
from smis_desktop.storage.workshop import Workshop, WorkshopFacts, kept_latents


class PaletteLearning:
    """Keeps the features of what it tried last, and what sparse labels taught: a moved slider is answered at once."""

    def __init__(self, generator: Generator, pictures: Pictures, picture_of: Callable[[Tensor], np.ndarray]) -> None:
        """picture_of: `ws` [1, num_ws, D] → uint8 [S, S, 3]."""
        self._generator, self._pictures, self._picture_of = generator, pictures, picture_of
        self._is_own: dict[tuple[bytes, bytes], bool] = {}
        self._samples: dict[int, tuple[dict[int, Tensor], np.ndarray]] = {}
        self._sparse: tuple[bytes, RepresentativeVectors, LinearProbe | None] | None = None

    def learn(self, wish: LearnPalette) -> PaletteLearned:
        """Raises UserError when no shot is labelled and located."""
        started = time.monotonic()
        workshop = Workshop(wish.workshop)
        palette = workshop.palette
        shots = self._shots(workshop)
        transfer = self._transfer(shots, palette.num_classes, workshop.facts)
        ids = np.array([*palette.class_ids, EMPTY], np.uint8)
        seeds = range(wish.first_sample, wish.first_sample + SAMPLES)
        self._samples = {seed: self._sample(seed) for seed in seeds}
        tried, beliefs = [], []
        once = {shot.name: shot for shot in shots}  # of a photo there are two
        for seed, (features, picture) in self._samples.items():
            with torch.inference_mode():
                belief = believe(transfer, features)
            beliefs.append(belief)
            certainty = belief.certainty.cpu().numpy().astype(np.float32)
            tried.append(Tried(seed, picture, ids[belief.labels.cpu().numpy()], certainty, belief.doubt))
        classes = tuple(
            ClassLearned(palette.class_ids[found.channel], found.confidence, found.is_thin, found.is_rare)
            for found in class_beliefs(beliefs, list(once.values()), palette.num_classes)
        )
        tried.sort(key=lambda one: -one.doubt)
        is_claimed = transfer.kind == "vectors"
        return PaletteLearned(wish.ticket, classes, tuple(tried), is_claimed, time.monotonic() - started)

    def _sample(self, seed: int) -> tuple[dict[int, Tensor], np.ndarray]:
        if seed in self._samples:
            return self._samples[seed]
        ws = latents_of_seed(self._generator, seed, 1.0)[None]
        with torch.inference_mode():
            return self._pictures.label_features(ws), self._picture_of(ws)

    def _shots(self, workshop: Workshop) -> list[LatentShot]:
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
                if not self._is_picture_of(workshop.picture(shot.name), ws):
                    workshop.take_for_photo(shot.name)
                    continue
                views = [(ws, label)]
            else:
                kept = kept_latents(workshop.path, shot.name)
                if kept is None:
                    continue
                near, close = views_of(kept).to(generator.device)
                photo, views = workshop.picture(shot.name), [(near, label)]
                if facts.label_kind == "dense":
                    views = [(ws, aligned_to_ws(generator, ws, label, photo)) for ws in (near, close)]
            for ws, seen in views:
                if facts.label_kind == "sparse":
                    seen = np.where(seen == UNKNOWN, np.uint8(EMPTY), seen)  # as training reads it
                channels = layout_channels(seen, palette, facts.label_kind, generator.feature_resolution)
                shots.append(LatentShot(shot.name, ws, channels.to(generator.device)))
        if not any(bool((shot.labels >= 0).any()) for shot in shots):
            raise UserError("No shot is labelled and found in the generator yet; label one, or wait for the search.")
        return shots

    def _is_picture_of(self, picture: np.ndarray, ws: Tensor) -> bool:
        """Looked at once."""
        key = _digest(picture), _digest(ws.cpu().numpy())
        if key not in self._is_own:
            self._is_own[key] = is_picture_of(self._generator, ws, picture)
        return self._is_own[key]

    def _transfer(self, shots: list[LatentShot], num_classes: int, facts: WorkshopFacts) -> LabelTransfer:
        if facts.label_kind == "dense":
            return learn_probe(self._generator, shots, num_classes)
        parts = [part.cpu().numpy() for shot in shots for part in (shot.ws, shot.labels)]
        key = _digest(*parts, np.array(num_classes))
        if self._sparse is None or self._sparse[0] != key:
            vectors = learn_vectors(self._generator, shots, num_classes, "sparse", facts.top_k, facts.threshold)
            is_probed = are_scribbles([shot.labels for shot in shots])
            probe = learn_probe(self._generator, shots, num_classes) if is_probed else None
            self._sparse = key, vectors, probe
        _, known, probe = self._sparse
        vectors = RepresentativeVectors(
            known.vectors, known.channels, num_classes, known.resolution, "sparse", facts.top_k, facts.threshold
        )
        return vectors if probe is None else ScribbleTransfer(probe, vectors)


def _digest(*arrays: np.ndarray) -> bytes:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.tobytes())
    return digest.digest()

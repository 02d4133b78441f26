"""What the labels of a workspace teach, tried out at once on pictures that nobody labelled."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from itertools import count, islice

import numpy as np
import torch
from torch import Tensor

from smis_desktop.document.palette import EMPTY, UNLABELLED_SPARSE_ID
from smis_desktop.errors import UserError
from smis_desktop.generators.generator import Generator, latents_of_seed
from smis_desktop.inference.backends import SynthesisBackend
from smis_desktop.personal_model.encoder import layout_channels
from smis_desktop.personal_model.label_transfer import (
    LabelTransfer,
    LatentShot,
    LinearProbe,
    RepresentativeVectors,
    learn_probe,
    learn_vectors,
)
from smis_desktop.personal_model.prediction import Prediction, class_predictions, predict
from smis_desktop.personal_model.scribbles import ScribbleTransfer, are_scribbles
from smis_desktop.training.inversion import latent_pair, training_latents
from smis_desktop.training.label_alignment import aligned_to_ws
from smis_desktop.training.shots import is_picture_of
from smis_desktop.training.workspace import Workspace, WorkspaceFacts, kept_latents
from smis_desktop.workers.shot_messages import SAMPLES, ClassLearned, LearnClasses, PaletteLearned, SamplePrediction

CANDIDATES = 24
"""Random pictures of which the least sure are shown. Their features alone take some 20 ms each."""


class LabelTrial:
    """Keeps which samples it chose, their features, and what sparse labels taught: a moved slider is answered at once,
    with the same pictures."""

    def __init__(
        self, generator: Generator, pictures: SynthesisBackend, picture_of: Callable[[Tensor], np.ndarray]
    ) -> None:
        """picture_of: `ws` [1, num_ws, D] → uint8 [S, S, 3]."""
        self._generator, self._pictures, self._picture_of = generator, pictures, picture_of
        self._is_own: dict[tuple[bytes, bytes], bool] = {}
        self._chosen: tuple[object, list[int]] | None = None
        self._features: dict[int, dict[int, Tensor]] = {}
        self._made: dict[int, np.ndarray] = {}
        self._sparse: tuple[bytes, RepresentativeVectors, LinearProbe | None] | None = None

    def learn(self, wish: LearnClasses) -> PaletteLearned:
        """Raises UserError when no shot is labelled and located."""
        started = time.monotonic()
        workspace = Workspace(wish.workspace)
        palette = workspace.palette
        shots = self._shots(workspace)
        taught = _taught(shots, palette.num_classes)
        transfer = self._transfer(shots, palette.num_classes, workspace.facts, taught)
        occasion = wish.first_sample, workspace.facts.label_kind, workspace.facts.transfer, taught
        if self._chosen is not None and self._chosen[0] == occasion:
            seeds = self._chosen[1]  # a slider was moved: the same pictures
        else:
            seeds = _candidates(workspace, wish.first_sample)
        beliefs = self._beliefs(transfer, seeds)
        least_sure = list(self._features)
        self._chosen = occasion, least_sure
        self._made = {seed: self._picture(seed) for seed in least_sure}
        ids = np.array([*palette.class_ids, EMPTY], np.uint8)
        tried = [_tried(seed, self._made[seed], beliefs[seed], ids) for seed in least_sure]
        once = {shot.name: shot for shot in shots}  # of a photo there are two
        classes = tuple(
            ClassLearned(palette.class_ids[found.channel], found.confidence, found.is_thin, found.is_rare)
            for found in class_predictions(list(beliefs.values()), list(once.values()), palette.num_classes)
        )
        is_claimed = transfer.kind == "vectors"
        return PaletteLearned(wish.ticket, classes, tuple(tried), is_claimed, time.monotonic() - started)

    def _beliefs(self, transfer: LabelTransfer, seeds: list[int]) -> dict[int, Prediction]:
        """Of all of them. Features are kept of the least sure, in that order: of all they would take 250 MB."""
        known, self._features = self._features, {}
        beliefs: dict[int, Prediction] = {}
        for seed in seeds:
            with torch.inference_mode():
                features = known[seed] if seed in known else self._pictures.label_features(self._latents(seed))
                beliefs[seed] = predict(transfer, features)
            self._features[seed] = features
            kept = sorted(self._features, key=lambda one: -beliefs[one].uncertainty)[:SAMPLES]
            self._features = {one: self._features[one] for one in kept}
        return beliefs

    def _picture(self, seed: int) -> np.ndarray:
        return self._made[seed] if seed in self._made else self._picture_of(self._latents(seed))

    def _latents(self, seed: int) -> Tensor:
        return latents_of_seed(self._generator, seed, 1.0)[None]

    def _shots(self, workspace: Workspace) -> list[LatentShot]:
        facts, palette, generator = workspace.facts, workspace.palette, self._generator
        generated = workspace.generated()
        by_name = {} if generated is None else generated.by_name()
        shots = []
        for shot in workspace.shots():
            label = workspace.label(shot.name)
            if label is None or not shot.is_located:
                continue
            if shot.name in by_name:
                ws = latents_of_seed(generator, by_name[shot.name].seed, by_name[shot.name].truncation)
                if not self._is_picture_of(workspace.picture(shot.name), ws):
                    workspace.take_for_photo(shot.name)
                    continue
                views = [(ws, label)]
            else:
                kept = kept_latents(workspace.path, shot.name)
                if kept is None:
                    continue
                found = training_latents(latent_pair(kept)).to(generator.device)
                photo, views = workspace.picture(shot.name), [(found[0], label)]
                if facts.label_kind == "dense":
                    views = [(ws, aligned_to_ws(generator, ws, label, photo)) for ws in found]
            for ws, seen in views:
                if facts.label_kind == "sparse":
                    seen = np.where(seen == UNLABELLED_SPARSE_ID, np.uint8(EMPTY), seen)  # as training reads it
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

    def _transfer(self, shots: list[LatentShot], num_classes: int, facts: WorkspaceFacts, key: bytes) -> LabelTransfer:
        """key: what shots and classes teach."""
        if facts.label_kind == "dense":
            if facts.transfer == "vectors":
                return learn_vectors(self._generator, shots, num_classes, "dense", facts.top_k, facts.threshold)
            return learn_probe(self._generator, shots, num_classes, facts.transfer == "informed")
        key += facts.transfer.encode()
        if self._sparse is None or self._sparse[0] != key:
            vectors = learn_vectors(self._generator, shots, num_classes, "sparse", facts.top_k, facts.threshold)
            is_probed = facts.transfer != "vectors" and are_scribbles([shot.labels for shot in shots])
            uses_part_prior = facts.transfer == "informed"
            probe = learn_probe(self._generator, shots, num_classes, uses_part_prior) if is_probed else None
            self._sparse = key, vectors, probe
        _, known, probe = self._sparse
        vectors = RepresentativeVectors(
            known.vectors, known.channels, num_classes, known.resolution, "sparse", facts.top_k, facts.threshold
        )
        return vectors if probe is None else ScribbleTransfer(probe, vectors)


def _candidates(workspace: Workspace, first: int) -> list[int]:
    """Seeds from `first` on, but those of pictures that are shots already."""
    generated = workspace.generated()
    taken = set() if generated is None else {one.seed for one in generated.pictures if one.truncation == 1.0}
    return list(islice((seed for seed in count(first) if seed not in taken), CANDIDATES))


def _tried(seed: int, picture: np.ndarray, belief: Prediction, ids: np.ndarray) -> SamplePrediction:
    certainty = belief.certainty.cpu().numpy().astype(np.float32)
    return SamplePrediction(seed, picture, ids[belief.labels.cpu().numpy()], certainty, belief.uncertainty)


def _taught(shots: list[LatentShot], num_classes: int) -> bytes:
    parts = [part.cpu().numpy() for shot in shots for part in (shot.ws, shot.labels)]
    return _digest(*parts, np.array(num_classes))


def _digest(*arrays: np.ndarray) -> bytes:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.tobytes())
    return digest.digest()

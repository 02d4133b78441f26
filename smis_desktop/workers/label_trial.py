"""Computes, for the shot worker, predictions learned from a workspace's labels, and where to start a photo's
inversion."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from itertools import count, islice

import numpy as np
import torch
from torch import Tensor

from smis_desktop.document.palette import EMPTY, UNLABELLED_SPARSE_ID, LabelKind, Palette
from smis_desktop.errors import UserError
from smis_desktop.generators.generator import Generator, latents_of_seed
from smis_desktop.inference.backends import SynthesisBackend
from smis_desktop.personal_model.encoder import layout_channels
from smis_desktop.personal_model.label_transfer import (
    LabelTransfer,
    LatentShot,
    LinearProbe,
    RepresentativeVectors,
    learn_vectors,
)
from smis_desktop.personal_model.prediction import Prediction, class_predictions, predict
from smis_desktop.personal_model.probe_learning import learn_probe
from smis_desktop.personal_model.scribbles import ScribbleTransfer, are_scribbles
from smis_desktop.training.sample_pool import FeatureCache
from smis_desktop.training.shots import (
    GeneratedPicture,
    has_spatial_labels,
    is_picture_of,
    kept_latents,
    latent_pair,
    training_latents,
)
from smis_desktop.training.stages.inversion import NUM_CANDIDATES, InversionInit
from smis_desktop.training.stages.label_transfer import aligned_to_ws
from smis_desktop.training.training import TrainingSettings
from smis_desktop.training.workspace import Workspace, WorkspaceSettings
from smis_desktop.workers.shot_messages import SAMPLES, ClassLearned, LearnClasses, PaletteLearned, SamplePrediction

CANDIDATES = 24
"""Random pictures of which the least certain are shown. Features of one take some 20 ms, its picture far longer."""


class LabelTrial:
    """Learns from a workspace's labels and predicts random pictures.

    It keeps the pictures that it chose, their features, and what it learned from sparse labels: when only a slider
    moves, it answers quickly and with the same pictures.
    """

    def __init__(self, generator: Generator, backend: SynthesisBackend, render: Callable[[Tensor], np.ndarray]) -> None:
        """render: `ws` [1, num_ws, D] → uint8 [S, S, 3]."""
        self._generator, self._backend, self._render = generator, backend, render
        self._is_generated: dict[tuple[bytes, bytes], bool] = {}
        self._chosen: tuple[object, list[int]] | None = None
        """What the pictures were chosen for, and their seeds."""
        self._features: dict[int, dict[int, Tensor]] = {}
        self._pictures: dict[int, np.ndarray] = {}
        self._sparse: tuple[bytes, RepresentativeVectors, LinearProbe | None] | None = None
        """A fingerprint of sparse labels, and what was learned from them."""

    def learn(self, request: LearnClasses) -> PaletteLearned:
        """Learns and predicts. Raises UserError when no shot has both a label and latents."""
        started = time.monotonic()
        workspace = Workspace(request.workspace)
        facts, palette = workspace.settings, workspace.palette
        shots = self._shots(workspace)
        fingerprint = _fingerprint(shots, palette.num_classes)
        transfer = self._learn_transfer(shots, palette.num_classes, facts, fingerprint)
        occasion = request.first_sample, facts.label_kind, facts.transfer, fingerprint
        if self._chosen is not None and self._chosen[0] == occasion:
            seeds = self._chosen[1]  # only a slider was moved
        else:
            seeds = _candidates(workspace, request.first_sample)
        predictions = self._predict(transfer, seeds)
        least_certain = list(self._features)
        self._chosen = occasion, least_certain
        self._pictures = {seed: self._picture(seed) for seed in least_certain}
        ids = np.array([*palette.class_ids, EMPTY], np.uint8)
        samples = [_message(seed, self._pictures[seed], predictions[seed], ids) for seed in least_certain]
        unique_shots = {shot.name: shot for shot in shots}  # a photo is there twice, with each of its latents
        classes = tuple(
            ClassLearned(palette.class_ids[found.channel], found.confidence, found.is_thin, found.is_rare)
            for found in class_predictions(list(predictions.values()), list(unique_shots.values()), palette.num_classes)
        )
        is_claimed = transfer.kind == "vectors"
        return PaletteLearned(request.ticket, classes, tuple(samples), is_claimed, time.monotonic() - started)

    def _predict(self, transfer: LabelTransfer, seeds: list[int]) -> dict[int, Prediction]:
        """Predicts all seeds. Keeps the features of the least certain alone: those of all would take 250 MB."""
        known, self._features = self._features, {}
        predictions: dict[int, Prediction] = {}
        for seed in seeds:
            with torch.inference_mode():
                features = known[seed] if seed in known else self._backend.label_features(self._latents(seed))
                predictions[seed] = predict(transfer, features)
            self._features[seed] = features
            kept = sorted(self._features, key=lambda seed: -predictions[seed].uncertainty)[:SAMPLES]
            self._features = {seed: self._features[seed] for seed in kept}
        return predictions

    def _picture(self, seed: int) -> np.ndarray:
        return self._pictures[seed] if seed in self._pictures else self._render(self._latents(seed))

    def _latents(self, seed: int) -> Tensor:
        return latents_of_seed(self._generator, seed, 1.0)[None]

    def _shots(self, workspace: Workspace) -> list[LatentShot]:
        """All shots with a label and latents: a photo with two latents, as a training learns from it."""
        facts, palette, generator = workspace.settings, workspace.palette, self._generator
        generated = workspace.generated()
        listed = {} if generated is None else generated.by_name()
        shots = []
        for shot in workspace.shots():
            label = workspace.label(shot.name)
            if label is None or not shot.is_located:
                continue
            for ws, label_map in self._views(workspace, shot.name, listed.get(shot.name), label):
                channels = _channels(label_map, facts.label_kind, palette, generator.feature_resolution)
                shots.append(LatentShot(shot.name, ws, channels.to(generator.device)))
        if not any(bool((shot.labels >= 0).any()) for shot in shots):
            raise UserError("No shot is labelled and found in the generator yet; label one, or wait for the search.")
        return shots

    def _views(
        self, workspace: Workspace, name: str, generated: GeneratedPicture | None, label: np.ndarray
    ) -> list[tuple[Tensor, np.ndarray]]:
        """The latents to learn a shot from, each with the label as its picture shows it; none if they are unknown."""
        generator, picture = self._generator, workspace.picture(name)
        if generated is not None:
            ws = latents_of_seed(generator, generated.seed, generated.truncation)
            if self._is_picture_of(picture, ws):
                return [(ws, label)]
            workspace.mark_photo(name)
            return []
        kept = kept_latents(workspace.path, name)
        if kept is None:
            return []
        latents = training_latents(latent_pair(kept)).to(generator.device)
        if workspace.settings.label_kind == "sparse":
            return [(latents[0], label)]
        return [(ws, aligned_to_ws(generator, ws, label, picture)) for ws in latents]

    def _is_picture_of(self, picture: np.ndarray, ws: Tensor) -> bool:
        """`is_picture_of`, computed once for each picture."""
        key = _digest(picture), _digest(ws.cpu().numpy())
        if key not in self._is_generated:
            self._is_generated[key] = is_picture_of(self._generator, ws, picture)
        return self._is_generated[key]

    def _learn_transfer(
        self, shots: list[LatentShot], num_classes: int, facts: WorkspaceSettings, fingerprint: bytes
    ) -> LabelTransfer:
        """fingerprint: of shots and classes."""
        uses_part_prior = facts.transfer == "informed"
        if facts.label_kind == "dense":
            if facts.transfer == "vectors":
                return learn_vectors(self._generator, shots, num_classes, "dense", facts.top_k, facts.threshold)
            return learn_probe(self._generator, shots, num_classes, uses_part_prior)
        fingerprint += facts.transfer.encode()
        if self._sparse is None or self._sparse[0] != fingerprint:
            vectors = learn_vectors(self._generator, shots, num_classes, "sparse", facts.top_k, facts.threshold)
            uses_probe = facts.transfer != "vectors" and are_scribbles([shot.labels for shot in shots])
            probe = learn_probe(self._generator, shots, num_classes, uses_part_prior) if uses_probe else None
            self._sparse = fingerprint, vectors, probe
        _, known, probe = self._sparse
        vectors = RepresentativeVectors(
            known.vectors, known.channels, num_classes, known.resolution, "sparse", facts.top_k, facts.threshold
        )
        return vectors if probe is None else ScribbleTransfer(probe, vectors)


class InitialLatents:
    """Finds where to start the inversion of a workspace's photo, once it is labelled.

    Computes the candidates when it is first needed: the same random pictures that a training computes.
    """

    def __init__(self, generator: Generator, backend: SynthesisBackend, on_pictures: Callable[[int], None]) -> None:
        """on_pictures: called with the number of candidates so far. An exception that it raises interrupts the search,
        which continues from there the next time."""
        settings = TrainingSettings(precision=backend.precision)
        cache = FeatureCache.of(generator, settings)
        self._generator = generator
        self._candidates = InversionInit(
            generator, backend, settings.seed, settings.round_size, NUM_CANDIDATES, on_pictures, kept=cache
        )

    def of(self, workspace: Workspace, name: str, place: int) -> Tensor | None:
        """`w` [512] for that photo, by the labels of all shots so far; None while it has no label, or only points.

        place: see `InversionInit.of`."""
        facts, palette = workspace.settings, workspace.palette
        layouts = {}
        for shot in workspace.shots():
            label = workspace.label(shot.name)
            if label is not None:
                layout = _channels(label, facts.label_kind, palette, self._generator.feature_resolution)
                if bool((layout >= 0).any()):
                    layouts[shot.name] = layout
        if name not in layouts or not has_spatial_labels(facts.label_kind, list(layouts.values())):
            return None
        found = self._candidates.of(list(layouts.values()), [None] * len(layouts), palette.num_classes, place)
        return found[list(layouts).index(name)]


def _channels(label: np.ndarray, label_kind: LabelKind, palette: Palette, side: int) -> Tensor:
    """Converts a workspace's label, uint8 [S, S] class ids, as a training does: int64 [side, side] in channels."""
    if label_kind == "sparse":
        label = np.where(label == UNLABELLED_SPARSE_ID, np.uint8(EMPTY), label)
    return layout_channels(label, palette, label_kind, side)


def _candidates(workspace: Workspace, first: int) -> list[int]:
    """Yields seeds from `first` on, without those of pictures that are shots."""
    generated = workspace.generated()
    known = set() if generated is None else {one.seed for one in generated.pictures if one.truncation == 1.0}
    return list(islice((seed for seed in count(first) if seed not in known), CANDIDATES))


def _message(seed: int, picture: np.ndarray, prediction: Prediction, ids: np.ndarray) -> SamplePrediction:
    certainty = prediction.certainty.cpu().numpy().astype(np.float32)
    return SamplePrediction(seed, picture, ids[prediction.labels.cpu().numpy()], certainty, prediction.uncertainty)


def _fingerprint(shots: list[LatentShot], num_classes: int) -> bytes:
    parts = [part.cpu().numpy() for shot in shots for part in (shot.ws, shot.labels)]
    return _digest(*parts, np.array(num_classes))


def _digest(*arrays: np.ndarray) -> bytes:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.tobytes())
    return digest.digest()

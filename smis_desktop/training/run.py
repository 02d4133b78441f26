"""One training run, from a shots folder to a model file: for `smis train`, the window and `torchrun` alike."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
from collections.abc import Mapping
from typing import Any

import torch

from smis_desktop.errors import UserError
from smis_desktop.formats.shots_folder import ShotsFolder, read_shots
from smis_desktop.generators.device import best_device, is_out_of_memory
from smis_desktop.generators.generator import Generator
from smis_desktop.generators.layers import Precision
from smis_desktop.generators.store import open_generator
from smis_desktop.inference.backend_selection import open_chosen_backend
from smis_desktop.inference.backends import SynthesisBackend
from smis_desktop.personal_model.encoder import layout_channels
from smis_desktop.personal_model.label_transfer import TrainingShot
from smis_desktop.personal_model.model import PersonalModel, read_personal_model, write_personal_model
from smis_desktop.storage.data_folder import data_folder
from smis_desktop.training import pace
from smis_desktop.training.distributed import SINGLE_PROCESS, ProcessGroup
from smis_desktop.training.events import (
    FallsBackToCpu,
    ModelImproved,
    OnEvent,
    RunOpened,
    SamplesChosen,
    ShotsOpened,
    SmallerBatch,
    StageProgress,
    TrainingRequest,
)
from smis_desktop.training.inversion import InversionSettings
from smis_desktop.training.perceptual import PerceptualDistance, open_perceptual_distance
from smis_desktop.training.sample_pool import FeatureCache
from smis_desktop.training.shots import training_shots
from smis_desktop.training.training import (
    TrainingContext,
    TrainingFolder,
    TrainingSettings,
    describe,
    stored_precision,
    train,
    uses_probe,
)

OPENING = "opening"
"""Name of the stage before all others: reading the shots, opening the networks."""
_SMALLEST_BATCH = 2


class FinishTraining(Exception):
    """Raised by a run's `on_event` to finish with the last intermediate model. Needs `writes_intermediate_models`."""


def settings_for(request: TrainingRequest) -> TrainingSettings:
    """Returns the settings of a request, with defaults for everything that it does not set."""
    defaults = TrainingSettings()
    samples = request.samples or defaults.samples
    consistency_steps = request.consistency_steps
    inversion_steps = request.inversion_steps
    return dataclasses.replace(
        defaults,
        label_kind=request.label_kind,
        transfer=request.transfer,
        top_k=request.top_k,
        threshold=request.threshold,
        samples=samples,
        round_size=min(defaults.round_size, samples),
        seed=request.seed,
        consistency_steps=defaults.consistency_steps if consistency_steps is None else consistency_steps,
        inversion=InversionSettings() if inversion_steps is None else InversionSettings(steps=inversion_steps),
    )


class TrainingRun:
    """Runs one request: `run()` opens everything, trains and writes the model file.

    on_event: receives everything worth telling; what it raises stops the run, and what was stored stays. group: the
    processes that run it together, each with the same request; the main process alone writes and reports.
    """

    generator: Generator
    backend: SynthesisBackend
    shots: list[TrainingShot]
    settings: TrainingSettings
    """This and the next three are set once the run is open."""

    def __init__(self, request: TrainingRequest, on_event: OnEvent, group: ProcessGroup = SINGLE_PROCESS) -> None:
        self._request, self._on_event, self._group = request, on_event, group
        self._store = TrainingFolder.beside(request.out)
        self._intermediate = self._store.path / "unfinished.smismodel"
        self._perceptual: PerceptualDistance | None = None
        self._device, self._threads = best_device(), torch.get_num_threads()
        self._features = data_folder("features")

    def run(self) -> PersonalModel:
        """Trains and returns the model, after writing it to the request's file.

        Raises UserError for shots that cannot be learned from, an unfinished training that is not to be resumed, and
        a full disk.
        """
        folder = self._open()
        self._open_store(folder)
        try:
            model = self._train_in_memory(folder)
        except FinishTraining:
            os.replace(self._intermediate, self._request.out)
            model = read_personal_model(self._request.out)
        else:
            if self._group.is_main_process:
                write_personal_model(self._request.out, model)
        if self._group.is_main_process:
            self._store.remove()
        return model

    def _open(self) -> ShotsFolder:
        """Reads the shots, opens the networks, and chooses the settings."""
        request, group = self._request, self._group
        folder = read_shots(request.shots, request.label_kind)
        with group.main_process_first():
            self.generator = open_generator(request.generator, self._report_opening).to(self._device)
        self.shots = training_shots(request.shots, folder, self.generator, request.label_kind)
        known = sum(shot.is_known for shot in self.shots)
        self._on_event(ShotsOpened(tuple(folder.notes), len(self.shots), known))
        if known < len(self.shots):
            with group.main_process_first():
                self._open_perceptual()
        begun = {} if request.on_unfinished == "refuse" else self._store.begun()
        precision = stored_precision(begun)
        with group.main_process_first():
            self.backend = self._open_backend(precision)
        # Machines may choose differently: the main process decides.
        is_reduced = bool(group.broadcast(torch.tensor(self.backend.precision == "bfloat16")))
        if is_reduced != (self.backend.precision == "bfloat16"):
            self.backend = self._open_backend("bfloat16" if is_reduced else "float32")
        self.settings = dataclasses.replace(settings_for(request), precision=self.backend.precision)
        if request.minutes is not None:
            samples = group.broadcast(torch.tensor(self._samples_in(request.minutes, folder, begun)))
            self.settings = dataclasses.replace(self.settings, samples=int(samples))
        return folder

    def _open_store(self, folder: ShotsFolder) -> None:
        """Opens the folder of the unfinished training, after checking that it is the same training."""
        description = {
            **describe(self.settings, [shot.name for shot in self.shots]),
            "generator_sha256": self.generator.weights_sha256,
            "classes": [[c.class_id, c.name, *c.color] for c in folder.palette.classes],
            "shots_sha256": _digest({shot.name: (shot.picture, shot.label_map) for shot in folder.shots}),
        }
        policy = self._request.on_unfinished
        with self._group.main_process_first():
            try:
                is_resumed = self._store.open(description, policy != "refuse" or not self._group.is_main_process)
            except UserError:
                if policy != "resume or restart":
                    raise
                self._store.remove()
                is_resumed = self._store.open(description, resume=True)
        self._on_event(RunOpened(self._store.path, is_resumed))

    def _train_in_memory(self, folder: ShotsFolder) -> PersonalModel:
        """Trains, in smaller batches or on the processor where there is too little memory."""
        if self._group.size > 1:
            return self._train(folder, self.settings)  # while one process tried again, the others would wait forever
        try:
            return self._train_with_smaller_batches(folder)
        except (MemoryError, RuntimeError) as error:
            if self.generator.device.type == "cpu" or not is_out_of_memory(error):
                raise
            self.generator.to("cpu")
            self.backend = self._open_backend(self.settings.precision)
            self._on_event(FallsBackToCpu())
            return self._train_with_smaller_batches(folder)

    def _train_with_smaller_batches(self, folder: ShotsFolder) -> PersonalModel:
        """Trains, and halves the batches each time memory is too small for them."""
        settings = self.settings
        while True:
            try:
                return self._train(folder, settings)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error) or settings.batch_size <= _SMALLEST_BATCH:
                    raise
                settings = dataclasses.replace(
                    settings,
                    batch_size=max(_SMALLEST_BATCH, settings.batch_size // 2),
                    consistency_batch_size=max(_SMALLEST_BATCH, settings.consistency_batch_size // 2),
                )
                self._on_event(SmallerBatch(settings.batch_size))

    def _train(self, folder: ShotsFolder, settings: TrainingSettings) -> PersonalModel:
        return train(
            TrainingContext(
                name=self._request.name,
                generator=self.generator,
                shots=self.shots,
                palette=folder.palette,
                settings=settings,
                store=self._store,
                on_event=self._on_event,
                open_perceptual=self._open_perceptual,
                backend=self.backend,
                on_improved=self._write_intermediate if self._request.writes_intermediate_models else None,
                group=self._group,
                feature_cache=FeatureCache.of(self.generator, settings, self._features),
            )
        )

    def _write_intermediate(self, model: PersonalModel) -> None:
        write_personal_model(self._intermediate, model)
        self._on_event(ModelImproved(self._intermediate))

    def _open_perceptual(self) -> PerceptualDistance:
        self._perceptual = self._perceptual or open_perceptual_distance(self._report_opening)
        return self._perceptual.to(self.generator.device)

    def _open_backend(self, precision: Precision | None) -> SynthesisBackend:
        return open_chosen_backend(self.generator, self._threads, self._report_opening, precision)

    def _samples_in(self, minutes: float, folder: ShotsFolder, begun: dict[str, Any]) -> int:
        """Returns the number of samples that fit into `minutes`; a resumed training keeps the number that it began
        with."""
        if isinstance(samples := begun.get("samples"), int):
            return samples
        settings, side = self.settings, self.generator.feature_resolution
        labels = [layout_channels(shot.label_map, folder.palette, settings.label_kind, side) for shot in self.shots]
        consistency_steps = settings.consistency_steps if uses_probe(settings, labels) else 0
        photos = sum(not shot.is_known for shot in self.shots)
        self._report_opening("Measuring how fast this machine is", -1.0)
        found = pace.measured_pace(self.generator, self._perceptual, settings, self.backend, photos)
        fixed = found.inversion + consistency_steps * found.consistency_step
        rounds = int((minutes * 60 - fixed) / found.round)
        if rounds < 1:
            least = math.ceil((fixed + found.round) / 6) / 10  # minutes, to the next tenth
            raise UserError(f"--minutes {minutes:g} is too short for these shots; allow {least:.1f} at least.")
        samples = rounds * settings.round_size
        self._on_event(SamplesChosen(minutes, samples))
        return samples

    def _report_opening(self, label: str, fraction: float) -> None:
        self._on_event(StageProgress(OPENING, label, fraction, 1.0))


def _digest(arrays: Mapping[str, Any]) -> str:
    """A fingerprint of the shots' pixels and labels, {name: arrays}, by which a resumed training is recognised."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode())
        for array in arrays[name]:
            digest.update(str(array.shape).encode())
            digest.update(array.tobytes())
    return digest.hexdigest()

"""Trains a personal model in a process of its own, while the person paints."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from smis_desktop.errors import UserError
from smis_desktop.training.events import (
    FallsBackToCpu,
    ModelImproved,
    ShotInverted,
    SmallerBatch,
    StageProgress,
    TrainingEvent,
    TrainingRequest,
)
from smis_desktop.workers.process import Inbox, Send, WorkerProcess
from smis_desktop.workers.shot_messages import SAMPLE_SIDE, ShotFound

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pause:
    """To the training: wait for `Resume`."""


@dataclass(frozen=True)
class Resume:
    """To the training: continue after a `Pause`."""


@dataclass(frozen=True)
class FinishEarly:
    """To the training: finish with the best model so far."""


@dataclass(frozen=True)
class TrainingStep:
    """How far the training is. `fraction` (0–1) and `seconds_left` are of the whole; `label` says in a few words what
    the stage does; `loss` is the stage's own. photos: the names of those that are being inverted."""

    stage: str
    fraction: float
    seconds_left: float | None
    loss: float | None = None
    photos: tuple[str, ...] = ()
    label: str = ""


@dataclass(frozen=True, eq=False)
class PhotosGrowing:
    """The latest reconstructions of the photos that are being inverted, uint8 [256, 256, 3] each."""

    pictures: tuple[np.ndarray, ...] = field(repr=False)


@dataclass(frozen=True, eq=False)
class TrainingPictures:
    """The shots' own layouts, rendered by the newest encoder, uint8 [256, 256, 3] each."""

    pictures: tuple[np.ndarray, ...] = field(repr=False)


@dataclass(frozen=True)
class TrainingPaused:
    """The training waits for `Resume`."""


@dataclass(frozen=True)
class Trained:
    """The model is written."""

    path: Path
    seconds: float


def training(request: TrainingRequest, deliver: Callable[[Any], None]) -> WorkerProcess:
    """Returns a training process, not started yet.

    deliver: receives the messages above, `ModelImproved`, `SmallerBatch` and `FallsBackToCpu` of the run, `ShotFound`
    for each photo whose latents are kept in the workspace, `WorkFailed`, and at last `WorkEnded`.
    """
    return WorkerProcess(run_request, (request,), deliver)


def run_request(send: Send, inbox: Inbox, request: TrainingRequest) -> None:
    """Does the process's work. Raises UserError for shots that cannot be learned from, and for a full disk."""
    import torch

    from smis_desktop.training.run import OPENING, TrainingRun
    from smis_desktop.workers.model_pictures import keep_picture

    started = time.monotonic()
    torch.set_num_threads(max(1, os.cpu_count() or 1))
    send(TrainingStep(OPENING, 0.0, None))
    reporter = _Reporter(send, inbox, request)
    run = reporter.run = TrainingRun(request, reporter.handle)
    model = run.run()
    try:
        keep_picture(request.out, run.generator, run.backend, model)
    except UserError as error:
        log.warning("the model is written, but not its picture: %s", error)
    send(Trained(request.out, time.monotonic() - started))


class _Reporter:
    """Translates a run's events into messages to the window, and acts on the window's messages between two events."""

    run: Any
    """The `TrainingRun`."""

    def __init__(self, send: Send, inbox: Inbox, request: TrainingRequest) -> None:
        self._send, self._inbox, self._request = send, inbox, request
        self._has_model = False

    def handle(self, event: TrainingEvent) -> None:
        """Sends what the window needs to know of the event. Raises FinishTraining when the window asked for it."""
        match event:
            case StageProgress():
                self._send(
                    TrainingStep(
                        event.stage, event.overall, event.seconds_left, event.loss, event.shot_names, event.label
                    )
                )
                if event.pictures:
                    kind = PhotosGrowing if event.shot_names else TrainingPictures
                    self._send(kind(event.pictures))
            case ShotInverted():
                self._keep_latents(event)
            case ModelImproved():
                self._has_model = True
                self._send(event)
            case SmallerBatch() | FallsBackToCpu():
                self._send(event)
        self._receive()

    def _receive(self) -> None:
        from smis_desktop.training.run import FinishTraining

        message = self._inbox.take()
        if isinstance(message, Pause):
            self._send(TrainingPaused())
            while not isinstance(message, Resume | FinishEarly):
                message = self._inbox.take(wait=True)
        if isinstance(message, FinishEarly) and self._has_model:
            raise FinishTraining

    def _keep_latents(self, shot: ShotInverted) -> None:
        """Keeps a photo's latents in the workspace, as the assistant's own inversions do."""
        import torch

        from smis_desktop.generators.generator import to_rgb8
        from smis_desktop.training.workspace import Workspace

        if self._request.workspace is None or shot.ws is None or shot.reconstruction_ws is None:
            return
        workspace = Workspace(self._request.workspace)
        if not workspace.has_picture_of(self._request.shots, shot.name):
            return
        is_kept = workspace.set_better_latents(
            shot.name, shot.ws, shot.reconstruction_ws, shot.psnr, shot.perceptual, shot.is_by_label
        )
        generator = self.run.generator
        with torch.inference_mode():
            ws = torch.from_numpy(shot.reconstruction_ws)[None].to(generator.device)
            picture = to_rgb8(generator.draft(ws, SAMPLE_SIDE)[0])
        self._send(ShotFound(shot.name, shot.psnr, shot.perceptual, is_kept, picture))

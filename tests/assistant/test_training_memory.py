"""Training with too little memory: smaller batches first, then the processor, and nothing is lost."""

from __future__ import annotations

import dataclasses
import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import torch

from smis_desktop.personal_model.encoder import LayoutEncoder
from smis_desktop.personal_model.model import read_personal_model
from smis_desktop.training.events import FallsBackToCpu, SmallerBatch, TrainingRequest
from smis_desktop.training.workspace import Workspace
from smis_desktop.workers.process import Inbox
from smis_desktop.workers.training_process import Trained, run_request


@pytest.fixture
def order(workspace: Workspace, tmp_path: Path) -> TrainingRequest:
    return TrainingRequest(
        workspace.labelled_folder(), tmp_path / "out.smismodel", "small", "Things", samples=8, consistency_steps=2
    )


def heard(order: TrainingRequest) -> list[Any]:
    """All that the training tells, without a process of its own."""
    told: list[Any] = []
    threads = torch.get_num_threads()
    here, _there = multiprocessing.Pipe()
    try:
        run_request(told.append, Inbox(here), order)
    finally:
        torch.set_num_threads(threads)
    return told


def full_above(batch: int, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On that kind of device, memory is full when the encoder is given more layouts at once."""
    coordinates = LayoutEncoder.coordinates

    def limited(encoder: LayoutEncoder, layout: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if torch.is_grad_enabled() and layout.device.type == device and len(layout) > batch:
            raise torch.OutOfMemoryError("out of memory")
        return coordinates(encoder, layout)

    monkeypatch.setattr(LayoutEncoder, "coordinates", limited)


def test_batches_are_halved_until_they_fit(
    small_data: Path, order: TrainingRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_above(8, torch.device("cuda" if torch.cuda.is_available() else "cpu").type, monkeypatch)
    told = heard(order)
    halved = [SmallerBatch(size) for size in (112, 56, 28, 14, 7)]
    assert [message for message in told if isinstance(message, SmallerBatch)] == halved
    assert isinstance(told[-1], Trained)
    assert read_personal_model(order.out).name == "Things"


def test_a_processor_that_holds_no_batch_at_all_says_so(
    small_data: Path, order: TrainingRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if torch.cuda.is_available():
        pytest.skip("a card comes before the processor")
    full_above(0, "cpu", monkeypatch)
    with pytest.raises(torch.OutOfMemoryError):
        heard(order)
    assert not order.out.exists()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_the_processor_goes_on_where_the_card_is_full(
    small_data: Path, order: TrainingRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_above(0, "cuda", monkeypatch)
    told = heard(order)
    assert sum(isinstance(message, FallsBackToCpu) for message in told) == 1
    assert isinstance(told[-1], Trained)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_card_trains(small_data: Path, order: TrainingRequest) -> None:
    told = heard(dataclasses.replace(order, samples=64))
    assert isinstance(told[-1], Trained)
    weights = read_personal_model(order.out).encoder.state_dict()
    assert all(torch.isfinite(tensor).all() for tensor in weights.values())

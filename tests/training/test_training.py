"""The whole training on a small generator: it learns, and stopping it anywhere changes nothing."""

from __future__ import annotations

import dataclasses
import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from smis_desktop.document.palette import Palette, SemanticClass
from smis_desktop.errors import UserError
from smis_desktop.generators.generator import seeded_z
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.inference.backends import TorchBackend
from smis_desktop.personal_model.encoder import one_hot
from smis_desktop.personal_model.label_transfer import TrainingShot
from smis_desktop.personal_model.model import PersonalModel
from smis_desktop.personal_model.scribbles import ScribbleTransfer
from smis_desktop.training.distributed import SINGLE_PROCESS, ProcessGroup
from smis_desktop.training.events import ClassesLearned, OnEvent, StageFinished, StageProgress, TrainingEvent
from smis_desktop.training.training import TrainingContext, TrainingFolder, TrainingSettings, describe, train
from tests.small_generator import small_generator

PALETTE = Palette(tuple(SemanticClass(i, f"class {i}", (i, i, i)) for i in (0, 3, 7, 9)))
SETTINGS = TrainingSettings(
    samples=40,
    round_size=4,
    steps_per_round=3,
    batch_size=4,
    encoder_width=8,
    consistency_steps=6,
    consistency_batch_size=2,
)


class Stop(Exception):
    """Stands for whatever ends a training: a cancel, a crash, a power cut."""


@pytest.fixture(scope="module")
def generator() -> MobileStyleGAN:
    return small_generator()


def shots(generator: MobileStyleGAN) -> list[TrainingShot]:
    """Two generated pictures with labels that follow from their features, so that there is something to learn."""
    found = []
    for seed in (1, 2):
        ws = generator.broadcast(generator.mapping(seeded_z(seed, generator.w_dim)))
        strongest = generator.features(ws, [64])[64][0, :3].argmax(0).numpy()
        found.append(TrainingShot(f"shot {seed}", np.array([0, 3, 7], np.uint8)[strongest], ws=ws[0]))
    return found


def points(generator: MobileStyleGAN) -> list[TrainingShot]:
    """The same with every eighth pixel of every eighth row labelled, and no other."""
    found = []
    for shot in shots(generator):
        few = np.full_like(shot.label_map, 255)
        few[::8, ::8] = shot.label_map[::8, ::8]
        found.append(dataclasses.replace(shot, label_map=few))
    return found


def run(
    generator: MobileStyleGAN,
    folder: Path,
    settings: TrainingSettings = SETTINGS,
    stop_after: int | None = None,
    group: ProcessGroup = SINGLE_PROCESS,
    shots_of: Callable[[MobileStyleGAN], list[TrainingShot]] = shots,
) -> tuple[PersonalModel, list[TrainingEvent]]:
    events: list[TrainingEvent] = []

    def on_event(event: TrainingEvent) -> None:
        events.append(event)
        if len(events) == stop_after:
            raise Stop

    store = TrainingFolder(folder)
    store.open(describe(settings, ["shots"]), resume=True)
    return train(context(generator, shots_of(generator), settings, store, on_event, group)), events


def context(
    generator: MobileStyleGAN,
    shots: list[TrainingShot],
    settings: TrainingSettings,
    store: TrainingFolder,
    on_event: OnEvent,
    group: ProcessGroup = SINGLE_PROCESS,
) -> TrainingContext:
    return TrainingContext(
        "m", generator, shots, PALETTE, settings, store, on_event,
        lambda: pytest.fail("no photo to invert"), TorchBackend(generator), group=group,
    )  # fmt: skip


def progress_of(stage: str, events: list[TrainingEvent]) -> list[StageProgress]:
    return [event for event in events if isinstance(event, StageProgress) and event.stage == stage]


@pytest.fixture(scope="module")
def undisturbed(generator: MobileStyleGAN, tmp_path_factory: pytest.TempPathFactory) -> PersonalModel:
    """What a training with these settings ends with when nothing happens to it."""
    return run(generator, tmp_path_factory.mktemp("undisturbed") / "t")[0]


def weights(model: PersonalModel) -> dict[str, torch.Tensor]:
    return dict(model.encoder.state_dict())


def test_tells_its_progress_and_the_classes_no_shot_holds(generator: MobileStyleGAN, tmp_path: Path) -> None:
    _, events = run(generator, tmp_path / "t")
    assert isinstance(events[0], ClassesLearned)
    assert events[0].missing == ("class 9",)
    rounds = progress_of("encoder", events)
    assert [e.done for e in rounds] == list(range(0, 41, 4))
    assert [e.fraction for e in rounds] == pytest.approx([n / 10 for n in range(11)])
    assert rounds[-1].pictures[0].shape == (256, 256, 3)
    steps = progress_of("obedience", events)
    assert [e.done for e in steps] == [1, 2, 3, 4, 5, 6]
    assert steps[-1].seconds_left == 0
    assert steps[-1].overall == 1
    assert steps[-1].pictures[0].shape == (256, 256, 3)
    assert [e.stage for e in events if isinstance(e, StageFinished)] == ["labels", "encoder", "correction", "obedience"]


@pytest.mark.parametrize("stop_after", [1, 3, 7, 11, 12, 16, 20])
def test_a_stopped_training_resumes_to_the_same_weights(
    generator: MobileStyleGAN, tmp_path: Path, undisturbed: PersonalModel, stop_after: int
) -> None:
    with pytest.raises(Stop):
        run(generator, tmp_path / "parts", stop_after=stop_after)
    resumed, events = run(generator, tmp_path / "parts")
    assert len(events) < 20 if stop_after > 11 else events
    for name, tensor in weights(undisturbed).items():
        assert torch.equal(tensor, weights(resumed)[name]), name


@pytest.mark.parametrize("room", [3_000, 100_000])
def test_a_full_disk_is_told_and_the_training_goes_on_when_there_is_room(
    generator: MobileStyleGAN, tmp_path: Path, undisturbed: PersonalModel, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """room: bytes that the disk takes after the folder is made."""
    TrainingFolder(tmp_path / "parts").open(describe(SETTINGS, ["shots"]), resume=True)
    write, left = os.write, room

    def write_while_there_is_room(descriptor: int, data: memoryview) -> int:
        nonlocal left
        if len(data) > left:
            raise OSError(errno.ENOSPC, "No space left on device")
        left -= len(data)
        return write(descriptor, data)

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", write_while_there_is_room)
        with pytest.raises(UserError, match=r"no space left on device.*free some space"):
            run(generator, tmp_path / "parts")
    assert not list((tmp_path / "parts").glob(".*.part"))
    resumed, _ = run(generator, tmp_path / "parts")
    for name, tensor in weights(undisturbed).items():
        assert torch.equal(tensor, weights(resumed)[name]), name


def test_a_seed_decides_the_result(generator: MobileStyleGAN, tmp_path: Path) -> None:
    first, _ = run(generator, tmp_path / "a")
    second, _ = run(generator, tmp_path / "b")
    other, _ = run(generator, tmp_path / "c", dataclasses.replace(SETTINGS, seed=1))
    name = "first.weight"
    assert torch.equal(weights(first)[name], weights(second)[name])
    assert not torch.equal(weights(first)[name], weights(other)[name])


def test_the_encoder_learns(generator: MobileStyleGAN, tmp_path: Path) -> None:
    settings = dataclasses.replace(
        SETTINGS, samples=400, round_size=20, steps_per_round=12, batch_size=16, encoder_width=256
    )
    _, events = run(generator, tmp_path / "t", settings)
    losses = [e.loss for e in progress_of("encoder", events) if e.loss is not None]
    of_the_mean = 1 + 0.1 + 0.1  # in whitened coordinates: along the directions, of structure, of style
    assert losses[-1] < 0.9 * of_the_mean, "layouts with holes in them, and still better than the mean of w"


def test_training_layout_consistency_makes_pictures_follow_layouts(generator: MobileStyleGAN, tmp_path: Path) -> None:
    """By the probe's own reading, on layouts of pictures that no training has seen."""
    settings = dataclasses.replace(SETTINGS, samples=200, round_size=20, steps_per_round=8, batch_size=16)

    def fidelity(steps: int) -> float:
        model, _ = run(generator, tmp_path / str(steps), dataclasses.replace(settings, consistency_steps=steps))
        assert model.probe is not None
        right = 0.0
        for seed in range(500, 516):
            ws = generator.broadcast(generator.mapping(seeded_z(seed, generator.w_dim)))
            layout = model.probe.label(generator.label_features(ws))
            found = model.encoder(one_hot(layout, PALETTE.num_classes), generator)
            right += (model.probe.label(generator.label_features(found)) == layout).float().mean().item() / 16
        return right

    assert fidelity(60) > fidelity(0)


def test_sparse_labels_train_too(generator: MobileStyleGAN, tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, label_kind="sparse", samples=8, threshold=0.1, transfer="vectors")
    model, events = run(generator, tmp_path / "t", settings, shots_of=points)
    assert model.probe is None
    assert isinstance(events[0], ClassesLearned)
    assert events[0].kind == "vectors"


def test_scribbles_train_a_probe(generator: MobileStyleGAN, tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, label_kind="sparse", samples=8)
    model, events = run(generator, tmp_path / "t", settings)
    assert isinstance(model.transfer, ScribbleTransfer)
    assert isinstance(events[0], ClassesLearned)
    assert events[0].kind == "probe"
    assert progress_of("obedience", events)


def test_an_empty_label_is_refused_before_anything_is_computed(generator: MobileStyleGAN, tmp_path: Path) -> None:
    store = TrainingFolder(tmp_path / "t")
    empty = TrainingShot("blank", np.full((32, 32), 255, np.uint8), ws=shots(generator)[0].ws)
    with pytest.raises(UserError, match="blank"):
        train(context(generator, [empty], SETTINGS, store, lambda event: pytest.fail("begun")))


def test_another_training_is_not_resumed(generator: MobileStyleGAN, tmp_path: Path) -> None:
    run(generator, tmp_path / "t")
    other = describe(dataclasses.replace(SETTINGS, seed=5), ["shots"])
    with pytest.raises(UserError, match="other shots or settings"):
        TrainingFolder(tmp_path / "t").open(other, resume=True)
    with pytest.raises(UserError, match="--resume"):
        TrainingFolder(tmp_path / "t").open(describe(SETTINGS, ["shots"]), resume=False)

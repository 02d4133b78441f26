"""Photos are searched for side by side: to the same latents as alone, and exactly on from wherever it stopped."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from smis_desktop.generators.generator import seeded_z, to_rgb8
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.personal_model.label_transfer import TrainingShot
from smis_desktop.training.distributed import SINGLE_PROCESS, ThreadedRunner, split_evenly
from smis_desktop.training.events import ShotInverted, TrainingEvent
from smis_desktop.training.inversion import Inversion, InversionSettings, run_inversions
from smis_desktop.training.perceptual import PerceptualDistance
from smis_desktop.training.shots import latent_pair
from smis_desktop.training.stages.inversion import InvertingShots, ShotInversion
from smis_desktop.training.training import TrainingFolder, TrainingStore
from tests.small_generator import small_generator

SETTINGS = InversionSettings(steps=12, close_steps=1.0)
CPU = torch.device("cpu")


class Stop(Exception):
    """The person's, or the power's."""


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def small() -> MobileStyleGAN:
    return small_generator()


@pytest.fixture(scope="module")
def shots(small: MobileStyleGAN) -> list[TrainingShot]:
    """Two photos; between them a picture whose latents are known."""
    ws = [small.broadcast(small.mapping(seeded_z(seed, small.w_dim), 0.7)) for seed in (1, 2, 3)]
    with torch.inference_mode():
        pictures = [to_rgb8(small.draft(one, 256)[0]) for one in ws]
    label_map = np.zeros((32, 32), np.uint8)
    return [
        TrainingShot("first", label_map, pictures[0]),
        TrainingShot("known", label_map, ws=ws[1][0].clone()),
        TrainingShot("second", label_map, pictures[2]),
    ]


@pytest.fixture
def store(tmp_path: Path) -> TrainingFolder:
    folder = TrainingFolder(tmp_path / "t")
    folder.open({}, resume=True)
    return folder


def search(
    small: MobileStyleGAN,
    perceptual: PerceptualDistance,
    shots: list[TrainingShot],
    store: TrainingStore,
    stop_after: int | None = None,
    starts: Sequence[Tensor | None] = (None, None, None),
) -> tuple[list[Tensor], list[TrainingEvent]]:
    told: list[TrainingEvent] = []

    def tell(event: TrainingEvent) -> None:
        told.append(event)
        if len(told) == stop_after:
            raise Stop

    searching = ShotInversion(small, lambda: perceptual, shots, SETTINGS, store, tell, SINGLE_PROCESS, lambda: starts)
    return searching.latents(), told


@pytest.fixture(scope="module")
def alone(small: MobileStyleGAN, perceptual: PerceptualDistance, shots: list[TrainingShot]) -> dict[str, Tensor]:
    """The latents of each photo, found by itself on one core."""
    torch.set_num_threads(1)
    found = {}
    for shot in (shots[0], shots[2]):
        assert shot.picture is not None
        (result,) = run_inversions([Inversion(small, perceptual, shot.picture, SETTINGS)])
        found[shot.name] = latent_pair(result.tensors())
    torch.set_num_threads(2)
    return found


def assert_found(latents: list[Tensor], shots: list[TrainingShot], alone: dict[str, Tensor]) -> None:
    first, known, second = latents
    assert torch.equal(first, alone["first"])
    assert torch.equal(second, alone["second"])
    assert shots[1].ws is not None
    assert torch.equal(known, shots[1].ws[None])


def test_side_by_side_they_are_found_as_each_alone(
    small: MobileStyleGAN,
    perceptual: PerceptualDistance,
    shots: list[TrainingShot],
    store: TrainingFolder,
    alone: dict[str, Tensor],
) -> None:
    latents, told = search(small, perceptual, shots, store)
    assert_found(latents, shots, alone)
    assert torch.get_num_threads() == 2
    steps = [event for event in told if isinstance(event, InvertingShots)]
    assert [event.step for event in steps] == list(range(1, SETTINGS.all_steps + 1))
    assert {(event.names, event.numbers, event.count) for event in steps} == {(("first", "second"), (1, 3), 3)}
    assert [len(event.pictures) for event in steps if event.pictures] == [2]
    assert [event.name for event in told[-2:] if isinstance(event, ShotInverted)] == ["first", "second"]
    again, told = search(small, perceptual, shots, store)
    assert_found(again, shots, alone)
    assert told == []


def test_a_search_begins_where_it_is_told_to(
    small: MobileStyleGAN, perceptual: PerceptualDistance, shots: list[TrainingShot], store: TrainingFolder
) -> None:
    start = small.mapping(seeded_z(9, small.w_dim))[0]
    second = shots[2].picture
    assert second is not None
    begun = Inversion(small, perceptual, second, SETTINGS, start)
    begun.step()
    torch.testing.assert_close(begun.in_domain_ws, start.expand(small.num_ws, -1), atol=1e-4, rtol=1e-4)
    latents, _ = search(small, perceptual, shots, store, starts=(None, None, start))
    torch.set_num_threads(1)
    (result,) = run_inversions([Inversion(small, perceptual, second, SETTINGS, start)])
    assert torch.equal(latents[2], latent_pair(result.tensors()))


@pytest.mark.parametrize("stop_after", [5, 21, 24, 25, 26])
def test_a_stopped_search_goes_on_to_the_same_latents(
    small: MobileStyleGAN,
    perceptual: PerceptualDistance,
    shots: list[TrainingShot],
    store: TrainingFolder,
    alone: dict[str, Tensor],
    stop_after: int,
) -> None:
    """The last two stops come before and after the first photo's latents are written."""
    with pytest.raises(Stop):
        search(small, perceptual, shots, store, stop_after)
    latents, told = search(small, perceptual, shots, store)
    assert_found(latents, shots, alone)
    first = told[0]
    assert isinstance(first, InvertingShots)
    assert first.step == (1 if stop_after < 20 else 21)
    assert first.names == (("second",) if stop_after == 26 else ("first", "second"))


def test_with_too_little_memory_for_both_one_comes_after_the_other(
    small: MobileStyleGAN,
    perceptual: PerceptualDistance,
    shots: list[TrainingShot],
    store: TrainingFolder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    step, under_way, lock = Inversion.step, [0], threading.Lock()
    both = threading.Barrier(2)

    def limited(search: Inversion) -> object:
        if threading.current_thread() is not threading.main_thread():
            both.wait(60)
            with lock:
                under_way[0] += 1
                if under_way[0] == 2:
                    raise MemoryError
        return step(search)

    monkeypatch.setattr(Inversion, "step", limited)
    latents, told = search(small, perceptual, shots, store)
    assert [found.shape[0] for found in latents] == [2, 1, 2]
    assert [event.names for event in told if isinstance(event, InvertingShots)] == [
        *[("first",)] * SETTINGS.all_steps, *[("second",)] * SETTINGS.all_steps
    ]  # fmt: skip


@given(st.lists(st.integers(), max_size=12), st.integers(1, 6))
def test_groups_keep_the_order_and_leave_nobody_alone(works: list[int], threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    groups = split_evenly(works, CPU)
    torch.set_num_threads(before)
    assert [work for group in groups for work in group] == works
    sizes = [len(group) for group in groups]
    if threads == 1:
        assert set(sizes) <= {1}
    elif len(works) > 1:
        assert set(sizes) <= {2, 3}
    assert split_evenly(works, torch.device("cuda")) == [[work] for work in works]


def test_side_by_side_shares_the_threads_and_gives_them_back() -> None:
    with ThreadedRunner(2) as together:
        assert together.map([torch.get_num_threads] * 2) == [1, 1]
        with pytest.raises(Stop):
            together.map([torch.get_num_threads, _stop])
        assert torch.get_num_threads() == 2, "in this thread"
    assert torch.get_num_threads() == 2
    with ThreadedRunner(1) as alone:
        assert alone.map([threading.current_thread]) == [threading.current_thread()]


def _stop() -> int:
    raise Stop

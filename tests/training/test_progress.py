"""How far a training is: the one progress event says it of every stage, whatever the stage."""

from __future__ import annotations

import pytest

from smis_desktop.training.stages import all_stages
from smis_desktop.training.training import ProgressEstimate, TrainingSettings


class Machine:
    """Half as fast as the one that the stages' expected seconds were measured on."""

    now = 100.0

    def work(self, expected_seconds: float) -> None:
        self.now += 2 * expected_seconds


def estimate(machine: Machine, num_photos: int) -> ProgressEstimate:
    return ProgressEstimate(all_stages(), TrainingSettings(), num_photos, lambda: machine.now)


STAGES = {stage.name: stage for stage in all_stages()}


def test_the_time_left_is_of_everything() -> None:
    machine = Machine()
    progress = estimate(machine, 3)
    assert progress.at(STAGES["starts"], 1.0) == (pytest.approx(14 / (14 + 3 * 34 + 75 + 18 + 90)), None)
    assert progress.at(STAGES["inverting"], 0.1)[1] is None, "nobody knows yet how fast this machine is"
    whole = 2 * (3 * 34 + 75 + 18 + 90)
    for step in range(2, 11):
        machine.work(10.2)
        overall, left = progress.at(STAGES["inverting"], step / 10)
        assert overall == pytest.approx((14 + step * 10.2) / (14 + 3 * 34 + 75 + 18 + 90))
        assert left == pytest.approx(whole - 2 * step * 10.2)
    assert progress.at(STAGES["encoder"], 0.0)[1] == pytest.approx(2 * (75 + 18 + 90))
    machine.work(25)  # this stage is slower by a third
    assert progress.at(STAGES["encoder"], 0.25)[1] == pytest.approx(2 * (75 + 18 + 90))
    assert progress.at(STAGES["obedience"], 1.0) == (1.0, 0.0)


def test_without_photos_the_encoder_tells_the_pace() -> None:
    machine = Machine()
    progress = estimate(machine, 0)
    fraction = pytest.approx(0.5 * 75 / (75 + 18 + 90))
    assert progress.at(STAGES["encoder"], 0.5) == (fraction, None), "resumed in the middle"
    machine.work(7.5)
    assert progress.at(STAGES["encoder"], 0.6)[1] == pytest.approx(2 * (30 + 18 + 90))


def test_a_pause_is_not_counted() -> None:
    machine = Machine()
    progress = estimate(machine, 0)
    progress.at(STAGES["encoder"], 0.0)
    machine.work(7.5)
    machine.now += 1000
    progress.idle_seconds += 1000
    assert progress.at(STAGES["encoder"], 0.1)[1] == pytest.approx(2 * (67.5 + 18 + 90))

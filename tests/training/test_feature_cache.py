"""Features that are kept take the room that they may, and nothing depends on them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from smis_desktop.errors import UserError
from smis_desktop.training.sample_pool import FeatureCache
from smis_desktop.training.training import TrainingSettings
from tests.small_generator import small_generator

ROUND = {"8": torch.arange(3000, dtype=torch.int16).to(torch.int8).view(1, 3, 1000)}
SIZE = 3000


def keep(kept: FeatureCache, name: str, tensors: dict[str, torch.Tensor]) -> None:
    kept.write(name, tensors)
    kept.wait()


def names(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.safetensors")}


def test_what_was_kept_is_read_by_the_next(tmp_path: Path) -> None:
    keep(FeatureCache(tmp_path / "a"), "round-0", ROUND)
    found = FeatureCache(tmp_path / "a").read("round-0")
    assert found is not None
    assert torch.equal(found["8"], ROUND["8"])
    assert FeatureCache(tmp_path / "a").read("round-1") is None
    assert FeatureCache(tmp_path / "b").read("round-0") is None


def test_there_is_an_end_to_the_room(tmp_path: Path) -> None:
    kept = FeatureCache(tmp_path / "a", max_bytes=3 * SIZE)
    for number in range(5):
        keep(kept, f"round-{number}", ROUND)
    assert names(tmp_path / "a") == {"round-0", "round-1"}, "file headers count too"
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.safetensors")) <= 3 * SIZE


def test_those_used_least_lately_give_way(tmp_path: Path) -> None:
    for age, name in enumerate(("newer", "older")):
        keep(FeatureCache(tmp_path / name), "round-0", ROUND)
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    kept = FeatureCache(tmp_path / "mine", max_bytes=3 * SIZE)
    keep(kept, "round-0", ROUND)
    assert names(tmp_path / "mine") == {"round-0"}
    assert names(tmp_path / "newer") == {"round-0"}
    assert not (tmp_path / "older").exists()


def test_no_room_at_all_leaves_no_trace(tmp_path: Path) -> None:
    kept = FeatureCache(tmp_path / "features" / "a", max_bytes=0)
    keep(kept, "round-0", ROUND)
    assert kept.read("round-0") is None
    assert not (tmp_path / "features").exists()


def test_damaged_ones_are_made_again(tmp_path: Path) -> None:
    kept = FeatureCache(tmp_path / "a")
    keep(kept, "round-0", ROUND)
    file = next((tmp_path / "a").glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:100])
    assert kept.read("round-0") is None
    keep(kept, "round-0", ROUND)
    assert kept.read("round-0") is not None


def test_a_full_disk_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(descriptor: int, data: memoryview) -> int:
        raise OSError(28, "No space left on device")

    kept = FeatureCache(tmp_path / "a")
    with monkeypatch.context() as disk:
        disk.setattr(os, "write", refused)
        keep(kept, "round-0", ROUND)
    assert list((tmp_path / "a").iterdir()) == []
    keep(kept, "round-1", ROUND)
    assert names(tmp_path / "a") == set(), "it does not try again in every round"


def test_a_folder_that_somebody_deletes_is_no_fault(tmp_path: Path) -> None:
    kept = FeatureCache(tmp_path / "a")
    (tmp_path / "a").rmdir()
    keep(kept, "round-0", ROUND)
    assert kept.read("round-0") is None


def test_generators_seeds_and_precisions_have_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMIS_DATA_DIR", str(tmp_path))
    generator = small_generator()
    keep(FeatureCache.of(generator, TrainingSettings()), "round-0", ROUND)
    assert FeatureCache.of(generator, TrainingSettings(samples=64)).read("round-0") is not None
    for other in (
        FeatureCache.of(small_generator(1), TrainingSettings()),
        FeatureCache.of(generator, TrainingSettings(seed=1)),
        FeatureCache.of(generator, TrainingSettings(round_size=32)),
        FeatureCache.of(generator, TrainingSettings(precision="bfloat16")),
    ):
        assert other.read("round-0") is None


def test_the_room_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMIS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SMIS_KEPT_FEATURES_MIB", "0")
    kept = FeatureCache.of(small_generator(), TrainingSettings())
    keep(kept, "round-0", ROUND)
    assert kept.read("round-0") is None
    monkeypatch.setenv("SMIS_KEPT_FEATURES_MIB", "much")
    with pytest.raises(UserError, match="no number of MiB"):
        FeatureCache.of(small_generator(), TrainingSettings())

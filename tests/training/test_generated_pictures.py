"""`generated.json`: read back as written, everything else refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from smis_desktop.errors import UserError
from smis_desktop.training.shots import (
    GeneratedPicture,
    GeneratedPictures,
    read_generated_pictures,
    write_generated_pictures,
)

GENERATED = GeneratedPictures(
    "faces", "ab" * 32, (GeneratedPicture("seed-0001", 1, 0.7), GeneratedPicture("seed-0007", 7, 1.0))
)


def test_comes_back_as_written(tmp_path: Path) -> None:
    assert read_generated_pictures(tmp_path) is None
    assert write_generated_pictures(tmp_path, GENERATED) == tmp_path / "generated.json"
    assert read_generated_pictures(tmp_path) == GENERATED
    assert [p.name for p in tmp_path.iterdir()] == ["generated.json"]


def test_newer_pictures_take_the_place_of_older_ones() -> None:
    merged = GENERATED.with_pictures([GeneratedPicture("seed-0001", 1, 0.2), GeneratedPicture("a", 5, 1.0)])
    assert [(p.name, p.truncation) for p in merged.pictures] == [("a", 1.0), ("seed-0001", 0.2), ("seed-0007", 1.0)]
    assert merged.by_name()["a"].seed == 5


GOOD: dict[str, Any] = {"format_version": 1, "generator": "faces", "weights_sha256": "ab" * 32, "pictures": []}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        "\x00",
        json.dumps(GOOD | {"format_version": 2}),
        json.dumps(GOOD | {"format_version": "1"}),
        json.dumps(GOOD | {"weights_sha256": "AB"}),
        json.dumps(GOOD | {"pictures": {}}),
        json.dumps(GOOD | {"pictures": [{"name": "", "seed": 1, "truncation": 1}]}),
        json.dumps(GOOD | {"pictures": [{"name": "a", "seed": -1, "truncation": 1}]}),
        json.dumps(GOOD | {"pictures": [{"name": "a", "seed": 1.5, "truncation": 1}]}),
        json.dumps(GOOD | {"pictures": [{"name": "a", "seed": 1, "truncation": 9}]}),
        json.dumps({key: value for key, value in GOOD.items() if key != "generator"}),
        "[" * 100_000,
    ],
    ids=lambda content: content[:60],
)
def test_everything_else_is_refused_in_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "generated.json").write_text(content)
    with pytest.raises(UserError) as refusal:
        read_generated_pictures(tmp_path)
    assert str(tmp_path / "generated.json") in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_unknown_facts_are_for_others(tmp_path: Path) -> None:
    (tmp_path / "generated.json").write_text(json.dumps(GOOD | {"remark": "mine"}))
    found = read_generated_pictures(tmp_path)
    assert found is not None
    assert found.pictures == ()


def test_a_folder_of_that_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "generated.json").mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        read_generated_pictures(tmp_path)

"""Repainting in the real program, with the default model at its own size: what stays, and what comes back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from smis_desktop.generators.generator import Generator
from smis_desktop.storage.data_folder import data_folder
from tests.ui.test_whole_program import CHECKOUT, environment


@pytest.fixture(scope="module")
def folder(faces: Generator, x_display: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the story left: painted in one process, opened again in another."""
    place = tmp_path_factory.mktemp("story")
    own = place / "data"  # the story changes settings that other tests rely on
    own.mkdir()
    for part in ("generators", "networks", "backends"):
        (own / part).symlink_to(data_folder(part), target_is_directory=True)
    for words in (["paint", place], ["reopen", place, place / "painted.smis"]):
        done = subprocess.run(
            [sys.executable, str(CHECKOUT / "tests" / "ui" / "repaint_story.py"), *map(str, words)],
            env=environment(DISPLAY=x_display, QT_QPA_PLATFORM="xcb", SMIS_DATA_DIR=str(own)),
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr, done.stderr
    return place


def picture(folder: Path, name: str) -> np.ndarray:
    found: np.ndarray = np.load(folder / f"{name}.npy")
    assert found.shape == (1024, 1024, 3)
    assert found.std() > 20
    return found


def region(folder: Path, name: str) -> np.ndarray:
    """Where the last patch of a picture shows at all, bool [1024, 1024]."""
    mask = cv2.resize(np.load(folder / f"{name}-mask.npy"), (1024, 1024), interpolation=cv2.INTER_LINEAR)
    inside: np.ndarray = mask > 0
    return inside


def change(folder: Path, before: str, after: str) -> np.ndarray:
    """The change between two pictures in grey levels, float32 [1024, 1024]."""
    difference = picture(folder, after).astype(np.float32) - picture(folder, before)
    mean: np.ndarray = np.abs(difference).mean(axis=2)
    return mean


@pytest.mark.parametrize(
    ("back", "was"),
    [
        ("undone", "example"),
        ("redone", "fringe"),
        ("unfollowed", "hat"),
        ("returned", "fringe"),
        ("reopened", "fringe"),
    ],
)
def test_pictures_come_back_byte_for_byte(folder: Path, back: str, was: str) -> None:
    assert picture(folder, back).tobytes() == picture(folder, was).tobytes()


@pytest.mark.parametrize(("before", "after"), [("example", "fringe"), ("redone", "hat")])
def test_what_is_not_repainted_stays(folder: Path, before: str, after: str) -> None:
    changed, inside = change(folder, before, after), region(folder, after)
    assert 0.05 < inside.mean() < 0.7
    assert changed[~inside].mean() <= 0.5
    assert changed[inside].mean() > 5
    assert kept(folder, after) >= 99


def test_a_whole_picture_follows_when_asked_to(folder: Path) -> None:
    assert change(folder, "hat", "followed").mean() > 2
    assert kept(folder, "followed") < 90
    assert not (folder / "followed-mask.npy").exists()


def test_switched_off_every_change_is_one_of_the_whole_picture(folder: Path) -> None:
    far = np.ones((1024, 1024), bool)
    far[450:] = False  # the mouth was painted below
    assert change(folder, "returned", "off")[far].mean() > 0.5
    assert kept(folder, "off") < 99


def kept(folder: Path, name: str) -> int:
    """How many per cent of the rest the status bar says to have stayed."""
    words = json.loads((folder / "words.json").read_text())[name]
    return int(words.split("kept ")[1].split(" %")[0])

"""Class masks, the list of recent files, and contact sheets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smis_desktop.formats.class_masks import write_class_masks
from smis_desktop.formats.exported_picture import contact_sheet
from smis_desktop.formats.recovery import RecentFiles
from tests.formats.projects import IDS, PALETTE


def test_masks_hold_each_class_and_nothing_else(tmp_path: Path) -> None:
    label_map = np.random.default_rng(0).choice(IDS, (64, 64)).astype(np.uint8)
    written = write_class_masks(tmp_path / "masks", "face", label_map, PALETTE)
    facts = json.loads(written[-1].read_bytes())["classes"]
    assert [fact["id"] for fact in facts] == [0, 3, 7, 254]
    for fact in facts:
        mask = np.array(Image.open(tmp_path / "masks" / fact["file"]))
        np.testing.assert_array_equal(mask == 255, label_map == fact["id"])
        assert set(np.unique(mask)) <= {0, 255}


def test_recent_files_are_the_newest_that_still_exist(tmp_path: Path) -> None:
    recent = RecentFiles(tmp_path / "data")
    assert recent.paths() == ()
    paths = [tmp_path / f"{n}.smis" for n in range(20)]
    for path in paths:
        path.touch()
        recent.add(path)
    assert recent.paths() == tuple(reversed(paths[8:]))
    paths[-1].unlink()
    assert RecentFiles(tmp_path / "data").paths()[0] == paths[-2]
    (tmp_path / "data" / "recent.json").write_text("{]")
    assert recent.paths() == ()


def test_a_contact_sheet_shows_every_picture() -> None:
    colors = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    pictures = [np.full((40, 40, 3), color, np.uint8) for color in colors]
    sheet = contact_sheet(pictures, ["a", "b", "c"], columns=2, side=32)
    for color in colors:
        assert (sheet == color).all(axis=2).sum() == 32 * 32
    with pytest.raises(ValueError, match="caption"):
        contact_sheet(pictures, ["a"])

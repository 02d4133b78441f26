"""Layouts of other programs: what is recognised, what is suggested, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smis_desktop.document.palette import EMPTY, Palette, SemanticClass
from smis_desktop.errors import UserError
from smis_desktop.formats.class_masks import subjects
from smis_desktop.formats.image_file import encode_label_map
from smis_desktop.formats.import_proposal import class_named
from tests.formats.projects import proposal_of

FACE = Palette(
    (
        SemanticClass(0, "background", (0, 0, 0)),
        SemanticClass(1, "skin", (200, 150, 120)),
        SemanticClass(3, "eyes", (60, 200, 240)),
        SemanticClass(7, "hair", (120, 60, 20)),
        SemanticClass(9, "clothes", (40, 80, 230)),
    )
)


def test_an_index_image_of_known_ids_needs_no_question(tmp_path: Path) -> None:
    label_map = np.random.default_rng(0).choice(np.array([0, 1, 7, 255], np.uint8), (80, 80))
    path = tmp_path / "a.png"
    path.write_bytes(encode_label_map(label_map, FACE))
    proposal = proposal_of(path, FACE)
    assert proposal.is_certain
    np.testing.assert_array_equal(proposal.label_map(), label_map)


def test_foreign_ids_are_asked_for_and_mapped(tmp_path: Path) -> None:
    """ADE20K's 150 ids: those that the palette lacks stay empty until somebody says what they are."""
    label_map = np.full((64, 96), 13, np.uint8)
    label_map[:20] = 1
    path = tmp_path / "ade.png"
    Image.fromarray(label_map).save(path)
    proposal = proposal_of(path, FACE)
    assert not proposal.is_certain
    assert "middle" in proposal.notes[0]
    assert [(s.name, round(s.share, 2)) for s in proposal.sources] == [("id 13", 0.69), ("skin", 0.31)]
    assert set(np.unique(proposal.label_map())) == {1, EMPTY}
    mapped = proposal.label_map({0: 7})
    assert mapped.shape == (64, 64)
    np.testing.assert_array_equal(mapped, np.where(label_map[:, 16:80] == 13, 7, 1))


def test_a_colour_map_is_read_by_its_nearest_colours(tmp_path: Path) -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:30] = (119, 62, 25)  # nearly hair
    pixels[30:50] = (199, 150, 121)
    pixels[29, :1] = (90, 90, 90)  # a smoothed edge
    path = tmp_path / "map.png"
    Image.fromarray(pixels).save(path)
    proposal = proposal_of(path, FACE)
    label_map = proposal.label_map()
    assert not proposal.is_certain
    assert (label_map[:29] == 7).all()
    assert (label_map[30:50] == 1).all()
    assert (label_map[50:] == 0).all()
    assert [s.name for s in proposal.sources] == ["#773e19", "#c79679", "#000000"]


def test_a_photograph_is_no_colour_map(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.jpg")
    with pytest.raises(UserError, match="no colour map"):
        proposal_of(tmp_path / "photo.jpg", FACE)


def test_a_folder_of_masks_is_laid_over_in_its_datasets_order(tmp_path: Path) -> None:
    def mask(name: str, rows: slice) -> None:
        pixels = np.zeros((64, 64), np.uint8)
        pixels[rows] = 255
        Image.fromarray(pixels).save(tmp_path / name)

    mask("00012_skin.png", slice(0, 40))
    mask("00012_l_eye.png", slice(10, 14))
    mask("00012_hair.png", slice(0, 8))
    mask("00012_cloth.png", slice(38, 64))
    mask("00013_skin.png", slice(0, 64))
    assert subjects(tmp_path) == ("00012", "00013")
    proposal = proposal_of(tmp_path, FACE)
    assert proposal.is_certain
    expected = np.zeros((64, 64), np.uint8)
    expected[0:40], expected[10:14], expected[0:8], expected[38:] = 1, 3, 7, 9
    np.testing.assert_array_equal(proposal.label_map(), expected)
    assert "overlap" in proposal.notes[0]


def test_labelme_shapes_become_classes_by_name(tmp_path: Path) -> None:
    file = {
        "version": "5.0",
        "shapes": [
            {"label": "Skin", "points": [[10, 10], [90, 10], [90, 90], [10, 90]], "shape_type": "polygon"},
            {"label": "left_eye", "points": [[30, 30], [40, 36]], "shape_type": "rectangle"},
            {"label": "beard", "points": [[50, 70], [60, 70]], "shape_type": "circle"},
            {"label": "hair", "points": [[5, 5]], "shape_type": "mystery"},
        ],
        "imagePath": "../../etc/passwd",
        "imageData": None,
        "imageHeight": 100,
        "imageWidth": 100,
    }
    path = tmp_path / "face.json"
    path.write_text(json.dumps(file))
    proposal = proposal_of(path, FACE)
    assert not proposal.is_certain, "nobody knows what a beard is"
    label_map = proposal.label_map()
    assert label_map.shape == (100, 100)
    assert label_map[20, 20] == 1
    assert label_map[33, 35] == 3
    assert label_map[2, 2] == 0
    assert label_map[70, 50] == EMPTY
    assert any("1 shapes" in note for note in proposal.notes)


def test_names_are_understood() -> None:
    for name, class_id in [("l_eye", 3), ("Left Eye", 3), ("HAIR", 7), ("cloth", 9), ("face", 1), ("dragon", None)]:
        assert class_named(name, FACE) == class_id, name


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.json", b'{"shapes": 3}'),
        ("b.json", b'{"shapes": [], "imageHeight": 1000000000, "imageWidth": 1}'),
        ("c.json", b'{"a":' * 100_000),
        ("d.txt", b"hello"),
        ("e.png", b"\x89PNG\r\n\x1a\nrubbish"),
        ("f.png", b""),
    ],
)
def test_anything_else_is_refused_in_a_sentence(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=name) as refusal:
        proposal_of(tmp_path / name, FACE)
    assert "\n" not in str(refusal.value)


def test_missing_files_and_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        proposal_of(tmp_path / "nowhere.png", FACE)
    with pytest.raises(UserError, match="no masks"):
        proposal_of(tmp_path, FACE)

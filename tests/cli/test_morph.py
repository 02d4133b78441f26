"""`smis morph`: a film from picture to picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from smis_desktop.document.style import Look, Style
from smis_desktop.formats.exported_picture import read_picture_project, write_photograph
from smis_desktop.formats.project import write_project
from smis_desktop.resources import example_layout_path
from tests.cli.conftest import Smis, label_map, write_layout

FILM = ["--seconds", 0.4, "--fps", 10, "--once"]
"""Five frames."""


def frames_of(path: Path) -> list[np.ndarray]:
    """uint8 [H, W, 3] each."""
    with av.open(path) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean grey levels between averages of 8²: films are compressed, and these pictures are noise."""
    means = [cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA) for picture in (one, other)]
    return float(cv2.absdiff(*means).mean())


@pytest.fixture
def layouts(tmp_path: Path) -> list[Path]:
    """The usual layout, and one that differs from it in a spot."""
    changed = label_map()
    changed[48:54, 10:16] = 7
    return [write_layout(tmp_path / "a.png"), write_layout(tmp_path / "b.png", changed)]


def test_a_film_goes_from_layout_to_layout(
    smis: Smis, tmp_path: Path, small_data: Path, small_model: Path, layouts: list[Path]
) -> None:
    words = ["morph", *layouts, "--model", small_model, "--out", tmp_path / "film.mp4", *FILM]
    facts = smis(*words, "--seed", 7, "--same-style", "--json").facts
    assert (facts["frames"], facts["fps"], facts["size"]) == (5, 10, 256)
    frames = frames_of(tmp_path / "film.mp4")
    smis("render", *layouts, "--model", small_model, "--out", tmp_path / "o", "--seed", 7)
    for frame, name in ((frames[0], "a.png"), (frames[-1], "b.png")):
        assert difference(frame, pixels(tmp_path / "o" / name)) < 6
    assert len(frames) == 5


def test_repainted_pictures_are_shown_as_they_are(
    smis: Smis, tmp_path: Path, small_data: Path, small_model: Path, layouts: list[Path]
) -> None:
    """In their own style, and on the way only what was repainted changes."""
    model = ["--model", small_model]
    smis("render", layouts[0], *model, "--out", tmp_path / "o", "--seed", 3, "--refine", 2)
    smis("repaint", tmp_path / "o" / "a.png", layouts[1], "--out", tmp_path / "o", "--refine", 2)
    first, second = tmp_path / "o" / "a.png", tmp_path / "o" / "b.png"
    project = read_picture_project(second)
    assert project is not None
    write_project(tmp_path / "b.smis", project)
    ended = smis("morph", first, tmp_path / "b.smis", *model, "--out", tmp_path / "film.webp", *FILM)
    assert (ended.code, ended.out) == (0, f"{tmp_path / 'film.webp'}\n")
    with Image.open(tmp_path / "film.webp") as image:
        frames = []
        for number in range(image.n_frames):
            image.seek(number)
            frames.append(np.array(image.convert("RGB")))
    assert len(frames) == 5
    assert difference(frames[0], pixels(first)) < 6
    assert difference(frames[-1], pixels(second)) < 6
    assert project.style.composition is not None
    inside = np.repeat(np.repeat(project.style.composition.patches[-1].mask, 2, 0), 2, 1) > 0
    for frame in frames[1:]:
        frame[inside] = frames[0][inside]
        assert difference(frame, frames[0]) < 2, "the rest stays"
    smis("morph", first, second, *model, "--out", tmp_path / "film.mp4", *FILM, "--seed", 9, "--same-style")
    assert difference(frames_of(tmp_path / "film.mp4")[0], pixels(first)) > 6, "asked for, another style is taken"


def test_a_picture_of_another_generator_is_rendered_anew(
    smis: Smis, tmp_path: Path, small_data: Path, small_model: Path, layouts: list[Path]
) -> None:
    smis("render", layouts[0], "--model", small_model, "--out", tmp_path / "o", "--seed", 3)
    project = read_picture_project(tmp_path / "o" / "a.png")
    assert project is not None
    style = replace(project.style, style=Style(Look(9)), generator="cats", generator_sha256="0" * 64)
    write_photograph(tmp_path / "cat.png", np.zeros((8, 8, 3), np.uint8), replace(project, style=style))
    words = ["--model", small_model, "--out", tmp_path / "film.mp4", *FILM, "--json"]
    facts = smis("morph", tmp_path / "cat.png", layouts[1], *words).facts
    (note,) = facts["notes"]
    assert "cat.png was made by another generator (cats)" in note
    anew = frames_of(tmp_path / "film.mp4")
    smis("morph", *layouts, *words)
    np.testing.assert_array_equal(anew[0], frames_of(tmp_path / "film.mp4")[0])


def test_a_film_of_faces_goes_there_and_back(smis: Smis, tmp_path: Path) -> None:
    """With the model for faces."""
    smis("render", example_layout_path(), "--out", tmp_path / "o", "--size", 256)
    picture = (tmp_path / "o" / f"{example_layout_path().stem}.png").rename(tmp_path / "portrait.png")
    words = ["--out", tmp_path / "film.mp4", "--size", 256, "--seconds", 0.2]
    facts = smis("morph", picture, example_layout_path(), *words, "--json").facts
    frames = frames_of(tmp_path / "film.mp4")
    assert len(frames) == facts["frames"] == 10
    assert difference(frames[0], pixels(picture)) < 6
    assert difference(frames[5], pixels(picture)) > 6, "the layout alone has another style"


def test_one_layout_makes_no_film(smis: Smis, tmp_path: Path, small_data: Path, small_model: Path) -> None:
    ended = smis("morph", write_layout(tmp_path / "a.png"), "--model", small_model, "--out", tmp_path / "film.mp4")
    assert (ended.code, ended.out) == (2, "")
    assert "two layouts" in ended.err
    assert not (tmp_path / "film.mp4").exists()

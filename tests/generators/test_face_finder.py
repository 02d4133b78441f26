"""Faces found in photos: the shipped generated ones, whose frame is the whole picture, laid anywhere on landscapes."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from smis_desktop.formats.image_file import read_picture
from smis_desktop.generators.face_finder import FoundFace, find_face, read_face_filter
from smis_desktop.resources import resources_folder

FACES = sorted((resources_folder() / "faces-shots" / "images").glob("*.jpg"))
GROUNDS = sorted((resources_folder() / "landscapes-shots" / "images").glob("*.png"))
EYES_AND_MOUTH = np.array([(0.385, 0.48), (0.615, 0.48), (0.5, 0.735)])


def laid_on(ground: Path, face: Path, at: FoundFace, height: int = 320, width: int = 320) -> np.ndarray:
    picture = read_picture(face)
    scale, turn = at.side / len(picture), math.radians(at.angle)
    matrix = np.array([[math.cos(turn), -math.sin(turn), 0], [math.sin(turn), math.cos(turn), 0]]) * scale
    matrix[:, 2] = np.array([at.x, at.y]) - matrix[:, :2] @ np.full(2, len(picture) / 2)
    blurred = cv2.GaussianBlur(picture, (0, 0), 0.5 / scale)
    over = cv2.warpAffine(blurred, matrix, (width, height))
    cover = cv2.warpAffine(np.full(picture.shape[:2], 255, np.uint8), matrix, (width, height))
    under = cv2.resize(read_picture(ground), (width, height), interpolation=cv2.INTER_CUBIC)
    shown: np.ndarray = np.where(cover[..., None] > 127, over, under)
    return shown


def marks(frame: FoundFace) -> np.ndarray:
    turn = math.radians(frame.angle)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    found: np.ndarray = (EYES_AND_MOUTH - 0.5) @ rotation.T * frame.side + np.array([frame.x, frame.y])
    return found


def error(found: FoundFace, true: FoundFace) -> float:
    """Of the three marks on the average, as a part of the distance between the eyes."""
    return float(np.linalg.norm(marks(found) - marks(true), axis=1).mean() / (0.23 * true.side))


def test_faces_are_found_where_they_are() -> None:
    draws, weights = np.random.default_rng(4), read_face_filter()
    errors = []
    for number, face in enumerate(FACES):
        true = FoundFace(*draws.uniform(140, 180, 2), draws.uniform(130, 280), draws.uniform(-14, 14), 0)
        found = find_face(laid_on(GROUNDS[number % len(GROUNDS)], face, true), weights)
        if found is not None:
            errors.append(error(found, true))
    assert len(errors) >= len(FACES) - 2
    assert np.median(errors) < 0.08
    assert max(errors) < 0.3


@pytest.mark.parametrize("ground", GROUNDS, ids=lambda path: path.stem)
def test_where_there_is_none_it_is_silent(ground: Path) -> None:
    assert find_face(read_picture(ground), read_face_filter()) is None


def test_a_large_photo_and_a_small_one_say_the_same() -> None:
    true = FoundFace(600, 640, 700, 0, 0)
    large = laid_on(GROUNDS[0], FACES[0], true, 1200, 1300)
    found = find_face(large, read_face_filter())
    assert found is not None
    assert error(found, true) < 0.15


@pytest.mark.parametrize("shape", [(16, 16, 3), (16, 3000, 3), (900, 20, 3)])
def test_odd_shapes_are_looked_at_too(shape: tuple[int, int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert find_face(noise, read_face_filter()) is None
    assert find_face(np.full(shape, 90, np.uint8), read_face_filter()) is None

"""Makes models/face-finder.npy, the filter of `generators/face_finder.py`, and prints how well it finds faces.

Faces are pictures of the face generator, whose frame is known; no faces are the same pictures elsewhere, larger,
smaller, turned and upside down, and rendered landscapes. The first filter's false positives train the second.
"""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from smis_desktop.generators.face_finder import FACE_FILTER, FoundFace, find_face, gradient_histograms, window_of
from smis_desktop.landscapes.rendering import render
from smis_desktop.storage.atomic import write_bytes

FACES, HELD_OUT, LANDSCAPES = 100, 30, 60
SIDE = 128
MARKS = np.array([(0.385, 0.48), (0.615, 0.48), (0.5, 0.735)])
"""Eyes and mouth in the generator's frame, as in `ui/workspace/framing.py`."""
_SHRINKAGE = 0.2
_ANYTHING = -math.inf
_MOST_MISTAKEN = 2
"""Held-out pictures without a face, per cent, whose scores are passed over as outliers."""
_MARGIN = 1.05
"""By which a face has to be surer than the others."""


def main() -> None:
    draws = np.random.default_rng(0)
    faces = list(_faces(FACES + HELD_OUT))
    grounds = [_landscape(draws) for _ in range(LANDSCAPES)]
    training, held_out = faces[:FACES], faces[FACES:]
    is_face = np.stack([f for picture in training for f in _face_features(picture, draws)])
    is_none = [f for picture in training for f in _elsewhere(picture, draws)]
    is_none += [f for picture in grounds[: LANDSCAPES // 2] for f in _anywhere(picture, draws, 60)]
    weights = _discriminant(is_face, np.stack(is_none))
    mistaken = [*grounds[: LANDSCAPES // 2], *(picture[::-1] for picture in training)]
    for picture in mistaken:
        found = find_face(picture, weights, _ANYTHING)
        if found is not None:
            is_none += [_features(picture, found)] * 6
    weights = _discriminant(is_face, np.stack(is_none))

    none = [*grounds[LANDSCAPES // 2 :], *(picture[::-1] for picture in held_out)]
    scores = [found.score for picture in none if (found := find_face(picture, weights, _ANYTHING)) is not None]
    least = _MARGIN * float(np.percentile(scores, 100 - _MOST_MISTAKEN))
    weights = (weights / least).astype(np.float16)
    write_bytes(FACE_FILTER, _npy(weights))
    _report(held_out, grounds[LANDSCAPES // 2 :], weights.astype(np.float32), draws)


def _faces(count: int) -> Iterator[np.ndarray]:
    import torch

    from smis_desktop.generators.generator import latents_of_seed, to_rgb8
    from smis_desktop.generators.store import open_generator

    generator = open_generator("faces")
    with torch.inference_mode():
        for seed in range(count):
            yield to_rgb8(generator.draft(latents_of_seed(generator, seed, 0.9)[None], SIDE)[0])


def _landscape(draws: np.random.Generator) -> np.ndarray:
    picture: np.ndarray = (255 * render(draws.standard_normal((1, 512)), SIDE)[0]).astype(np.uint8)
    return picture


def _grey(picture: np.ndarray) -> np.ndarray:
    grey: np.ndarray = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
    return grey


def _features(picture: np.ndarray, at: FoundFace) -> np.ndarray:
    return gradient_histograms(window_of(_grey(picture), at.x, at.y, at.side, at.angle)).ravel()


def _face_features(picture: np.ndarray, draws: np.random.Generator) -> Iterator[np.ndarray]:
    """Return the features of a face where it is, within the tolerance of a grid of places, sizes and turns; and of its
    mirror image."""
    for mirrored in (picture, picture[:, ::-1]):
        for _ in range(2):
            x, y = SIDE / 2 + draws.normal(0, 0.008 * SIDE, 2)
            yield _features(mirrored, FoundFace(x, y, SIDE * math.exp(draws.normal(0, 0.03)), draws.normal(0, 2), 0))


def _elsewhere(picture: np.ndarray, draws: np.random.Generator) -> Iterator[np.ndarray]:
    """Return features from parts of a picture of a face that hold no face, or not all of it."""
    for _ in range(32):
        x, y = draws.uniform(0, SIDE, 2)
        side, angle = SIDE * math.exp(draws.uniform(-1.6, 0.4)), draws.uniform(-20, 20)
        if draws.random() < 0.3:
            angle = draws.uniform(40, 320)
        elif max(abs(x / SIDE - 0.5), abs(y / SIDE - 0.5)) < 0.12 and abs(math.log(side / SIDE)) < 0.3:
            x += 0.2 * SIDE
        yield _features(picture, FoundFace(x, y, side, angle, 0))


def _anywhere(picture: np.ndarray, draws: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    for _ in range(count):
        x, y = draws.uniform(0, SIDE, 2)
        yield _features(picture, FoundFace(x, y, SIDE * math.exp(draws.uniform(-1.6, 0.3)), draws.uniform(-20, 20), 0))


def _discriminant(is_face: np.ndarray, is_none: np.ndarray) -> np.ndarray:
    """Return Fisher's linear discriminant, float32 [16, 16, 8]: the inverse covariance of the negatives times the
    difference of the means. The threshold replaces the bias."""
    mean = is_none.mean(0)
    covariance = np.cov(is_none.T)
    covariance += _SHRINKAGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    weights = np.linalg.solve(covariance, is_face.mean(0) - mean)
    return (weights / (is_face @ weights).mean()).reshape(16, 16, 8).astype(np.float32)


def _npy(weights: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, weights, allow_pickle=False)
    return buffer.getvalue()


def _report(
    faces: list[np.ndarray], grounds: list[np.ndarray], weights: np.ndarray, draws: np.random.Generator
) -> None:
    """Print how many held-out faces, at random places, sizes and turns in landscapes, are found, and how far off the
    marks are relative to the distance between the eyes."""
    errors = []
    for number, picture in enumerate(faces):
        true = FoundFace(*draws.uniform(140, 180, 2), draws.uniform(120, 300), draws.uniform(-15, 15), 0)
        found = find_face(_placed(picture, grounds[number % len(grounds)], true), weights)
        if found is not None:
            distance = np.linalg.norm(_marks(found) - _marks(true), axis=1).mean()
            errors.append(distance / ((MARKS[1, 0] - MARKS[0, 0]) * true.side))
    mistaken = sum(find_face(cv2.resize(ground, (320, 320)), weights) is not None for ground in grounds)
    print(f"found {len(errors)} of {len(faces)}; taken for one where there is none: {mistaken} of {len(grounds)}")
    ninth = np.percentile(errors, 90)
    print(
        f"marks off by {np.median(errors):.3f} (median), {ninth:.3f} (nine of ten are better), {max(errors):.3f} (most)"
    )


def _placed(picture: np.ndarray, ground: np.ndarray, at: FoundFace) -> np.ndarray:
    scale, turn = at.side / SIDE, math.radians(at.angle)
    matrix = np.array([[math.cos(turn), -math.sin(turn), 0], [math.sin(turn), math.cos(turn), 0]]) * scale
    matrix[:, 2] = np.array([at.x, at.y]) - matrix[:, :2] @ [SIDE / 2, SIDE / 2]
    size = (320, 320)
    over = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_CUBIC)
    cover = cv2.warpAffine(np.full((SIDE, SIDE), 255, np.uint8), matrix, size)
    shown: np.ndarray = np.where(cover[..., None] > 127, over, cv2.resize(ground, size, interpolation=cv2.INTER_CUBIC))
    return shown


def _marks(frame: FoundFace) -> np.ndarray:
    turn = math.radians(frame.angle)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    marks: np.ndarray = (MARKS - 0.5) @ rotation.T * frame.side + np.array([frame.x, frame.y])
    return marks


if __name__ == "__main__":
    main()

"""Finds the face in a photo: a linear filter on gradient directions, slid over positions, sizes and angles."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from smis_desktop.resources import models_folder

FACE_FILTER = models_folder() / "face-finder.npy"
BINS = 8
CELL = 4
CELLS = 16
WINDOW = CELL * CELLS
LEFT, TOP, PART = 0.2, 0.28, 0.6
"""The part of the generator's frame that the filter covers: from brows to chin, without hair and background."""
_FRAME = WINDOW / PART
_TURNS = (-16.0, -8.0, 0.0, 8.0, 16.0)
_STEP = 2**0.25
"""The factor between two sizes of the pyramid."""
_SMALLEST, _LARGEST = 0.16, 1.5
"""The sides of frames, as fractions of the photo's shorter side."""
_WORKING_SIDE = 240
"""The side to which a photo's shorter side is reduced."""
_MOST_ENLARGED = 3.0
_MOST_PIXELS = 4_000_000
"""The limit for one size of the pyramid: in a panorama only large faces are searched for."""
_FLAT = 0.25
"""Added to the strength of the edges around, in grey values: flat areas have no direction."""
FACE_FROM = 1.0
"""Filters are scaled so that faces score more."""


def read_face_filter() -> np.ndarray:
    """Read the filter that ships with the program, float32 [16, 16, 8]; made by scripts/fit_face_finder.py."""
    weights: np.ndarray = np.load(FACE_FILTER, allow_pickle=False).astype(np.float32)
    return weights


@dataclass(frozen=True)
class FoundFace:
    """The generator's frame around a face: centre and side in pixels of the photo, degrees clockwise, and a score."""

    x: float
    y: float
    side: float
    angle: float
    score: float


def find_face(photo: np.ndarray, weights: np.ndarray, least: float = FACE_FROM) -> FoundFace | None:
    """Find the likeliest face in a photo, uint8 [H, W, 3]; None where nothing scores more than `least`.

    weights: the filter, float32 [16, 16, 8].
    """
    shrink = max(1.0, min(photo.shape[:2]) / _WORKING_SIDE)
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    if shrink > 1:
        grey = cv2.resize(grey, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
    candidates = [found for turn in _TURNS for found in _candidates(grey, weights, turn)]
    if not candidates:
        return None
    best = _settled(grey, weights, max(candidates, key=lambda found: found.score))
    if best.score <= least:
        return None
    return FoundFace(best.x * shrink, best.y * shrink, best.side * shrink, best.angle, best.score)


def gradient_histograms(grey: np.ndarray) -> np.ndarray:
    """Measure the strength of the edges in each direction in each cell of 4² pixels, relative to all edges around it.

    grey: uint8 or float32 [H, W]. Returns float32 [H // 4, W // 4, 8].
    """
    grey = grey.astype(np.float32)
    dx = cv2.Sobel(grey, cv2.CV_32F, 1, 0, ksize=1)
    dy = cv2.Sobel(grey, cv2.CV_32F, 0, 1, ksize=1)
    strength, angle = cv2.cartToPolar(dx, dy)
    place = (angle % np.pi) * (BINS / np.pi)
    rows, columns = grey.shape[0] // CELL, grey.shape[1] // CELL
    histograms = np.empty((rows, columns, BINS), np.float32)
    for direction in range(BINS):
        near = np.abs(place - direction)
        near = np.maximum(0, 1 - np.minimum(near, BINS - near)) * strength
        histograms[..., direction] = cv2.resize(
            near[: rows * CELL, : columns * CELL], (columns, rows), interpolation=cv2.INTER_AREA
        )
    squares = cv2.blur((histograms**2).sum(2), (5, 5))
    energy = np.sqrt(np.maximum(squares, 0)) + _FLAT  # running sums may end a little below 0
    normed: np.ndarray = np.sqrt(histograms / energy[..., None])
    return normed


def window_of(grey: np.ndarray, x: float, y: float, side: float, angle: float) -> np.ndarray:
    """Cut out the part of a picture [H, W] that the filter covers for a frame: float32 [64, 64]."""
    scale = _FRAME / side
    turn = math.radians(angle)
    cosine, sine = math.cos(turn) * scale, math.sin(turn) * scale
    middle_x, middle_y = (0.5 - LEFT) * _FRAME, (0.5 - TOP) * _FRAME
    matrix = np.array(
        [[cosine, sine, middle_x - cosine * x - sine * y], [-sine, cosine, middle_y + sine * x - cosine * y]]
    )
    if scale < 0.7:  # the sampling of a warp would skip pixels
        grey = cv2.GaussianBlur(grey, (0, 0), 0.4 / scale)
    cut: np.ndarray = cv2.warpAffine(
        grey.astype(np.float32), matrix, (WINDOW, WINDOW), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return cut


def _candidates(grey: np.ndarray, weights: np.ndarray, turn: float) -> Iterator[FoundFace]:
    """Yield the best position for each size, with the photo turned by that many degrees."""
    height, width = grey.shape
    shorter = min(height, width)
    side = max(_SMALLEST * shorter, _FRAME / _MOST_ENLARGED)
    while side < _LARGEST * shorter:
        scale = _FRAME / side
        # Room around: of a face at the border the frame reaches outside.
        border = WINDOW // 4
        out_width, out_height = math.ceil(width * scale) + 2 * border, math.ceil(height * scale) + 2 * border
        if min(out_width, out_height) >= WINDOW and out_width * out_height <= _MOST_PIXELS:
            sampling = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=sampling)
            centre = (small.shape[1] / 2, small.shape[0] / 2)
            matrix = cv2.getRotationMatrix2D(centre, turn, 1.0)
            matrix[:, 2] += border
            turned = cv2.warpAffine(small, matrix, (out_width, out_height), borderMode=cv2.BORDER_REPLICATE)
            histograms = gradient_histograms(turned)
            scores = np.zeros((histograms.shape[0] - CELLS + 1, histograms.shape[1] - CELLS + 1), np.float32)
            for plane, filter_plane in zip(cv2.split(histograms), cv2.split(weights), strict=True):
                scores += cv2.matchTemplate(plane, filter_plane, cv2.TM_CCORR)
            _, score, _, (column, row) = cv2.minMaxLoc(scores)
            corner = np.array([column * CELL, row * CELL], float)
            middle = corner + (np.array([0.5 - LEFT, 0.5 - TOP]) * _FRAME)
            back = cv2.invertAffineTransform(matrix)
            x, y = back @ np.array([*middle, 1.0]) / scale
            yield FoundFace(float(x), float(y), side, turn, float(score))
        side *= _STEP


def _settled(grey: np.ndarray, weights: np.ndarray, found: FoundFace) -> FoundFace:
    """Move, resize and turn the frame in ever smaller steps while that raises the score."""
    place = np.array([found.x, found.y, math.log(found.side), found.angle])
    steps = np.array([0.05 * found.side, 0.05 * found.side, 0.12, 5.0])

    def score(at: np.ndarray) -> float:
        window = window_of(grey, at[0], at[1], math.exp(at[2]), at[3])
        return float((gradient_histograms(window) * weights).sum())

    best = score(place)
    for _ in range(5):
        for axis in range(4):
            for direction in (-1.0, 1.0):
                while (higher := score(place + _along(axis, direction * steps[axis]))) > best:
                    best = higher
                    place = place + _along(axis, direction * steps[axis])
        steps /= 2
    return FoundFace(float(place[0]), float(place[1]), math.exp(place[2]), float(place[3]), best)


def _along(axis: int, length: float) -> np.ndarray:
    step = np.zeros(4)
    step[axis] = length
    return step

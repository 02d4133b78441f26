"""What a face mesh and a person mask say about where parts of a face are, for scripts/fit_face_parts.py."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

SIDE = 128
"""Cells a side of all evidence."""
_DRAWN_SIDE = 512
_SUBPIXEL_BITS = 4
LEFT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
LEFT_BROW = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
RIGHT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
MOUTH = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
INNER_MOUTH = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
UPPER_LIP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191, 78)
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150,
    136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""Landmarks of mediapipe's face mesh along each outline. Left and right are the person's own."""
_CONTOURS = (LEFT_EYE, RIGHT_EYE, LEFT_BROW, RIGHT_BROW, MOUTH, INNER_MOUTH, UPPER_LIP, OVAL)
_BROW_GROWTH = 3
"""Pixels of 512, about. People label brows a little thicker than the mesh's outline."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """Of one picture, float32 [128, 128] each.

    left_eye … upper_lip: the share of each cell inside that outline. person: how surely the cell shows a person. depth:
    distance to the face's oval, positive inside. across, down: place in the face's own frame, from between the eyes; to
    the person's left, and down. The last three are in distances between eyes and mouth.
    """

    left_eye: np.ndarray
    right_eye: np.ndarray
    left_brow: np.ndarray
    right_brow: np.ndarray
    mouth: np.ndarray
    inner_mouth: np.ndarray
    upper_lip: np.ndarray
    person: np.ndarray
    depth: np.ndarray
    across: np.ndarray
    down: np.ndarray

    def cues(self) -> np.ndarray:
        """Return what a linear probe may read beside features, float32 [128², 15]: place in the face's frame, distance
        to the oval, the log odds of a person, and soft steps at the heights and widths where parts begin."""
        across, down, depth = np.abs(self.across).clip(0, 4), self.down.clip(-4, 5), self.depth.clip(-2, 1)
        person = self.person.clip(0.02, 0.98)
        ear = np.exp(-((across - 1.25) ** 2 + (down - 0.35) ** 2) / 0.1)
        cues = [
            down, down**2, across, across**2, down * across, depth, np.tanh(4 * depth), np.tanh(12 * depth),
            np.log(person / (1 - person)), *(np.tanh(3 * (down - at)) for at in (1.0, 1.6, 2.2)),
            *(np.tanh(5 * (across - at)) for at in (0.9, 1.3)), ear,
        ]  # fmt: skip
        return (np.stack(cues, -1).reshape(SIDE * SIDE, -1) / 1.5).astype(np.float32)


def read_evidence(path: Path) -> dict[str, Evidence]:
    """Read what scripts/outline_faces.py found: the evidence of each picture, by its name."""
    with np.load(path) as found:
        names, points, person = found["names"], found["points"], found["person"]
    return {
        str(name): _evidence(own.astype(np.float64) / 65535, mask)
        for name, own, mask in zip(names, points, person, strict=True)
    }


def shrunk(path: Path, out: Path) -> None:
    """Write the file again with nothing but the landmarks that are read here."""
    used = sorted({index for contour in _CONTOURS for index in contour})
    with np.load(path) as found:
        points = np.zeros_like(found["points"])
        points[:, used] = found["points"][:, used]
        np.savez_compressed(out, names=found["names"], points=points, person=found["person"])


def _evidence(points: np.ndarray, person: np.ndarray) -> Evidence:
    """Args: points: float64 [478, 2] in [0, 1]. person: uint8 [64, 64]."""
    mouth, inner, upper = (_inside(points, contour) for contour in (MOUTH, INNER_MOUTH, UPPER_LIP))
    oval = _inside(points, OVAL)
    inside, outside = (cv2.distanceTransform(mask, cv2.DIST_L2, 3) for mask in (oval, 1 - oval))
    left, right, lips = (points[list(contour)].mean(0) * SIDE for contour in (LEFT_EYE, RIGHT_EYE, MOUTH))
    between = (left + right) / 2
    scale = float(np.linalg.norm(lips - between)) + 1e-6
    down = (lips - between) / scale
    across = np.array([-down[1], down[0]])
    across *= np.sign((left - right) @ across)
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    offsets = np.stack((columns - between[0], rows - between[1]), -1)
    step = _DRAWN_SIDE // SIDE
    depth = (inside - outside)[step // 2 :: step, step // 2 :: step] / step / scale
    return Evidence(
        left_eye=_share(_inside(points, LEFT_EYE)),
        right_eye=_share(_inside(points, RIGHT_EYE)),
        left_brow=_share(_grown(_inside(points, LEFT_BROW))),
        right_brow=_share(_grown(_inside(points, RIGHT_BROW))),
        mouth=_share(mouth | inner | (upper & ~inner)),
        inner_mouth=_share(inner),
        upper_lip=_share(upper & (1 - inner)),
        person=cv2.resize(person.astype(np.float32) / 255, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR),
        depth=depth.astype(np.float32),
        across=(offsets @ across / scale).astype(np.float32),
        down=(offsets @ down / scale).astype(np.float32),
    )


def _inside(points: np.ndarray, contour: tuple[int, ...]) -> np.ndarray:
    """Return uint8 [512, 512], 1 inside the contour."""
    corners = np.round(points[list(contour)] * _DRAWN_SIDE * 2**_SUBPIXEL_BITS).astype(np.int32)
    mask = np.zeros((_DRAWN_SIDE, _DRAWN_SIDE), np.uint8)
    cv2.fillPoly(mask, [corners], 1, shift=_SUBPIXEL_BITS)
    return mask


def _grown(mask: np.ndarray) -> np.ndarray:
    size = (_BROW_GROWTH, _BROW_GROWTH)
    return cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, size))


def _share(mask: np.ndarray) -> np.ndarray:
    return cv2.resize(mask.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)

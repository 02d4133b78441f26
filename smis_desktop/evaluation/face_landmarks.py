"""A second judge of faces, of another kind: landmarks of eyes, brows and lips, by networks taught with photographs.

MediaPipe's face mesh (Kartynnik et al. 2019, arXiv 1907.06724) and its refinement of eyes and brows (Ablavatski et al.
2020, arXiv 2006.11341), two small files of its wheel, run by OpenVINO; nothing else of MediaPipe is used. They know
nothing of a generator or its classes. What they call a brow or an eye is not exactly what a painter does: compare their
figures with those of photographs and their labels, which are the most that can be expected.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from smis_desktop.errors import UserError
from smis_desktop.storage.atomic import write_bytes
from smis_desktop.storage.data_folder import network_file
from smis_desktop.storage.wheel_download import PinnedWheel, Progress, read_wheel_members

WHEEL = PinnedWheel(
    project="mediapipe",
    version="0.10.14",
    sha256="a807328339e7356fda0bb14df12fedbf1d33bdf81649c5f8666b0026b1cc30b4",
    size=35_664_771,
    what="the networks that find landmarks of faces (36 MB)",
    remedy="leave the judge `landmarks` out meanwhile",
    tags=(
        "--platform", "manylinux2014_x86_64", "--python-version", "3.11", "--implementation", "cp", "--abi", "cp311",
    ),
)  # fmt: skip
_MESH, _EYE = "face_landmark", "iris_landmark"
_DIGESTS = {
    _MESH: "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
    _EYE: "d1744d2a09c25f501d39eba4faff47e53ecca8852c5ce19bce8eeac39357521f",
}

PARTS = ("eyes", "brows", "mouth")
_SIDE = 512
"""Side of the masks that are compared."""
_MESH_SIDE, _EYE_SIDE = 192, 64
_MESH_MARGIN, _EYE_MARGIN = 1.5, 2.3
"""Side of a crop over the longer side of what it is around, as in MediaPipe's own graphs."""
_FIRST_CROP = (0.5, 0.56, 0.9, 0.0)
"""Where an aligned picture has its face: centre, side, angle."""
_PASSES = 3
_LEAST_SCORE = 0.0
"""Logit of the mesh that there is a face."""
_EYE_CORNERS = {"right": (33, 133), "left": (362, 263)}
"""Landmarks of the person's right and left eye, from left to right in the picture."""
_TURN = (33, 263)
"""Landmarks that are level in an upright face."""
_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
_EYE_OUTLINE = (*range(9), *range(15, 8, -1))
_BROW_OUTLINE = (50, 51, 52, 53, 69, 68, 67, 66, 65, 64)
"""Of the 71 points that refine an eye and its brow: 46, 53, 52, 65, 55, 107, 66, 105, 63, 70 of the mesh."""


@dataclass(frozen=True, eq=False)
class FaceOutlines:
    """Closed outlines in fractions of the picture's side, float64 [K, 2] (x, y): two eyes, two brows, one mouth."""

    eyes: tuple[np.ndarray, ...]
    brows: tuple[np.ndarray, ...]
    mouth: tuple[np.ndarray, ...]

    def mask(self, part: str) -> np.ndarray:
        """Return where a part is, bool [_SIDE, _SIDE]."""
        canvas = np.zeros((_SIDE, _SIDE), np.uint8)
        outlines = [(outline * _SIDE - 0.5).round().astype(np.int32) for outline in getattr(self, part)]
        for outline in outlines:
            cv2.fillPoly(canvas, [outline], 1)
        filled: np.ndarray = canvas > 0
        return filled


class FaceLandmarks:
    """Finds the outlines of a face's parts in pictures that are framed like the generator's."""

    def __init__(self, mesh: Path, eye: Path) -> None:
        """Args: the two networks' files. Raises UserError when OpenVINO is not installed."""
        try:
            from smis_desktop.inference.openvino_runtime import openvino
        except ImportError as error:
            raise UserError(
                "Landmarks need the package openvino, which is not installed; choose another judge."
            ) from error
        core = openvino.Core()
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        self._mesh = core.compile_model(core.read_model(mesh), "CPU", settings)
        self._eye = core.compile_model(core.read_model(eye), "CPU", settings)

    def find(self, picture: np.ndarray) -> FaceOutlines | None:
        """Return the outlines in a picture, uint8 [S, S, 3]; None where no face is seen."""
        x, y, side_of_crop, angle = _FIRST_CROP
        crop = np.array([x * len(picture), y * len(picture), side_of_crop * len(picture), angle])
        points = np.empty((0, 2))
        for _ in range(_PASSES):
            mesh, score = self._run(self._mesh, picture, crop, _MESH_SIDE)
            if score < _LEAST_SCORE:
                return None
            points = mesh
            crop = _crop_around(points, points[_TURN[0]], points[_TURN[1]], _MESH_MARGIN)
        eyes, brows = [], []
        for side, corners in _EYE_CORNERS.items():
            first, last = points[corners[0]], points[corners[1]]
            found = self._eye_points(picture, _crop_around(np.stack((first, last)), first, last, _EYE_MARGIN), side)
            eyes.append(found[list(_EYE_OUTLINE)] / len(picture))
            brows.append(found[list(_BROW_OUTLINE)] / len(picture))
        lips = points[list(_LIPS)] / len(picture)
        return FaceOutlines(tuple(eyes), tuple(brows), (lips,))

    def _eye_points(self, picture: np.ndarray, crop: np.ndarray, side: str) -> np.ndarray:
        """Return the 71 points of an eye and its brow, in pixels. The network knows eyes of one side only."""
        points, _ = self._run(self._eye, picture, crop, _EYE_SIDE, is_mirrored=side == "left")
        return points

    @staticmethod
    def _run(
        network: Any, picture: np.ndarray, crop: np.ndarray, side: int, is_mirrored: bool = False
    ) -> tuple[np.ndarray, float]:
        """Run a network on a crop (centre x, y, side in pixels, angle). Returns its points [K, 2] in pixels of the
        picture, and its second output."""
        x, y, width, angle = crop
        scale = width / side
        cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
        flip = -1.0 if is_mirrored else 1.0
        matrix = np.array([[flip * cosine, -sine, 0], [flip * sine, cosine, 0]])  # pixel of the crop → of the picture
        matrix[:, 2] = np.array([x, y]) - matrix[:, :2] @ np.full(2, side / 2)
        cut = cv2.warpAffine(
            picture,
            matrix,
            (side, side),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        outputs = [np.asarray(value) for value in network(cut[None].astype(np.float32) / 255).values()]
        own = outputs[0].reshape(-1, 3)[:, :2]
        return own @ matrix[:, :2].T + matrix[:, 2], float(outputs[1].flat[0])


def _crop_around(points: np.ndarray, first: np.ndarray, last: np.ndarray, margin: float) -> np.ndarray:
    """Return the square crop around points, turned so that the line from `first` to `last` is level."""
    angle = np.arctan2(*(last - first)[::-1])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned = points @ turn.T
    low, high = turned.min(0), turned.max(0)
    x, y = turn.T @ ((low + high) / 2)
    return np.array([x, y, margin * (high - low).max(), angle])


def compare_parts(outlines: FaceOutlines | None, layout: np.ndarray) -> dict[str, dict[str, float] | None]:
    """Compare outlines with a layout in the ten classes, uint8 [S, S].

    Returns:
        For each of `PARTS` that the layout has, `iou`, `offset` (of the centres, left and right apart, in fractions of
        the picture's side) and `area` (found / asked). Where no face is seen, `iou` is 0 and the others are NaN.
    """
    from smis_desktop.evaluation.face_classes import FACE_CLASSES

    found: dict[str, dict[str, float] | None] = {}
    resized = cv2.resize(layout, (_SIDE, _SIDE), interpolation=cv2.INTER_NEAREST)
    for part in PARTS:
        asked = resized == FACE_CLASSES.index(part)
        if not asked.any():
            found[part] = None
            continue
        if outlines is None:
            found[part] = {"iou": 0.0, "offset": float("nan"), "area": float("nan")}
            continue
        seen = outlines.mask(part)
        found[part] = {
            "iou": float((asked & seen).sum() / (asked | seen).sum()),
            "offset": _offset(asked, seen, len(getattr(outlines, part)) > 1),
            "area": float(seen.sum() / asked.sum()),
        }
    return found


def _offset(asked: np.ndarray, seen: np.ndarray, is_pair: bool) -> float:
    """Return the mean distance between the centres of two masks; of a pair, left and right of the middle of `seen`."""
    columns = np.nonzero(seen.any(0))[0]
    if len(columns) == 0:
        return float("nan")
    middle = int(columns.min() + columns.max() + 1) // 2 if is_pair else _SIDE
    distances = []
    for half in (slice(None, middle), slice(middle, None)):
        if asked[:, half].any() and seen[:, half].any():
            centres = [np.mean(np.nonzero(mask[:, half]), 1) for mask in (asked, seen)]
            distances.append(float(np.linalg.norm(centres[0] - centres[1])) / _SIDE)
    return float(np.mean(distances)) if distances else float("nan")


def open_face_landmarks(progress: Progress, wheel_file: Path | None = None) -> FaceLandmarks:
    """Open the networks; they are fetched on first need. Raises UserError as `read_wheel_members` does."""
    paths = {name: network_file("networks", f"{name.replace('_', '-')}.tflite") for name in _DIGESTS}
    if not all(path.is_file() for path in paths.values()):
        members = [f"mediapipe/modules/{name}/{name}.tflite" for name in paths]
        folder = next(iter(paths.values())).parent
        contents = read_wheel_members(WHEEL, members, folder, progress, wheel_file)
        for path, content in zip(paths.values(), contents, strict=True):
            write_bytes(path, content)
    for name, path in paths.items():
        if hashlib.sha256(path.read_bytes()).hexdigest() != _DIGESTS[name]:
            raise UserError(f"{path} is damaged; delete it: it is fetched again when needed.")
    return FaceLandmarks(paths[_MESH], paths[_EYE])

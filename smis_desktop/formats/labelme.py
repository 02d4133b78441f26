"""labelme's JSON: polygons, rectangles, circles, lines and points with names."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from smis_desktop.document.palette import Palette
from smis_desktop.errors import UserError
from smis_desktop.formats.import_proposal import ImportProposal, class_named, propose
from smis_desktop.formats.registry import Format, FoundFile

if TYPE_CHECKING:
    from smis_desktop.document.shapes import Shape

_MAX_FILE = 256 << 20
_MAX_SIDE = 2048
_MAX_SHAPES = 100_000
_LINE_WIDTH = 3.0
_POINT_WIDTH = 7.0


class _Shape(msgspec.Struct):
    label: str
    points: list[tuple[float, float]]
    shape_type: str = "polygon"


class _File(msgspec.Struct):
    shapes: list[_Shape]
    image_height: int = msgspec.field(name="imageHeight")
    image_width: int = msgspec.field(name="imageWidth")


def propose_labelme(path: Path, palette: Palette) -> ImportProposal:
    """Propose a layout from the shapes of a labelme file: later ones cover earlier ones, names give the classes.

    The picture that the file names or contains is not read. Raises UserError for anything that is no such file.
    """
    try:
        if path.stat().st_size > _MAX_FILE:
            raise UserError(f"{path} is larger than a labelme file can sensibly be; export it without its picture.")
        file = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); choose another file.") from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no labelme file ({error}); choose another file.") from error
    width, height = file.image_width, file.image_height
    if not 1 <= min(width, height) <= max(width, height) <= 1 << 16 or len(file.shapes) > _MAX_SHAPES:
        raise UserError(f"{path} labels a picture of {width} × {height} pixels, which cannot be; check the file.")
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    size = min(max(side, 64), _MAX_SIDE)
    names = list(dict.fromkeys(shape.label for shape in file.shapes))
    if len(names) > 254:
        raise UserError(f"{path} names {len(names)} classes; a layout holds 255 at most.")
    values = np.full((size, size), -1, np.int16)
    skipped = 0
    for shape in file.shapes:
        points = [((x - left) * size / side, (y - top) * size / side) for x, y in shape.points]
        painted = _painted(shape.shape_type, points, size)
        if painted is None:
            skipped += 1
            continue
        for rect, mask in painted:
            values[rect.slices][mask] = names.index(shape.label)
    suggestion = {n: found for n, name in enumerate(names) if (found := class_named(name, palette)) is not None}
    background = class_named("background", palette)
    if background is not None:
        values[values < 0] = len(names)
        suggestion[len(names)] = background
    notes = []
    if side != max(width, height):
        notes.append(f"{path.name} labels a picture that is not square: its middle was taken.")
    if skipped:
        notes.append(f"{skipped} shapes are of a kind that is not known, or have too few points.")
    named = {**dict(enumerate(names)), len(names): "(no shape)"}
    return propose(
        "A labelme file",
        values,
        named,
        {},
        suggestion,
        is_certain=all(n in suggestion for n in range(len(names))),
        notes=tuple(notes),
    )


def _painted(kind: str, points: list[tuple[float, float]], size: int) -> list[Shape] | None:
    """Return the masks of a shape; None for one that cannot be painted."""
    from smis_desktop.document import shapes  # imports OpenCV, which the command line avoids
    from smis_desktop.document.brush import Brush

    if not points or not all(math.isfinite(v) and abs(v) < 1e6 for point in points for v in point):
        return None
    found: list[Shape | None]
    if kind == "polygon" and len(points) >= 3:
        found = [shapes.polygon(points, size)]
    elif kind == "rectangle" and len(points) == 2:
        found = [shapes.rectangle(points[0], points[1], size)]
    elif kind == "circle" and len(points) == 2:
        (x, y), (rim_x, rim_y) = points
        radius = min(math.hypot(rim_x - x, rim_y - y), 1e5)
        found = [shapes.ellipse((x - radius, y - radius), (x + radius, y + radius), size)]
    elif kind in ("line", "linestrip") and len(points) >= 2:
        brush = Brush(_LINE_WIDTH)
        found = [brush.segment(a, b, size) for a, b in pairwise(points)]
    elif kind in ("point", "points"):
        found = [Brush(_POINT_WIDTH).segment(point, point, size) for point in points]
    else:
        return None
    return [shape for shape in found if shape is not None]


def _is_json(found: FoundFile) -> bool:
    return found.head.lstrip()[:1] == b"{"


FORMAT = Format("labelme", "layout", suffixes=(".json",), order=50, recognises=_is_json, read_document=propose_labelme)

"""Forty recorded edits of layouts of faces, to measure how local a repainted picture is.

Ten of them are of the layout that ships, three of each of ten random faces. What is painted is drawn in the proportions
of the face: hair, hats, glasses, mouths, brows, eyes, ears, collars, background seen through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np

from smis_desktop.document.palette import Palette
from smis_desktop.formats.registry import read_layout
from smis_desktop.generators.generator import Generator, latents_of_seed
from smis_desktop.personal_model.model import PersonalModel, segment_latents
from smis_desktop.resources import example_layout_path

Kind = Literal["thick", "thin"]

NUM_FACES = 10
EDITS_OF_EXAMPLE = 10
EDITS_OF_FACE = 3
_SIDE = 512
_FIRST_SEED = 5_000
_TRUNCATION = 0.7
_LEAST_CHANGE = 0.002
"""Part of the layout that an edit changes at least; else it is no edit of that face (shorter hair of a bald man)."""
_LEAST_EYE = 0.0005
"""Part of the layout that an eye takes at least."""


@dataclass(frozen=True, eq=False)
class Edit:
    """One edit of a layout; before, after: uint8 [S, S] class ids, read-only.

    kind: "thin" where what is painted is a few cells of the feature map wide: brows, eyes, lips, the rims of glasses.
    """

    name: str
    kind: Kind
    face: str
    before: np.ndarray = field(repr=False)
    after: np.ndarray = field(repr=False)


class NoSuchPart(Exception):
    """The face has no part that an edit paints around."""


class Face:
    """A layout of a face being painted on: uint8 [_SIDE, _SIDE] class ids, and where its parts are."""

    def __init__(self, layout: np.ndarray, palette: Palette) -> None:
        self.layout = layout.copy()
        self._ids = {c.name: c.class_id for c in palette.classes}

    def mask(self, *names: str) -> np.ndarray:
        """Return where classes are, bool [_SIDE, _SIDE]."""
        return np.isin(self.layout, [self._ids[name] for name in names])

    def box(self, *names: str) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom of classes."""
        rows, columns = np.nonzero(self.mask(*names))
        if len(rows) == 0:
            raise NoSuchPart(names)
        return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())

    def things(self, name: str) -> list[tuple[int, int, int, int]]:
        """Return centre and size (x, y, width, height) of the class's two largest connected regions, the left one
        first."""
        _, _, facts, centres = cv2.connectedComponentsWithStats(self.mask(name).view(np.uint8), connectivity=8)
        largest = sorted(range(1, len(facts)), key=lambda i: -facts[i, cv2.CC_STAT_AREA])[:2]
        if len(largest) < 2 or facts[largest[1], cv2.CC_STAT_AREA] < _LEAST_EYE * self.layout.size:
            raise NoSuchPart(name)
        found = [
            (round(centres[i][0]), round(centres[i][1]), int(facts[i, 2]), int(facts[i, 3])) for i in sorted(largest)
        ]
        return sorted(found)

    def paint(self, mask: np.ndarray, name: str, over: Sequence[str] = ()) -> None:
        """Paint a class where a mask, bool or 0/1, is set, over some classes alone or over all."""
        where = mask.astype(bool) & (self.mask(*over) if over else True)
        self.layout[where] = self._ids[name]

    def remove(self, mask: np.ndarray, *surroundings: str) -> None:
        """Give the pixels of a mask to the nearest pixel of other classes."""
        seeds = self.mask(*surroundings) & ~mask
        if not seeds.any():
            raise NoSuchPart(surroundings)
        _, nearest = cv2.distanceTransformWithLabels(
            (~seeds).view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        ids = np.zeros(nearest.max() + 1, np.uint8)
        ids[nearest[seeds]] = self.layout[seeds]
        self.layout[mask] = ids[nearest[mask]]


def _drawn(draw: Callable[[np.ndarray], object]) -> np.ndarray:
    canvas = np.zeros((_SIDE, _SIDE), np.uint8)
    draw(canvas)
    drawn: np.ndarray = canvas > 0
    return drawn


def _ellipse(x: float, y: float, width: float, height: float, start: int = 0, end: int = 360) -> np.ndarray:
    half = (max(1, round(width / 2)), max(1, round(height / 2)))
    return _drawn(lambda canvas: cv2.ellipse(canvas, (round(x), round(y)), half, 0, start, end, 1, -1))


def _grown(mask: np.ndarray, across: int, along: int) -> np.ndarray:
    grown: np.ndarray = cv2.dilate(mask.view(np.uint8), np.ones((2 * along + 1, 2 * across + 1), np.uint8)) > 0
    return grown


def _face_width(face: Face) -> int:
    left, _, right, _ = face.box("skin")
    return right - left


def fringe(face: Face) -> None:
    """Paint hair over the forehead, down to above the brows."""
    left, top, right, _ = face.box("skin")
    brows = min(y for _, y, _, _ in face.things("brows"))
    face.paint(_ellipse((left + right) / 2, top, right - left, 1.7 * (brows - top)), "hair", ["skin", "background"])


def longer_hair(face: Face) -> None:
    """Paint hair down both sides, to the lower edge of the picture."""
    left, top, right, bottom = face.box("skin")
    width, ears = right - left, (top + bottom) / 2
    for x in (left - 0.1 * width, right + 0.1 * width):
        strand = _ellipse(x, _SIDE, 0.42 * width, 2 * (_SIDE - ears))
        face.paint(strand, "hair", ["background", "clothes", "neck", "ears"])


def shorter_hair(face: Face) -> None:
    """Remove the hair below the nose."""
    below = face.mask("hair")
    below[: face.box("nose")[3]] = False
    face.remove(below, "background", "clothes", "neck", "skin")


def hat(face: Face) -> None:
    """Paint a hat like a bowl, down to the middle of the forehead."""
    left, top, right, _ = face.box("hair", "skin")
    brows = min(y for _, y, _, _ in face.things("brows"))
    forehead = (face.box("skin")[1] + brows) / 2
    x = sum(face.box("skin")[::2]) / 2
    width = min(right - left, 1.5 * _face_width(face))
    face.paint(_ellipse(x, forehead, 1.1 * width, 2.3 * max(forehead - top, 0.2 * width), 180, 360), "hat")


def _glasses(face: Face, thickness: float) -> None:
    (x1, y1, _, _), (x2, y2, _, _) = face.things("eyes")
    radius, line = round(0.36 * (x2 - x1)), max(2, round(thickness * (x2 - x1)))

    def frame(canvas: np.ndarray) -> None:
        for x, y in ((x1, y1), (x2, y2)):
            cv2.ellipse(canvas, (x, y), (radius, round(0.8 * radius)), 0, 0, 360, 1, line)
        cv2.line(canvas, (x1 + radius, y1), (x2 - radius, y2), 1, line)

    face.paint(_drawn(frame), "glasses")


def thick_glasses(face: Face) -> None:
    """Paint glasses with thick rims."""
    _glasses(face, 0.1)


def thin_glasses(face: Face) -> None:
    """Paint glasses with thin rims."""
    _glasses(face, 0.045)


def open_mouth(face: Face) -> None:
    """Paint a mouth that is wide open."""
    left, top, right, bottom = face.box("mouth")
    width = right - left
    face.paint(_ellipse((left + right) / 2, (top + bottom) / 2 + 0.08 * width, width, 0.7 * width), "mouth")


def closed_mouth(face: Face) -> None:
    """Paint thin, closed lips."""
    left, top, right, bottom = face.box("mouth")
    mouth = face.mask("mouth")
    face.remove(mouth, "skin")
    face.paint(_ellipse((left + right) / 2, (top + bottom) / 2, 0.8 * (right - left), 0.2 * (right - left)), "mouth")


def raised_brows(face: Face) -> None:
    """Move the brows up by most of their distance from the eyes."""
    brows = face.mask("brows")
    above = min(y for _, y, _, _ in face.things("eyes")) - min(y for _, y, _, _ in face.things("brows"))
    up = round(0.7 * above)
    face.remove(brows, "skin", "hair")
    moved = np.zeros_like(brows)
    moved[:-up] = brows[up:]
    face.paint(moved, "brows")


def thicker_brows(face: Face) -> None:
    """Paint brows twice as thick."""
    brows = face.mask("brows")
    grow = max(2, round(0.3 * np.mean([height for *_, height in face.things("brows")])))
    face.paint(_grown(brows, 1, grow), "brows", ["skin", "hair"])


def wider_eyes(face: Face) -> None:
    """Paint eyes that are wide open."""
    for x, y, width, height in face.things("eyes"):
        face.paint(_ellipse(x, y, 1.05 * width, 1.7 * height), "eyes", ["skin", "brows"])


def narrower_eyes(face: Face) -> None:
    """Paint eyes that are nearly shut."""
    things, eyes = face.things("eyes"), face.mask("eyes")
    face.remove(eyes, "skin")
    for x, y, width, height in things:
        face.paint(_ellipse(x, y, width, 0.35 * height), "eyes")


def bigger_ears(face: Face) -> None:
    """Paint ears that stick out on both sides."""
    left, _, right, _ = face.box("skin")
    eyes, nose = face.things("eyes")[0][1], face.box("nose")[3]
    width = right - left
    for x in (left, right):
        face.paint(_ellipse(x, (eyes + nose) / 2, 0.26 * width, 1.3 * (nose - eyes)), "ears", ["hair", "background"])


def covered_ears(face: Face) -> None:
    """Paint hair over both sides of the face, down to the mouth."""
    left, _, right, _ = face.box("skin", "ears")
    brows, mouth = min(y for _, y, _, _ in face.things("brows")), face.box("mouth")[1]
    for x in (left, right):
        strand = _ellipse(x, (brows + mouth) / 2, 0.3 * (right - left), 1.3 * (mouth - brows))
        face.paint(strand, "hair", ["ears", "skin", "background"])


def high_collar(face: Face) -> None:
    """Paint a collar up to the chin."""
    left, top, right, _ = face.box("neck")
    chin, width = face.box("skin")[3], right - left
    top = max(top, round(chin - 0.06 * _face_width(face)))
    out = 0.15 * width
    corners = np.array([(left - out, _SIDE), (left, top), (right, top), (right + out, _SIDE)]).round().astype(np.int32)
    face.paint(_drawn(lambda canvas: cv2.fillPoly(canvas, [corners], 1)), "clothes", ["neck", "background", "hair"])


def background_through(face: Face) -> None:
    """Remove the hair on the right side of the picture."""
    hair = face.mask("hair")
    hair[:, : face.box("skin")[2]] = False
    face.remove(hair, "background")


EDITS: dict[Callable[[Face], None], Kind] = {
    fringe: "thick",
    hat: "thick",
    thick_glasses: "thin",
    open_mouth: "thick",
    raised_brows: "thin",
    longer_hair: "thick",
    wider_eyes: "thin",
    covered_ears: "thick",
    thin_glasses: "thin",
    high_collar: "thick",
    thicker_brows: "thin",
    closed_mouth: "thin",
    bigger_ears: "thick",
    shorter_hair: "thick",
    narrower_eyes: "thin",
    background_through: "thick",
}
"""Every edit, in the order in which faces get them; the example gets the first ten."""


ONE_AFTER_ANOTHER = (
    raised_brows, wider_eyes, open_mouth, longer_hair, high_collar, fringe, covered_ears, thick_glasses, closed_mouth,
    hat,
)  # fmt: skip
"""Ten edits that can be painted one after another on one face."""


def edited(layout: np.ndarray, edit: Callable[[Face], None], palette: Palette) -> np.ndarray | None:
    """Return a layout, uint8 [_SIDE, _SIDE], after an edit, read-only; None where it is no edit of that face."""
    face = Face(layout, palette)
    try:
        edit(face)
    except NoSuchPart:
        return None
    if np.count_nonzero(face.layout != layout) < _LEAST_CHANGE * layout.size:
        return None
    face.layout.setflags(write=False)
    return face.layout


def recorded_edits(generator: Generator, model: PersonalModel) -> list[Edit]:
    """Return the forty edits. The model must know the classes of the default one; deterministic."""
    palette, kinds = model.palette, list(EDITS)
    example = example_layout()
    edits = _of_face("example", example, kinds[:EDITS_OF_EXAMPLE], palette)
    turn = EDITS_OF_EXAMPLE
    for name, layout in random_faces(generator, model):
        in_turn = [kinds[(turn + i) % len(kinds)] for i in range(len(kinds))]
        found = _of_face(name, layout, in_turn, palette)[:EDITS_OF_FACE]
        edits += found
        turn += in_turn.index(next(kind for kind in kinds if _named(kind) == found[-1].name)) + 1
    return edits


def ten_edits(layout: np.ndarray, palette: Palette) -> Iterator[tuple[str, np.ndarray]]:
    """Yield ten edits painted one after another, each with its name and the layout after it."""
    for kind in ONE_AFTER_ANOTHER:
        after = edited(layout, kind, palette)
        if after is not None:
            layout = after
            yield _named(kind), layout


def example_layout() -> np.ndarray:
    """Return the layout that ships, uint8 [_SIDE, _SIDE], read-only."""
    label_map = read_layout(example_layout_path()).label_map
    layout: np.ndarray = np.ascontiguousarray(label_map if len(label_map) == _SIDE else _sampled(label_map))
    layout.setflags(write=False)
    return layout


def random_faces(generator: Generator, model: PersonalModel) -> Iterator[tuple[str, np.ndarray]]:
    """Yield names and layouts, uint8 [_SIDE, _SIDE], of the generator's first random pictures in which the model sees
    two eyes and brows, a nose and a mouth, and neither glasses nor a hat."""
    seed, found = _FIRST_SEED, 0
    while found < NUM_FACES:
        layout = segment_latents(generator, model, latents_of_seed(generator, seed, _TRUNCATION), _SIDE)
        if is_plain(layout, model.palette):
            layout.setflags(write=False)
            found += 1
            yield f"seed {seed}", layout
        seed += 1


def is_plain(layout: np.ndarray, palette: Palette) -> bool:
    """Return whether a layout has two eyes and brows, a nose and a mouth, and neither glasses nor a hat."""
    face = Face(layout, palette)
    try:
        face.things("eyes")
        face.things("brows")
        face.box("nose")
        face.box("mouth")
    except NoSuchPart:
        return False
    return not face.mask("glasses", "hat").any()


def _of_face(name: str, layout: np.ndarray, kinds: Sequence[Callable[[Face], None]], palette: Palette) -> list[Edit]:
    found = ((kind, edited(layout, kind, palette)) for kind in kinds)
    return [Edit(_named(kind), EDITS[kind], name, layout, after) for kind, after in found if after is not None]


def _named(kind: Callable[[Face], None]) -> str:
    return kind.__name__.replace("_", " ")


def _sampled(label_map: np.ndarray) -> np.ndarray:
    under = (np.arange(_SIDE) * 2 + 1) * len(label_map) // (2 * _SIDE)
    return label_map[np.ix_(under, under)]

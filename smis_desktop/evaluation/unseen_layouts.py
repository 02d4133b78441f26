"""Layouts of faces that no model was taught with, to measure layout fidelity on.

What the model that ships sees in random pictures that nothing else uses, changed as people paint: turned, moved and
scaled, brows raised, eyes widened, mouths opened, hair longer, a hat put on, outlines simplified by an unsteady hand.
Everything is drawn from the number of a layout, so that the same layouts come back for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np

from smis_desktop.evaluation.face_classes import CELEBAMASK_CLASSES, READ_CLASSES
from smis_desktop.evaluation.local_edits import (
    Face,
    bigger_ears,
    closed_mouth,
    covered_ears,
    edited,
    fringe,
    hat,
    high_collar,
    is_plain,
    longer_hair,
    narrower_eyes,
    open_mouth,
    raised_brows,
    shorter_hair,
    thicker_brows,
    wider_eyes,
)
from smis_desktop.generators.generator import Generator, latents_of_seed
from smis_desktop.personal_model.model import PersonalModel, segment_latents

SIDE = 512
_FIRST_SEED = 610_000
_TRUNCATION = 0.8
_PAINTED: tuple[tuple[Callable[[Face], None], ...], ...] = (
    (raised_brows, thicker_brows),
    (wider_eyes, narrower_eyes),
    (open_mouth, closed_mouth),
    (longer_hair, shorter_hair, fringe, covered_ears),
    (hat, bigger_ears, high_collar),
)
"""What may be painted, by what it concerns: of two rows each, one is."""
_PAINTED_ROWS = 2
_TURN, _SCALE, _SHIFT = 7.0, 0.07, 0.03
"""Degrees, part, and part of the side."""
_WOBBLE_CELLS, _WOBBLE = 8, 0.006
"""A hand's unsteadiness: a smooth displacement of so many control points a side, in parts of the side."""
_SIMPLIFIED = (0, 5, 9)
"""Pixels of the median that rounds outlines off; 0 leaves them."""
_OPEN_MOUTH = 0.4
"""Height over width from which a mouth shows more than lips."""


def unseen_layouts(generator: Generator, model: PersonalModel, count: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield names and layouts, uint8 [SIDE, SIDE], read-only, in the classes of the model that ships.

    Args:
        model: has these classes.
    """
    seed, found = _FIRST_SEED, 0
    while found < count:
        plain = segment_latents(generator, model, latents_of_seed(generator, seed, _TRUNCATION), SIDE)
        if is_plain(plain, model.palette):
            layout = as_painted(plain, model, found)
            layout.setflags(write=False)
            yield f"unseen-{found:02}", layout
            found += 1
        seed += 1


def as_painted(layout: np.ndarray, model: PersonalModel, number: int) -> np.ndarray:
    """Return the layout, uint8 [SIDE, SIDE], as somebody might have painted it; `number` decides all of it."""
    random = np.random.default_rng([number, 24])
    for row in random.permutation(len(_PAINTED))[:_PAINTED_ROWS]:
        kinds = _PAINTED[row]
        after = edited(layout, kinds[int(random.integers(len(kinds)))], model.palette)
        layout = layout if after is None else after
    size = int(random.choice(_SIMPLIFIED))
    if size:
        layout = _rounded_off(layout, size)
    return _moved(layout, random)


def _rounded_off(layout: np.ndarray, size: int) -> np.ndarray:
    """Give each pixel the class that most of those around it have, rare classes counting more, so that thin ones
    stay."""
    ids, counts = np.unique(layout, return_counts=True)
    shares = [cv2.GaussianBlur((layout == i).astype(np.float32), (0, 0), size / 2) for i in ids]
    weights = (counts / counts.max()) ** -0.1
    nearest: np.ndarray = ids[np.argmax([w * share for w, share in zip(weights, shares, strict=True)], 0)]
    return nearest


def _moved(layout: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Mirror, turn, scale, move and warp a layout a little; what comes in at the border continues it."""
    if random.random() < 0.5:
        layout = np.ascontiguousarray(layout[:, ::-1])
    turn, scale, *shift = random.uniform(-1, 1, 4)
    matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), _TURN * turn, 1 + _SCALE * scale)
    matrix[0, 2] += _SHIFT * SIDE * shift[0]
    matrix[1, 2] += _SHIFT * SIDE * shift[1]
    back = cv2.invertAffineTransform(matrix)
    columns, rows = np.meshgrid(np.arange(SIDE, dtype=np.float32), np.arange(SIDE, dtype=np.float32))
    places = np.stack((columns, rows), 2) @ back[:, :2].T + back[:, 2]
    wobble = random.normal(0, _WOBBLE * SIDE, (_WOBBLE_CELLS, _WOBBLE_CELLS, 2)).astype(np.float32)
    places = (places + cv2.resize(wobble, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)).astype(np.float32)
    columns, rows = np.ascontiguousarray(places[..., 0]), np.ascontiguousarray(places[..., 1])
    moved: np.ndarray = cv2.remap(layout, columns, rows, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    return moved


def as_celebamask(layout: np.ndarray) -> np.ndarray:
    """Return a layout in CelebAMask-HQ's nineteen classes, of one in those of the model that ships.

    The middle of the nose parts left from right; a mouth is two lips, and an open one shows what is between them.
    """
    ids = {name: i for i, name in enumerate(CELEBAMASK_CLASSES)}
    own = {name: layout == i for i, name in enumerate(READ_CLASSES)}
    found = np.zeros_like(layout)
    for name, other in (("skin", "skin"), ("nose", "nose"), ("hair", "hair"), ("neck", "neck"), ("clothes", "cloth"),
                        ("glasses", "eye_g"), ("hat", "hat")):  # fmt: skip
        found[own[name]] = ids[other]
    centre = own["nose"] if own["nose"].any() else own["skin"]
    middle = np.nonzero(centre)[1].mean() if centre.any() else layout.shape[1] / 2
    is_left = np.arange(layout.shape[1]) > middle
    for name, other in (("eyes", "eye"), ("brows", "brow"), ("ears", "ear")):
        found[own[name] & is_left] = ids[f"l_{other}"]
        found[own[name] & ~is_left] = ids[f"r_{other}"]
    _paint_mouth(found, own["mouth"], ids)
    return found


def _paint_mouth(found: np.ndarray, mouth: np.ndarray, ids: dict[str, int]) -> None:
    rows, columns = np.nonzero(mouth)
    if len(rows) == 0:
        return
    left, right = columns.min(), columns.max()
    top = np.where(mouth.any(0), mouth.argmax(0), 0)
    bottom = len(mouth) - np.where(mouth.any(0), mouth[::-1].argmax(0), 0)
    depth = (rows - top[columns] + 0.5) / (bottom - top)[columns]
    is_open = rows.max() - rows.min() > _OPEN_MOUTH * (right - left)
    along = np.abs((columns - left) / max(right - left, 1) - 0.5)
    inside = is_open & (along < 0.4) & (depth > 0.27) & (depth < 0.66)
    lips = np.where(depth < 0.45, ids["u_lip"], ids["l_lip"])
    found[rows, columns] = np.where(inside, ids["mouth"], lips)


def mirrored_celebamask(layout: np.ndarray) -> np.ndarray:
    """Return the mirror image of a layout in CelebAMask-HQ's classes, left and right exchanged."""
    table = np.arange(256, dtype=np.uint8)
    for name, i in ((name, i) for i, name in enumerate(CELEBAMASK_CLASSES)):
        if name.startswith("r_"):
            other = CELEBAMASK_CLASSES.index("l" + name[1:])
            table[i], table[other] = other, i
    mirrored: np.ndarray = table[layout[:, ::-1]]
    return mirrored

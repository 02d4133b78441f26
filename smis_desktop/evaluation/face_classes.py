"""The ten classes of faces that pictures are judged in, whatever a model calls its own.

CelebAMask-HQ (Lee et al. 2020, arXiv 1907.11922) tells nineteen classes apart, the model that ships twelve, and a
person may have painted others. Judges tell ten: left and right are one class, lips are mouth, glasses skin, hats
clothes, earrings ears, necklaces neck.
"""

from __future__ import annotations

import numpy as np

from smis_desktop.document.palette import EMPTY, Palette
from smis_desktop.formats.shots_folder import read_classes
from smis_desktop.resources import resources_folder

FACE_CLASSES = ("background", "skin", "nose", "eyes", "brows", "ears", "mouth", "hair", "neck", "clothes")
"""Names of the ten classes, by their ids."""
READ_CLASSES = (*FACE_CLASSES, "glasses", "hat")
"""What a `FaceReader` tells apart, by ids: those of the model that ships."""
_MERGED = {
    "l_eye": "eyes", "r_eye": "eyes", "l_brow": "brows", "r_brow": "brows", "l_ear": "ears", "r_ear": "ears",
    "ear_r": "ears", "u_lip": "mouth", "l_lip": "mouth", "neck_l": "neck", "cloth": "clothes", "eye_g": "skin",
    "glasses": "skin", "hat": "clothes",
}  # fmt: skip
"""Other names → one of the ten: those of the model that ships, and those of CelebAMask-HQ's files."""
CELEBAMASK_CLASSES = (
    "background", "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip",
    "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth",
)  # fmt: skip
"""Names of CelebAMask-HQ's nineteen classes, by their ids. Left is the person's own, on the right of the picture."""


def merged_class(name: str) -> str | None:
    """Return which of the ten classes one of that name belongs to; None for other names."""
    merged = _MERGED.get(name, name)
    return merged if merged in FACE_CLASSES else None


def merged_ids(palette: Palette) -> np.ndarray | None:
    """Return a table from class ids to the ten, uint8 [256]; EMPTY for ids of no class.

    Classes are known by their names. A palette without names (`class 7`) whose ids are CelebAMask-HQ's is taken for
    that. None where a class is neither.
    """
    table = np.full(256, EMPTY, np.uint8)
    for c in palette.classes:
        name: str | None = c.name
        if name == f"class {c.class_id}" and c.class_id < len(CELEBAMASK_CLASSES):
            name = CELEBAMASK_CLASSES[c.class_id]
        merged = merged_class(name or "")
        if merged is None:
            return None
        table[c.class_id] = FACE_CLASSES.index(merged)
    return table


def read_palette() -> Palette:
    """Return the classes of `READ_CLASSES`, which are those of the model that ships, by the same ids."""
    classes = read_classes(resources_folder() / "faces-shots" / "classes.json")
    return Palette(tuple(classes[class_id] for class_id in sorted(classes)))


def face_palette() -> Palette:
    """Return the ten classes."""
    return Palette(read_palette().classes[: len(FACE_CLASSES)])

"""Import proposals: the parts that an imported file holds, and which class each might be."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from smis_desktop.document.palette import EMPTY, Palette

MAX_SOURCES = 4096


@dataclass(frozen=True)
class ForeignClass:
    """One kind of pixel in the file: an id, a colour, or a name. share: of the picture, 0–1."""

    name: str
    color: tuple[int, int, int] | None
    share: float


@dataclass(frozen=True, eq=False)
class ImportProposal:
    """A layout in the file's own classes, and a suggestion for each of them.

    title: the kind of file, for people. indices: int16 [H, H], for each pixel an index into `sources`, -1 where there
    is none. suggestion: a class id (255: leave empty) for each source. is_certain: the person need not be asked. notes:
    sentences about what was done to the layout.
    """

    title: str
    indices: np.ndarray = field(repr=False)
    sources: tuple[ForeignClass, ...]
    suggestion: tuple[int, ...]
    is_certain: bool = False
    notes: tuple[str, ...] = ()

    def label_map(self, mapping: Mapping[int, int] | None = None) -> np.ndarray:
        """Return the layout, uint8 [H, H] of class ids, 255 = empty.

        mapping: source index → class id, where it differs from the suggestion.
        """
        table = np.full(len(self.sources) + 1, EMPTY, np.uint8)  # the last entry serves -1
        table[: len(self.suggestion)] = self.suggestion
        for index, class_id in (mapping or {}).items():
            table[index] = class_id
        label_map: np.ndarray = table[self.indices]
        return label_map


def propose(
    title: str, values: np.ndarray, names: Mapping[int, str], colors: Mapping[int, tuple[int, int, int]],
    suggestion: Mapping[int, int], *, is_certain: bool = False, notes: tuple[str, ...] = (),
) -> ImportProposal:  # fmt: skip
    """Make a proposal from values [H, H] of any integer type; negative ones mean empty. The largest sources come first.

    names, colors, suggestion: by value. Raises ValueError for more than 4,096 different values.
    """
    found, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    if len(found) > MAX_SOURCES:
        raise ValueError(f"{len(found)} different values")
    order = sorted((i for i in range(len(found)) if found[i] >= 0), key=lambda i: (-int(counts[i]), int(found[i])))
    place = np.full(len(found), -1, np.int16)
    place[order] = np.arange(len(order))
    sources = tuple(
        ForeignClass(
            names.get(int(found[i]), str(int(found[i]))), colors.get(int(found[i])), float(counts[i] / values.size)
        )
        for i in order
    )
    return ImportProposal(
        title,
        place[inverse.reshape(values.shape)],
        sources,
        tuple(suggestion.get(int(found[i]), EMPTY) for i in order),
        is_certain,
        notes,
    )


_SYNONYMS = {
    "l_eye": "left eye", "r_eye": "right eye", "l_brow": "left brow", "r_brow": "right brow", "l_ear": "left ear",
    "r_ear": "right ear", "eye_g": "glasses", "u_lip": "upper lip", "l_lip": "lower lip", "ear_r": "earring",
    "neck_l": "necklace", "cloth": "clothes", "eyeglass": "glasses", "eyeglasses": "glasses", "eyebrow": "brows",
    "eyebrows": "brows", "eye": "eyes", "ear": "ears", "brow": "brows", "lip": "mouth", "lips": "mouth",
    "face": "skin", "cap": "hat", "clothing": "clothes", "cloths": "clothes",
}  # fmt: skip
_GENERAL = {
    "left eye": "eyes", "right eye": "eyes", "left brow": "brows", "right brow": "brows", "left ear": "ears",
    "right ear": "ears", "upper lip": "mouth", "lower lip": "mouth", "teeth": "mouth", "necklace": "neck",
    "earring": "ears", "glasses": "eyes",
}  # fmt: skip


def class_named(name: str, palette: Palette) -> int | None:
    """Return the id of the class that a name means: the same words, an abbreviation, or a more general class.

    "left eye" is "eyes" where the palette has no class for one eye. None if no class fits.
    """
    by_name = {_plain(c.name): c.class_id for c in palette.classes}
    for candidate in _candidates(_plain(name)):
        if candidate in by_name:
            return by_name[candidate]
    return None


def _candidates(name: str) -> list[str]:
    candidates = [name]
    underscored = name.replace(" ", "_")
    if underscored in _SYNONYMS:
        candidates.append(_SYNONYMS[underscored])
    candidates += [_GENERAL[c] for c in list(candidates) if c in _GENERAL]
    candidates += [_SYNONYMS[c] for c in list(candidates) if c in _SYNONYMS]
    return candidates


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().replace("_", " ").replace("-", " ").split())

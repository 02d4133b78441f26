"""Classes as colours: colour maps of GauGAN, NVIDIA Canvas and painting programs, and the layers of other formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from smis_desktop.document.palette import EMPTY, Palette
from smis_desktop.errors import UserError
from smis_desktop.formats.image_file import load_image_file, middle_square
from smis_desktop.formats.import_proposal import ImportProposal, propose
from smis_desktop.formats.registry import Format, FoundFile

_MAX_COLORS = 64
_LEAST_SHARE = 0.0005


class IsPhotograph(UserError):
    """Raised when the file is a photo, from which a layout can be made."""


def propose_color_map(path: Path, palette: Palette) -> ImportProposal:
    """Propose a class for each colour of a picture: the palette's class of the nearest colour.

    Colours that hold at least a two-thousandth of the picture count; rarer ones (smoothed edges) count as the nearest
    of those.

    Raises:
        UserError: The file cannot be read.
        IsPhotograph: It is a photo, not a map.
    """
    pixels = np.array(load_image_file(path).image.convert("RGBA"))
    height, width = pixels.shape[:2]
    notes: tuple[str, ...] = ()
    if height != width:
        pixels = middle_square(width, height).of(pixels)
        notes = (f"{path.name} is not square: its middle was taken.",)
    packed = pixels[..., 0].astype(np.int32) << 16 | pixels[..., 1].astype(np.int32) << 8 | pixels[..., 2]
    opaque = pixels[..., 3] >= 128
    found, inverse, counts = np.unique(packed, return_inverse=True, return_counts=True)
    common = np.flatnonzero(counts >= _LEAST_SHARE * packed.size)
    if not len(common) or counts[common].sum() < 0.5 * packed.size:
        raise IsPhotograph(
            f"{path} is no colour map (it has {len(found):,} colours); to paint after a photo, use it as underlay."
        )
    common = common[np.argsort(-counts[common], kind="stable")][:_MAX_COLORS]
    colors = np.stack((found >> 16, found >> 8 & 255, found & 255), 1).astype(np.int64)
    nearest_common = np.empty(len(found), np.int64)
    for start in range(0, len(found), 65536):
        part = colors[start : start + 65536]
        distances = np.stack([((part - colors[c]) ** 2).sum(1) for c in common], 1)
        nearest_common[start : start + 65536] = common[distances.argmin(1)]
    values = np.where(opaque, found[nearest_common][inverse.reshape(packed.shape)], -1)
    known = np.array([c.color for c in palette.classes], np.int64)
    suggestion, names, shown = {}, {}, {}
    is_certain = True
    for index in common:
        color = colors[index]
        distances = ((known - color) ** 2).sum(1)
        best = palette.classes[int(distances.argmin())]
        value = int(found[index])
        suggestion[value], names[value] = best.class_id, f"#{value:06x}"
        shown[value] = (int(color[0]), int(color[1]), int(color[2]))
        is_certain &= bool(distances.min() == 0)
    return propose("A colour map", values, names, shown, suggestion, is_certain=is_certain, notes=notes)


def layer_rgba(pixels: np.ndarray, palette: Palette) -> np.ndarray:
    """Convert class ids, uint8 [h, w], to RGBA, uint8 [h, w, 4], in the classes' colours, transparent where empty."""
    colors = palette.color_table[pixels]
    return np.dstack((colors, np.where(pixels == EMPTY, 0, 255).astype(np.uint8)))


def nearest_classes(rgba: np.ndarray, palette: Palette) -> np.ndarray:
    """Convert RGBA, uint8 [h, w, 4], to the ids of the classes with the nearest colours in sRGB, uint8 [h, w].

    Pixels that are more than half transparent become 255. Ties go to the lower id.
    """
    ids = np.full(rgba.shape[:2], EMPTY, np.uint8)
    opaque = rgba[..., 3] >= 128
    if not palette.classes or not opaque.any():
        return ids
    packed = rgba[..., 0].astype(np.uint32) << 16 | rgba[..., 1].astype(np.uint32) << 8 | rgba[..., 2]
    found, inverse = np.unique(packed[opaque], return_inverse=True)
    known = np.array([c.color for c in palette.classes], np.int64)
    class_ids = np.array(palette.class_ids, np.uint8)
    nearest = np.empty(len(found), np.uint8)
    for start in range(0, len(found), 65536):
        part = found[start : start + 65536].astype(np.int64)
        colors = np.stack((part >> 16, part >> 8 & 255, part & 255), 1)
        distances = np.stack([((colors - color) ** 2).sum(1) for color in known], 1)
        nearest[start : start + 65536] = class_ids[distances.argmin(1)]
    ids[opaque] = nearest[inverse]
    return ids


def _is_file(found: FoundFile) -> bool:
    return not found.is_folder


FORMAT = Format(
    "Colour map",
    "layout",
    suffixes=(".png", ".bmp", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"),
    order=70,
    recognises=_is_file,
    read_document=propose_color_map,
)

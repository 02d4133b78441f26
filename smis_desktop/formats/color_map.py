"""Colour maps: layouts as GauGAN, NVIDIA Canvas and painting programs save them, a colour for each class."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from smis_desktop.document.geometry import middle_square
from smis_desktop.document.palette import Palette
from smis_desktop.errors import UserError
from smis_desktop.formats.image_file import load_image_file
from smis_desktop.formats.import_proposal import ImportProposal, propose

_MAX_COLORS = 64
_LEAST_SHARE = 0.0005


class IsPhotograph(UserError):
    """The file shows no layout, but what one could be made from."""


def propose_color_map(path: Path, palette: Palette) -> ImportProposal:
    """Colours that hold at least a two-thousandth of the picture are classes; rarer ones (smoothed edges) count as the
    nearest of those. Each is suggested to be the palette's class of the nearest colour.

    Raises UserError when the file cannot be read, IsPhotograph when it is a photograph rather than a map.
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

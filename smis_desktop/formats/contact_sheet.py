"""Contact sheets: many pictures on one, each with a caption."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_GAP = 8
_CAPTION = 22
_GROUND, _TEXT = (24, 25, 28), (225, 228, 232)


def contact_sheet(
    pictures: Sequence[np.ndarray], captions: Sequence[str], columns: int | None = None, side: int = 256
) -> np.ndarray:
    """uint8 [H, W, 3] of any size, and as many captions → one picture uint8 [H, W, 3], row by row.

    columns: the nearest to a square unless given. Raises ValueError without pictures.
    """
    if not pictures or len(pictures) != len(captions):
        raise ValueError("a contact sheet needs pictures, and a caption for each")
    columns = columns or math.ceil(math.sqrt(len(pictures)))
    rows = -(-len(pictures) // columns)
    cell = side + _CAPTION + _GAP
    sheet = Image.new("RGB", (columns * (side + _GAP) + _GAP, rows * cell + _GAP), _GROUND)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(13)
    for number, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left = _GAP + (number % columns) * (side + _GAP)
        top = _GAP + (number // columns) * cell
        image = Image.fromarray(picture).convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
        sheet.paste(image, (left, top))
        draw.text((left + 2, top + side + 3), caption, fill=_TEXT, font=font)
    return np.array(sheet)

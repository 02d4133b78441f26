"""Where a painting began, as facts in its project."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from smis_desktop.style import Anchor, Look, look_facts, look_from_facts

KEY = "anchor"
"""Its name among a project's extra facts."""
_MAX_SIDE = 2048


def anchor_facts(anchor: Anchor) -> dict[str, Any]:
    """JSON-able; the inverse of `anchor_from_facts`."""
    buffer = io.BytesIO()
    Image.fromarray(anchor.layout).save(buffer, "PNG")
    return {
        "look": look_facts(Look.of_latents(anchor.ws, anchor.name)),
        "layout": base64.b64encode(buffer.getvalue()).decode(),
    }


def anchor_from_facts(facts: Mapping[str, Any]) -> Anchor | None:
    """None for what is no anchor: the painting then simply does without."""
    try:
        look = look_from_facts(facts["look"])
        with Image.open(io.BytesIO(base64.b64decode(facts["layout"], validate=True)), formats=["PNG"]) as image:
            if image.mode != "L" or max(image.size) > _MAX_SIDE or image.width != image.height:
                return None
            layout = np.array(image, np.uint8)
    except (KeyError, TypeError, ValueError, OSError, SyntaxError, Image.DecompressionBombError):
        return None
    if look.ws is None:
        return None
    layout.setflags(write=False)
    return Anchor(layout, look.ws, look.name)

"""A renderer small enough for tests: the picture is the layout in the palette's colours, tinted by the style."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from smis_desktop.document.composition import Composition, Patch, repainted_region
from smis_desktop.document.palette import Palette, SemanticClass
from smis_desktop.inference.synthesizer import PictureRequest, PictureResult

FACE = Palette(
    (
        SemanticClass(0, "background", (40, 44, 52)),
        SemanticClass(1, "skin", (230, 180, 150)),
        SemanticClass(7, "hair", (120, 70, 40)),
    )
)


@dataclass(frozen=True)
class PaintByPalette:
    """A pure function of the request, like the real one: same request, same picture, whatever was asked before."""

    name: str = "Three colours"
    palette: Palette = FACE
    device: str = "paper"
    full_size: int = 512
    generator_name: str = "paper"

    def render(self, request: PictureRequest) -> PictureResult:
        rows = np.arange(request.size) * request.layout.shape[0] // request.size
        columns = np.arange(request.size) * request.layout.shape[1] // request.size
        plain = self.palette.color_table[request.layout[np.ix_(rows, columns)]].astype(np.float32)
        tint = np.random.default_rng(request.style.look.seed).uniform(0.5, 1.0, 3)
        styled = plain * (1 - request.style.mix + request.style.mix * tint)
        ws = np.full((16, 512), styled.mean() / 255 + 0.001 * request.refine_steps, np.float32)
        composition, repaint = request.composition, request.repaint
        if composition is not None and not composition.takes_variety:  # such latents know how bright a picture is
            styled = np.full_like(styled, 255 * composition.base.mean())
        elif composition is not None and request.refine_steps:  # refinement moves them
            composition = replace(composition, base=composition.base + np.float32(0.001 * request.refine_steps))
        elif composition is None and repaint is not None:
            mask = repainted_region(repaint.layout, request.layout, repaint.edge)
            composition = repaint.beneath.with_patch(Patch(ws[:9], mask)) if mask.any() else repaint.beneath
        composition = composition or Composition(ws)
        picture = styled.astype(np.uint8)
        # Everything is followed: the model sees what was asked.
        seen = request.layout if request.quality == "full" else None
        return PictureResult(picture, composition, replace(composition, takes_variety=False), 0.001, seen)

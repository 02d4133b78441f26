"""Styling: what a style makes of plain latents — variety, style mixing, and looks of single classes and patches."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.document.composition import Composition
from smis_desktop.document.style import Look, Style
from smis_desktop.errors import UserError
from smis_desktop.generators.generator import Generator, seeded_z
from smis_desktop.generators.layers import Regions
from smis_desktop.personal_model.model import PersonalModel, split_along

_MASK_SIDE = 256
_CACHE_SIZE = 6
_ONLY_FINE = Style(fine=1.0)
_LEAST_SHARE = 0.05
"""Of a slot that a look takes nearly whole, refinement finds out next to nothing."""


@dataclass(frozen=True, eq=False)
class StyledRegion:
    """Fine slots of `ws` [1, num_ws, D] in the region of `mask`, float32 [1, 1, _MASK_SIDE, _MASK_SIDE]."""

    ws: Tensor
    mask: Tensor


class Styler:
    """Applies styles to plain latents."""

    def __init__(self, generator: Generator, model: PersonalModel, encoded_look: Callable[[Tensor], Tensor]) -> None:
        """Args: encoded_look: takes a look's `ws` [1, num_ws, D]; returns the encoder's answer to the labels that are
        predicted for its picture, [1, num_ws, D]."""
        self._generator, self._model, self._encoded_look = generator, model, encoded_look
        self._latents: OrderedDict[Look, Tensor] = OrderedDict()
        self._residuals: OrderedDict[Look, tuple[Tensor, Tensor]] = OrderedDict()

    def styled(self, plain: Tensor, style: Style, takes_variety: bool = True, look: Look | None = None) -> Tensor:
        """Return the latents to render, in the shape of `plain` [1, num_ws, D].

        Args:
            takes_variety: whether the style's variety acts on them.
            look: used in place of the style's.
        """
        first, second = look or style.look, look or style.second or style.look
        structural = self._generator.fine_slots.start
        with torch.no_grad():
            if takes_variety and style.variety_strength > 0:
                one = self._variety_offset(first, style.variety_strength)
                offset = torch.lerp(one, self._variety_offset(second, style.variety_strength), style.blend)
                plain = torch.cat((plain[:, :structural] + offset, plain[:, structural:]), 1)
            mixed_in = torch.lerp(self.latents_of(first), self.latents_of(second), style.blend)
            return mix_styles(self._generator, plain, mixed_in, style)

    def plain_change(self, change: Tensor, style: Style) -> Tensor:
        """Return the change of plain latents that `change` of styled ones, [1, num_ws, D], comes from."""
        strengths = _strengths(self._generator, style).to(change.device)
        return torch.where(strengths < 1, change / (1 - strengths).clamp_min(_LEAST_SHARE), 0.0)

    def latents_of(self, look: Look) -> Tensor:
        """Return `ws` [1, num_ws, D] of a seed or a picture. Raises UserError when it is another generator's
        picture."""
        generator = self._generator
        if look.ws is None:
            ws = self._latents.pop(look, None)
            if ws is None:
                ws = generator.broadcast(generator.mapping(seeded_z(look.seed, generator.w_dim).to(generator.device)))
            self._latents[look] = ws
            if len(self._latents) > _CACHE_SIZE:
                self._latents.popitem(last=False)
            return ws
        if look.ws.shape != (generator.num_ws, generator.w_dim):
            raise UserError(
                f"The look “{look.name}” was made by another generator than {generator.name}; choose another."
            )
        return torch.from_numpy(np.array(look.ws, np.float32)).to(generator.device)[None]

    def regions(
        self,
        ws: Tensor,
        labels: Tensor | None,
        style: Style,
        composition: Composition,
        held: Sequence[StyledRegion] = (),
    ) -> tuple[Tensor, Regions | None]:
        """Append the `ws` of each class and patch that has its own look, [K, num_ws, D]; return them with their
        regions.

        Args:
            ws: [1, num_ws, D], for everything else.
            labels: int64 [1, r, r], the classes that the picture shows, in channels; needed for looks of classes.
            held: what lies over all of it.
        """
        # Where the picture shows the class, not where the layout asks for it: else a look ends next to its object.
        if len(self._generator.fine_slots) == 0:
            return ws, None
        found = [*held, *self._patch_regions(ws, composition), *self._class_regions(ws, labels, style)]
        if not found:
            return ws, None
        left = torch.ones_like(found[0].mask)
        masks = []
        for region in found:  # from the top down
            masks.append(region.mask * left)
            left = left * (1 - region.mask)
        return torch.cat((ws, *(region.ws for region in found))), Regions(torch.cat((left, *masks)))

    def _class_regions(self, ws: Tensor, labels: Tensor | None, style: Style) -> list[StyledRegion]:
        ids = self._model.palette.class_ids
        looks = [(ids.index(class_id), look) for class_id, look in style.class_looks if class_id in ids]
        if not looks or labels is None:
            return []
        masks = _enlarged(torch.cat([(labels == channel)[:, None].float() for channel, _ in looks]))
        return side_by_side([self._with_look(ws, look) for _, look in looks], masks)

    def _patch_regions(self, ws: Tensor, composition: Composition) -> list[StyledRegion]:
        """Return the regions of patches, from the top down: those with a look, and those over them without one."""
        patches = composition.patches
        first = next((i for i, patch in enumerate(patches) if patch.look is not None), len(patches))
        return [
            StyledRegion(ws if patch.look is None else self._with_look(ws, patch.look), self.mask(patch.mask))
            for patch in reversed(patches[first:])
        ]

    def mask(self, pixels: np.ndarray) -> Tensor:
        """Return a mask, uint8 [M, M], as a region's."""
        return _enlarged(torch.from_numpy(np.array(pixels))[None, None].to(self._generator.device).float() / 255)

    def _with_look(self, ws: Tensor, look: Look) -> Tensor:
        return mix_styles(self._generator, ws, self.latents_of(look), _ONLY_FINE)

    def _variety_offset(self, look: Look, strength: float) -> Tensor:
        """Return what a look adds to the latents of another layout, [1, 1, D], by `strength` (0–1).

        The encoder answers with the mean of all pictures of a layout, and a mean is plainer than any of them. Adding
        what a look's picture has beyond its layout gives back what averaging took (docs/experiments/variety.md). Most
        of that moves no class and is added first, all of it from half strength on; what moves classes follows by the
        third power. Without label directions everything is added evenly.
        """
        along, across = self._layout_residual(look)
        if self._model.directions is None:
            return strength * along
        return strength**3 * along + min(1.0, 2 * strength) * across

    def _layout_residual(self, look: Look) -> tuple[Tensor, Tensor]:
        """Return a look's structural latent minus the encoder's answer to the labels predicted for its picture.

        Returns:
            Two parts [1, 1, D]: along the label directions, and the rest (zero without directions).
        """
        parts = self._residuals.pop(look, None)
        if parts is None:
            ws, structural = self.latents_of(look), self._generator.fine_slots.start
            residual = (ws - self._encoded_look(ws))[:, :structural].mean(1, keepdim=True)
            parts = self._split_along_directions(residual)
        self._residuals[look] = parts
        if len(self._residuals) > _CACHE_SIZE:
            self._residuals.popitem(last=False)
        return parts

    def _split_along_directions(self, residual: Tensor) -> tuple[Tensor, Tensor]:
        if self._model.directions is None:
            return residual, torch.zeros_like(residual)
        latents = self._generator.latents
        directions = self._model.directions.to(residual.device)
        whitened, _ = split_along(latents.whiten(latents.w_avg + residual), directions)
        along = latents.color(whitened) - latents.w_avg
        return along, residual - along


def side_by_side(styles: Sequence[Tensor], masks: Tensor) -> list[StyledRegion]:
    """Return regions, from the top down, whose masks [K, 1, R, R] add up to no more than 1: each gets its share of what
    those above it leave.

    Args:
        styles: K times [1, num_ws, D].
    """
    regions, left = [], torch.ones_like(masks[:1])
    for ws, mask in zip(styles, masks, strict=True):
        share = torch.where(left > 0, mask[None] / left.clamp_min(1e-6), 0.0).clamp(0, 1)
        regions.append(StyledRegion(ws, share))
        left = left - mask[None]
    return regions


def mix_styles(generator: Generator, ws: Tensor, look: Tensor, style: Style) -> Tensor:
    """Move `ws` [N, num_ws, D] towards `look` [N or 1, num_ws, D], each group of slots by its own strength."""
    return torch.lerp(ws, look.expand_as(ws), _strengths(generator, style).to(ws.device))


def _strengths(generator: Generator, style: Style) -> Tensor:
    """Return how strongly a look is mixed into each slot, float32 [num_ws, 1]."""
    strengths = torch.zeros(generator.num_ws, 1)
    for slots, fader in (
        (generator.coarse_slots, style.coarse),
        (generator.middle_slots, style.middle),
        (generator.fine_slots, style.fine),
    ):
        strengths[slots.start : slots.stop] = style.mix * fader
    return strengths


def _enlarged(masks: Tensor) -> Tensor:
    return F.interpolate(masks, size=(_MASK_SIDE, _MASK_SIDE), mode="bilinear", align_corners=False)

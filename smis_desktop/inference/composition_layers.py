"""The layers of a composition: its latents in a style, from the bottom up."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import torch
from torch import Tensor

from smis_desktop.document.composition import Composition, Patch
from smis_desktop.document.style import Style
from smis_desktop.errors import UserError
from smis_desktop.generators.generator import Generator
from smis_desktop.inference.composed_features import FeatureLayer
from smis_desktop.inference.styling import Styler

_NUM_PATCH_LAYERS = 512
"""Patches in their styles; one takes 100 KB."""


class CompositionLayers:
    """Makes layers of compositions; caches those of patches."""

    def __init__(self, generator: Generator, styler: Styler) -> None:
        self._generator, self._styler = generator, styler
        self._of_patches: OrderedDict[bytes, FeatureLayer] = OrderedDict()

    def of(self, composition: Composition, style: Style) -> list[FeatureLayer]:
        """Return the latents of a composition in a style, from the bottom up."""
        generator = self._generator
        base = self._on_device(composition.base)[None]
        if base.shape[1:] != (generator.num_ws, generator.w_dim):
            raise UserError(
                f"The picture was made by another generator than {generator.name}; open the model that it was "
                "painted with."
            )
        varies, structural = composition.takes_variety, generator.fine_slots.start
        ws, in_regions = self._styler.styled(base, style, varies), None
        if composition.regions:
            offsets = self._on_device(np.stack([region.offset for region in composition.regions]))
            plain = torch.cat((base[:, :structural] + offsets, base[:, structural:].expand(len(offsets), -1, -1)), 1)
            in_regions = self._styler.styled(plain, style, varies)
        masks = tuple(region.mask for region in composition.regions)
        lowest = FeatureLayer(ws, structural, region_ws=in_regions, region_masks=masks)
        return [lowest, *(self._of_patch(patch, style, varies) for patch in composition.patches)]

    def _of_patch(self, patch: Patch, style: Style, takes_variety: bool) -> FeatureLayer:
        """Return the latents of a patch in a style; cached, because a long painting has many patches and each draft
        adds one."""
        key = patch.digest + repr((style.structural, takes_variety)).encode()
        layer = self._of_patches.pop(key, None)
        if layer is None:
            structural = self._generator.fine_slots.start
            fine = self._generator.w_avg.expand(1, self._generator.num_ws - structural, -1)  # a patch has none
            plain = torch.cat((self._on_device(patch.ws)[None], fine), 1)
            with torch.inference_mode(False):  # refinement starts with these
                ws = self._styler.styled(plain, style, takes_variety, patch.look)
            layer = FeatureLayer(ws, structural, patch.mask)
        self._of_patches[key] = layer
        if len(self._of_patches) > _NUM_PATCH_LAYERS:
            self._of_patches.popitem(last=False)
        return layer

    def _on_device(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.array(array, np.float32)).to(self._generator.device)

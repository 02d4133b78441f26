"""Composed features: several latents' coarse features, each put into its own region of those below it.

After the blocks of 16², 32² and 64² (less in small networks) the features become F ← F + m·(F(ws) − F), one patch after
the other. A patch's own features go on from the blended ones, so that it continues what surrounds it.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from smis_desktop.document.composition import Composition, Region
from smis_desktop.generators.coarse_features import CoarseFeatures, Surroundings
from smis_desktop.generators.layers import Regions
from smis_desktop.inference.backends import SynthesisBackend

_CACHE_SIZE = 4
"""Compositions; one takes 20 MB."""


@dataclass(frozen=True, eq=False)
class FeatureLayer:
    """Latents `ws` [1, num_ws, D] as they are rendered, in the region of `mask`, uint8 [M, M]; the lowest has none.

    structural: the number of slots that coarse features depend on. region_ws: [K, num_ws, D], what the lowest layer has
    instead in K regions of its own; region_masks: uint8 [M, M] each.
    """

    ws: Tensor
    structural: int
    mask: np.ndarray | None = None
    region_ws: Tensor | None = None
    region_masks: tuple[np.ndarray, ...] = ()

    @cached_property
    def latents(self) -> np.ndarray:
        """`ws` as float32 [num_ws, D], read-only."""
        latents = np.array(self.ws[0].detach().cpu().numpy(), np.float32)
        latents.setflags(write=False)
        return latents

    @cached_property
    def digest(self) -> bytes:
        """A digest of everything that coarse features depend on."""
        digest = hashlib.blake2b(self.latents[: self.structural].tobytes(), digest_size=24)
        digest.update(b"" if self.mask is None else self.mask.tobytes())
        if self.region_ws is not None:
            digest.update(self.region_offsets.tobytes())
            for mask in self.region_masks:
                digest.update(mask.tobytes())
        return digest.digest()

    @cached_property
    def region_offsets(self) -> np.ndarray:
        """What the latents of the regions have beyond `ws` in the structural slots, float32 [K, S, D]."""
        assert self.region_ws is not None, "there are regions"
        offsets = (self.region_ws - self.ws)[:, : self.structural].detach().cpu().numpy()
        offsets.setflags(write=False)
        return offsets

    def features(self, backend: SynthesisBackend) -> CoarseFeatures:
        """Compute the coarse features of the lowest layer."""
        if self.region_ws is None:
            return backend.coarse_features(self.ws)
        masks = masks_of(self.region_masks, self.ws.device)
        rest = (1 - masks.sum(0, keepdim=True)).clamp_min(0)
        return backend.coarse_features(torch.cat((self.ws, self.region_ws)), regions=Regions(torch.cat((rest, masks))))


class ComposedFeatures:
    """Computes the coarse features of layers of latents. Those of the last few compositions are cached, so a stroke
    costs one more layer, however many lie below."""

    def __init__(self, backend: SynthesisBackend) -> None:
        self._backend = backend
        self._cache: OrderedDict[bytes, CoarseFeatures] = OrderedDict()

    def of(self, layers: Sequence[FeatureLayer]) -> CoarseFeatures:
        """Compute the features of `layers`, from the bottom up; the first fills the whole picture."""
        if len(layers) == 1:
            return layers[0].features(self._backend)
        keys = _keys(layers)
        known = max((i for i, key in enumerate(keys) if key in self._cache), default=0)
        coarse = self._cache[keys[known]] if known else layers[0].features(self._backend)
        if known:
            self._cache.move_to_end(keys[known])
        for layer, key in zip(layers[known + 1 :], keys[known + 1 :], strict=True):
            coarse = self.over(coarse, layer)
            self._cache[key] = coarse
            if len(self._cache) > _CACHE_SIZE:
                self._cache.popitem(last=False)
        return coarse

    def over(self, below: CoarseFeatures, layer: FeatureLayer) -> CoarseFeatures:
        """Compute the features of a layer over those `below`."""
        return self._backend.coarse_features(layer.ws, surroundings_of(below, layer.mask))


def _keys(layers: Sequence[FeatureLayer]) -> list[bytes]:
    """Return a digest of each layer together with all below it."""
    digest, keys = hashlib.blake2b(digest_size=24), []
    for layer in layers:
        digest.update(layer.digest)
        keys.append(digest.digest())
    return keys


def as_shown(composition: Composition, layers: Sequence[FeatureLayer]) -> Composition:
    """Return the composition with the latents of `layers`, which are those that it is rendered from."""
    patches = tuple(
        replace(patch, ws=layer.latents[: len(patch.ws)])
        for patch, layer in zip(composition.patches, layers[1:], strict=True)
    )
    regions: tuple[Region, ...] = ()
    if composition.regions:
        offsets = layers[0].region_offsets
        regions = tuple(replace(region, offset=own) for region, own in zip(composition.regions, offsets, strict=True))
    return Composition(layers[0].latents, patches, False, composition.held, regions)


def masks_of(masks: Sequence[np.ndarray], device: torch.device) -> Tensor:
    """Return masks, uint8 [M, M] each, as float32 [K, 1, M, M]."""
    return torch.from_numpy(np.stack(masks))[:, None].to(device).float() / 255


def surroundings_of(below: CoarseFeatures, mask: np.ndarray | None) -> Surroundings:
    """Return the surroundings of a patch with that mask, uint8 [M, M]."""
    assert mask is not None, "only the lowest layer has no mask"
    return Surroundings(below, masks_of([mask], below.features.device))

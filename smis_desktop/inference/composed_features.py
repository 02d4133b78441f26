"""Composed features: several latents' coarse features, each put into its own region of those below it.

After the blocks of 16², 32² and 64² (less in small networks) the features become F ← F + m·(F(ws) − F), one patch after
the other. A patch's own features go on from the blended ones, so that it continues what surrounds it.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from smis_desktop.generators.generator import CoarseFeatures, Surroundings
from smis_desktop.inference.backends import SynthesisBackend

_CACHE_SIZE = 4
"""Compositions; one takes 20 MB."""


@dataclass(frozen=True, eq=False)
class FeatureLayer:
    """Latents `ws` [1, num_ws, D] as they are rendered, in the region of `mask`, uint8 [M, M]; the lowest has none."""

    ws: Tensor
    mask: np.ndarray | None = None


class ComposedFeatures:
    """Computes the coarse features of layers of latents. Those of the last few compositions are cached, so a stroke
    costs one more layer, however many lie below."""

    def __init__(self, backend: SynthesisBackend, fine_start: int) -> None:
        """Args: fine_start: the first of the fine slots, which coarse features do not depend on."""
        self._backend, self._fine_start = backend, fine_start
        self._cache: OrderedDict[bytes, CoarseFeatures] = OrderedDict()

    def of(self, layers: Sequence[FeatureLayer]) -> CoarseFeatures:
        """Compute the features of `layers`, from the bottom up; the first fills the whole picture."""
        if len(layers) == 1:
            return self._backend.coarse_features(layers[0].ws)
        keys = self._keys(layers)
        known = max((i for i, key in enumerate(keys) if key in self._cache), default=0)
        coarse = self._cache[keys[known]] if known else self._backend.coarse_features(layers[0].ws)
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

    def _keys(self, layers: Sequence[FeatureLayer]) -> list[bytes]:
        """Return a digest of each layer together with all below it."""
        digest, keys = hashlib.blake2b(digest_size=24), []
        for layer in layers:
            digest.update(layer.ws[:, : self._fine_start].detach().cpu().numpy().tobytes())
            digest.update(b"" if layer.mask is None else layer.mask.tobytes())
            keys.append(digest.digest())
        return keys


def surroundings_of(below: CoarseFeatures, mask: np.ndarray | None) -> Surroundings:
    """Return the surroundings of a patch with that mask, uint8 [M, M]."""
    assert mask is not None, "only the lowest layer has no mask"
    pixels = torch.from_numpy(np.array(mask))[None, None].to(below.features.device)
    return Surroundings(below, pixels.float() / 255)

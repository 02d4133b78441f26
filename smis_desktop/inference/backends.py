"""Making pictures from latents: the step that every backend does in its own way, and torch as the reference."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from torch import Tensor

from smis_desktop.generators.device import Precision, autocast_to
from smis_desktop.generators.feature_basis import FeatureBasis
from smis_desktop.generators.layers import Regions
from smis_desktop.generators.protocol import CoarseFeatures, Generator, draft_side

_REMEMBERED = 3
_QUICK_SIDE = 256


def quick_side(generator: Generator) -> int:
    """Side of the pictures that people paint by."""
    return draft_side(generator, _QUICK_SIDE)


class SynthesisBackend(Protocol):
    """A generator's forward pass, without gradients, a picture at a time."""

    @property
    def name(self) -> str:
        """For people: `OpenVINO, bfloat16`."""
        ...

    @property
    def precision(self) -> Precision:
        """What products are computed in; results are float32 always."""
        ...

    @property
    def lanes(self) -> int:
        """How many calls for label features from as many threads take less time at once than one after another."""
        ...

    def structure(self, ws: Tensor) -> CoarseFeatures:
        """As `Generator.structure`, for `ws` [1, num_ws, D]."""
        ...

    def label_features(self, ws: Tensor) -> dict[int, Tensor]:
        """As `Generator.label_features`, for `ws` [1, num_ws, D]: less than the structure."""
        ...

    def reduced_label_features(self, ws: Tensor, basis: FeatureBasis) -> dict[int, Tensor]:
        """`basis.reduced` of them, which may take far less than making them and reducing them."""
        ...

    def finish(self, structure: CoarseFeatures, ws: Tensor, side: int, regions: Regions | None) -> Tensor:
        """As `Generator.finish`, → [1, 3, side, side]; side one of the generator's `draft_sizes`."""
        ...


class TorchBackend:
    """The generator itself; in float32 it is the reference that other backends are held against."""

    def __init__(self, generator: Generator, precision: Precision = "float32") -> None:
        self._generator, self._precision = generator, precision

    @property
    def name(self) -> str:
        return f"torch, {self._precision}"

    @property
    def precision(self) -> Precision:
        return self._precision

    @property
    def lanes(self) -> int:
        return 1

    def structure(self, ws: Tensor) -> CoarseFeatures:
        with autocast_to(self._precision, ws.device):
            found = self._generator.structure(ws)
        features = {side: features.float() for side, features in found.label_features.items()}
        picture = None if found.picture is None else found.picture.float()
        return CoarseFeatures(features, found.features.float(), picture)

    def label_features(self, ws: Tensor) -> dict[int, Tensor]:
        with autocast_to(self._precision, ws.device):
            found = self._generator.label_features(ws)
        return {side: features.float() for side, features in found.items()}

    def reduced_label_features(self, ws: Tensor, basis: FeatureBasis) -> dict[int, Tensor]:
        return basis.reduced(self.label_features(ws), self._precision)

    def finish(self, structure: CoarseFeatures, ws: Tensor, side: int, regions: Regions | None) -> Tensor:
        with autocast_to(self._precision, ws.device):
            return self._generator.finish(structure, ws, side, regions).float()


class CachingBackend:
    """Another backend, whose last few structures are not computed again: a new style on the same layout needs none."""

    def __init__(self, pictures: SynthesisBackend, fine_start: int) -> None:
        """fine_start: the first of the fine slots, which structures do not depend on."""
        self._pictures, self._fine_start = pictures, fine_start
        self._known: OrderedDict[bytes, CoarseFeatures] = OrderedDict()

    @property
    def name(self) -> str:
        return self._pictures.name

    @property
    def precision(self) -> Precision:
        return self._pictures.precision

    @property
    def lanes(self) -> int:
        return self._pictures.lanes

    def structure(self, ws: Tensor) -> CoarseFeatures:
        key = ws[:, : self._fine_start].detach().cpu().numpy().tobytes()
        found = self._known.pop(key, None) or self._pictures.structure(ws)
        self._known[key] = found
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return found

    def label_features(self, ws: Tensor) -> dict[int, Tensor]:
        return self._pictures.label_features(ws)

    def reduced_label_features(self, ws: Tensor, basis: FeatureBasis) -> dict[int, Tensor]:
        return self._pictures.reduced_label_features(ws, basis)

    def finish(self, structure: CoarseFeatures, ws: Tensor, side: int, regions: Regions | None) -> Tensor:
        return self._pictures.finish(structure, ws, side, regions)

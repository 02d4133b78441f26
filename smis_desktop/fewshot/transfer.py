"""Label transfer: from a generator's feature maps to a label map, learned from the shots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

from smis_desktop.gan.protocol import Generator

LabelKind = Literal["dense", "sparse"]
TransferKind = Literal["probe", "vectors"]


@dataclass(frozen=True, eq=False)
class LatentShot:
    """A shot whose latents are known. `ws` [num_ws, 512]; `labels` int64 [r, r] in palette channels, -1 = unlabelled,
    r = the generator's `feature_resolution`."""

    name: str
    ws: Tensor
    labels: Tensor


class LabelTransfer(Protocol):
    """What learned from the shots where each class is. Its state dict and `kind` say all of it."""

    kind: TransferKind

    def read(self, generator: Generator, ws: Tensor) -> dict[int, Tensor]:
        """The feature maps of `ws` [N, num_ws, 512] that it needs, {r: [N, Z_r, r, r]}; no more is computed."""
        ...

    def scores(self, features: dict[int, Tensor]) -> Tensor:
        """Differentiable class scores (logits) [N, num_classes, r, r]; absent classes are at -inf."""
        ...

    def label(self, features: dict[int, Tensor]) -> Tensor:
        """int64 [N, r, r] in palette channels, -1 = unknown (only where the labels are sparse)."""
        ...

    def state_dict(self) -> dict[str, Tensor]: ...

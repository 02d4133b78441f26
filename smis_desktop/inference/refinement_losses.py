"""What refinement reads off a picture, and what it compares: classes, their colours, and features that are to stay."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.generators.coarse_features import Surroundings
from smis_desktop.generators.generator import Generator
from smis_desktop.generators.layers import Precision, Regions, autocast_to
from smis_desktop.personal_model.label_transfer import LabelTransfer, LinearProbe
from smis_desktop.personal_model.model import ClassColors, ColorReader, PersonalModel

RARITY = 0.1
"""Classes weigh by their area to the power of minus this, so that small ones (brows) count too, but not too much."""
REGION_RARITY = 0.4
"""The same once regions have latents of their own, which need not give up the one for the other."""
PATCH_RARITY = 0.5
"""The same in a patch."""
_MIN_AREA = 4
"""Pixels; a class of fewer weighs no more."""
_REPAINTED = 0.999
"""Cells with more of a patch than this are what it repaints: changed pixels, and small things that they belong to."""
_HELD_CHANNELS = 4
"""Every so many-th channel is held. Latents move all channels together, and fewer of them cost less."""
_MIN_FEATURE_STD = 1e-4
"""Channels that are constant over a picture are divided by this."""

Features = dict[int, Tensor]


class PictureReading:
    """What is read off the picture of some latents: the scores of its classes, and their colours.

    sides: at which classes are read, `feature_resolution` and, with a fine probe, twice that.
    """

    def __init__(
        self,
        generator: Generator,
        transfer: LabelTransfer,
        fine_probe: LinearProbe | None = None,
        feature_colors: Tensor | None = None,
        trust: Tensor | None = None,
        precision: Precision = "float32",
    ) -> None:
        """Args: fine_probe: of `Generator.fine_label_features`. feature_colors: weights of `learn_feature_colors`;
        without them colours change freely. trust: [C] in [0, 1], how much each class counts."""
        self._generator, self.transfer, self._fine, self._precision = generator, transfer, fine_probe, precision
        self._reader = None if feature_colors is None else ColorReader(transfer, feature_colors)
        self.trust = trust
        side, larger = generator.feature_resolution, generator.fine_feature_resolution
        self.sides: tuple[int, ...] = (side,) if fine_probe is None or larger == side else (side, larger)

    @classmethod
    def by(cls, model: PersonalModel, generator: Generator, precision: Precision) -> PictureReading:
        """Return how that model reads the generator's pictures."""
        device = generator.device
        colors = None if model.feature_colors is None else model.feature_colors.to(device)
        trust = None if model.trust is None else model.trust.to(device)
        return cls(generator, model.transfer, model.fine_probe, colors, trust, precision)

    def features(
        self, latents: Tensor, surroundings: Surroundings | None, regions: Regions | None, needs_fine: bool
    ) -> dict[int, Features]:
        """Compute the features of the picture of `latents`, float32: for each of `sides` those that are read there.

        Of a patch the largest side is the patch's own: it is read inside the mask only, and blending and its gradient
        would take a tenth of a step.

        Args:
            needs_fine: whether those of the second side are wanted.
        """
        generator, side = self._generator, self.sides[0]
        with autocast_to(self._precision, latents.device):
            if needs_fine:
                coarse = generator.coarse_features(latents, surroundings, regions)
                fine = generator.fine_label_features(coarse)
                found = {side: coarse.label_features, self.sides[1]: fine}
            else:
                found = {side: generator.label_features(latents, surroundings, regions)}
        found = {of_side: {r: maps.float() for r, maps in each.items()} for of_side, each in found.items()}
        if surroundings is None:
            return found
        return {of_side: {**each, **surroundings.around_labels(each, side)} for of_side, each in found.items()}

    def fine_scores(self, features: Features) -> Tensor:
        """Compute the class scores at the second side."""
        assert self._fine is not None, "there is a second side"
        return self._fine.scores(features)

    def scores_and_colors(self, features: Features, region: Tensor | None) -> tuple[Tensor, ClassColors | None]:
        """Compute class scores and colours at the first side. Args: region: how much each pixel counts for colours."""
        if self._reader is None:
            return self.transfer.scores(features), None
        return self._reader.scores_and_colors(features, region)

    def reference_colors(
        self, latents: Tensor, layout: Tensor, surroundings: Surroundings | None
    ) -> ClassColors | None:
        """Return the colours to keep: those of the picture around a patch, else those of the picture of `latents`.

        Args:
            layout: int64 [1, r, r] in channels, what the picture is to show.
        """
        if self._reader is None:
            return None
        region = None if surroundings is None else surroundings.at(layout.shape[-1])
        around = None
        if surroundings is not None:
            _, around = self._reader.scores_and_colors(surroundings.coarse.label_features)
            asked = layout[layout != UNKNOWN_CHANNEL].unique()
            if bool((around.area[0, asked] >= _MIN_AREA).all()):  # the patch brings no class that it alone has
                return around.where_it_has(_MIN_AREA, ClassColors(around.mean, torch.zeros_like(around.area)))
        features = self.features(latents, surroundings, None, needs_fine=False)[self.sides[0]]
        _, own = self._reader.scores_and_colors(features, region)
        return own if around is None else around.where_it_has(_MIN_AREA, own)


class Settled:
    """The cells around what a patch repaints where the picture beneath it shows what the layout asks for already, and
    their features there."""

    def __init__(self, transfer: LabelTransfer, layout: Tensor, surroundings: Surroundings) -> None:
        """Args: layout: int64 [1, r, r]; UNKNOWN_CHANNEL outside the region."""
        below = surroundings.coarse.label_features
        with torch.no_grad():
            is_repainted = surroundings.at(layout.shape[-1])[:, 0] > _REPAINTED
            is_right = (transfer.label(below) == layout) & (layout != UNKNOWN_CHANNEL)
            is_settled = (is_right & ~is_repainted)[0]
            # Only what lies around such cells: the features are a few megabytes, and this is done at every step.
            self.is_empty = not bool(is_settled.any())
            rows, columns = (torch.nonzero(is_settled.any(1 - axis))[:, 0].tolist() or [0] for axis in (0, 1))
            self._box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
            largest = below[max(below)].float()
            std = largest[:, ::_HELD_CHANNELS, ::2, ::2].std((2, 3), keepdim=True).clamp_min(_MIN_FEATURE_STD)
            mask = surroundings.at(layout.shape[-1])[0, 0]  # of a change this share shows
            share = (is_settled * mask.square())[self._box] / is_settled.sum().clamp_min(1) / len(std[0])
            self._scale = share.sqrt() / std
            self._below = self._in_box(largest) * self._scale

    def change_in(self, features: Features) -> Tensor:
        """Return the mean square by which the features of those cells differ, each channel in units of its deviation
        over the picture."""
        own = self._in_box(features[max(features)]) * self._scale
        return F.mse_loss(own, self._below, reduction="sum")

    def _in_box(self, maps: Tensor) -> Tensor:
        return maps[:, ::_HELD_CHANNELS, self._box[0], self._box[1]]


def pixel_weights(layout: Tensor, rarity: float, region: Tensor | None = None, trust: Tensor | None = None) -> Tensor:
    """Return weights in the shape of `layout` that sum to 1: more for pixels of rare classes, 0 for unknown ones.

    Args:
        rarity: classes weigh by their area to the power of minus this.
        region: [1, 1, r, r] in [0, 1], how much each pixel of a patch counts.
        trust: [C] in [0, 1], how much each class counts.
    """
    counts = torch.bincount(layout.flatten() - UNKNOWN_CHANNEL)[layout - UNKNOWN_CHANNEL].float()
    weights = torch.where(layout == UNKNOWN_CHANNEL, 0.0, counts.clamp_min(_MIN_AREA) ** -rarity)
    if region is not None:
        weights = weights * region[:, 0]
    if trust is not None:
        weights = weights * trust[layout.clamp_min(0)]
    return weights / weights.sum().clamp_min(1e-12)

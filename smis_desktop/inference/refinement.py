"""Refinement: gradient steps on `ws` until the labels predicted for the picture match the layout.

Moving all slots freely follows the layout and washes the picture out (docs/experiments/variety.md). So one `w` shared
by the slots up to the feature resolution moves, along the principal axes of real latents in units of their standard
deviation, with a penalty on its distance from the mean and one on changes of the classes' colours: the easiest way to
make a picture readable is to make it light. Style slots are not moved.

A patch is refined by what the picture shows with the patch in it, inside its region. Thin classes weigh more than in a
whole picture: a brow is all there is to see. Classes keep the colours that they have in the picture around it. Cells
that are not repainted and show what the layout asks for already keep their features (as embeddings of edited pictures
keep what a mask leaves out: Abdal et al. 2020, arXiv 1911.11544), which stops the loss from bleaching or shading a face
for the sake of thin glasses. So held, each slot of a patch may have a `w` of its own, by which it follows better.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.generators.coarse_features import Surroundings
from smis_desktop.generators.generator import Generator
from smis_desktop.generators.layers import Precision, autocast_to
from smis_desktop.personal_model.label_transfer import LabelTransfer
from smis_desktop.personal_model.model import ClassColors, ColorReader

_LEARNING_RATE = 0.07
_PRIOR = 0.05
_COLORS = 1.0
_RARITY = 0.1
"""Classes weigh by their area to the power of minus this, so that small ones (brows) count too, but not too much."""
_PATCH_RARITY = 0.5
"""The same in a patch."""
_PATCH_LEARNING_RATE = 0.1
_SETTLED = 2.0
"""Weight of changes of the features where a patch is to change nothing."""
_MIN_AREA = 4
"""Pixels; a class of fewer weighs no more."""
_REPAINTED = 0.999
"""Cells with more of a patch than this are what it repaints: changed pixels, and small things that they belong to."""
_HELD_CHANNELS = 4
"""Every so many-th channel is held. Latents move all channels together, and fewer of them cost less."""
_MIN_FEATURE_STD = 1e-4
"""Channels that are constant over a picture are divided by this."""
_MIN_STD = 1e-3
"""Axes whose standard deviation is less than this part of the widest one's are rounding errors: nothing moves there."""


def refine(
    generator: Generator,
    transfer: LabelTransfer,
    ws: Tensor,
    layout: Tensor,
    steps: int,
    precision: Precision = "float32",
    feature_colors: Tensor | None = None,
    reference_ws: Tensor | None = None,
    surroundings: Surroundings | None = None,
) -> Tensor:
    """Refine `ws` [1, num_ws, D] towards a layout.

    Args:
        layout: int64 [1, r, r] in channels; UNKNOWN_CHANNEL is ignored.
        feature_colors: weights of `learn_feature_colors`; without them colours change freely.
        reference_ws: `ws` of the picture whose colours are kept (default: those to begin with).
        surroundings: of a patch; only the layout inside its mask counts.

    Returns:
        The `ws` of lowest loss, the first included, so that the result is never worse by its own score.
    """
    region = None if surroundings is None else surroundings.at(layout.shape[-1])
    if region is not None:
        layout = torch.where(region[:, 0] > 0, layout, UNKNOWN_CHANNEL)
    if steps == 0 or not bool((layout != UNKNOWN_CHANNEL).any()):
        return ws
    structural, latents = generator.fine_slots.start, generator.latents
    own = ws[:, :structural]
    moving = own.mean(1, keepdim=True) if region is None else own
    axes = int((latents.std > _MIN_STD * latents.std[0]).sum())
    coordinates = latents.whiten(moving)[..., :axes]
    rest = own - latents.color(coordinates)  # with the offsets of single slots, by style mixing
    coordinates.requires_grad_()
    weights = _pixel_weights(layout, region)
    rate = _LEARNING_RATE if region is None else _PATCH_LEARNING_RATE
    adam = torch.optim.Adam([coordinates], lr=rate, betas=(0.9, 0.99))
    best_loss, best = torch.inf, ws
    read = _Reading(generator, transfer, feature_colors, precision, surroundings, region)
    settled = None if surroundings is None else _Settled(transfer, layout, surroundings)
    with torch.no_grad():
        reference_colors = read.reference_colors(ws if reference_ws is None else reference_ws, layout)
    with torch.enable_grad():
        for step in range(steps + 1):
            moved = torch.cat((latents.color(coordinates) + rest, ws[:, structural:]), 1)
            features = read.features(moved)
            scores, colors = read.scores_and_colors(features)
            cross_entropy = F.cross_entropy(scores, layout, ignore_index=UNKNOWN_CHANNEL, reduction="none")
            loss = (cross_entropy * weights).sum() + _PRIOR * coordinates.square().mean()
            if colors is not None and reference_colors is not None:
                loss = loss + _COLORS * colors.change_from(reference_colors).sum()
            if settled is not None and not settled.is_empty:
                loss = loss + _SETTLED * settled.change_in(features)
            if loss.item() < best_loss:
                best_loss, best = loss.item(), moved.detach()
            if step < steps:
                adam.zero_grad()
                loss.backward()
                adam.step()
    return best


class _Reading:
    """What is read off the picture of some latents: the scores of its classes, and their colours."""

    def __init__(
        self,
        generator: Generator,
        transfer: LabelTransfer,
        feature_colors: Tensor | None,
        precision: Precision,
        surroundings: Surroundings | None,
        region: Tensor | None,
    ) -> None:
        self._generator, self._transfer, self._precision = generator, transfer, precision
        self._surroundings, self._region = surroundings, region
        self._reader = None if feature_colors is None else ColorReader(transfer, feature_colors)

    def features(self, latents: Tensor) -> dict[int, Tensor]:
        """Compute the label features of the picture of `latents`, float32.

        Of a patch the largest side is the patch's own: it is read inside the mask only, and blending and its gradient
        would take a tenth of a step.
        """
        with autocast_to(self._precision, latents.device):
            own = self._generator.label_features(latents, self._surroundings)
        features = {side: maps.float() for side, maps in own.items()}
        if self._surroundings is None:
            return features
        largest = max(features)
        return {**self._surroundings.around_labels(features, largest), largest: features[largest]}

    def scores_and_colors(self, features: dict[int, Tensor]) -> tuple[Tensor, ClassColors | None]:
        if self._reader is None:
            return self._transfer.scores(features), None
        return self._reader.scores_and_colors(features, self._region)

    def reference_colors(self, latents: Tensor, layout: Tensor) -> ClassColors | None:
        """Return the colours to keep: those of the picture around a patch, else those of the picture of `latents`.

        Args:
            layout: int64 [1, r, r] in channels, what the picture is to show.
        """
        if self._reader is None or self._surroundings is None:
            return self.scores_and_colors(self.features(latents))[1]
        _, around = self._reader.scores_and_colors(self._surroundings.coarse.label_features)
        asked = layout[layout != UNKNOWN_CHANNEL].unique()
        if bool((around.area[0, asked] >= _MIN_AREA).all()):  # the patch brings no class that it alone has
            return around.where_it_has(_MIN_AREA, ClassColors(around.mean, torch.zeros_like(around.area)))
        _, own = self.scores_and_colors(self.features(latents))
        assert own is not None, "there is a reader"
        return around.where_it_has(_MIN_AREA, own)


class _Settled:
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

    def change_in(self, features: dict[int, Tensor]) -> Tensor:
        """Return the mean square by which the features of those cells differ, each channel in units of its deviation
        over the picture."""
        own = self._in_box(features[max(features)]) * self._scale
        return F.mse_loss(own, self._below, reduction="sum")

    def _in_box(self, maps: Tensor) -> Tensor:
        return maps[:, ::_HELD_CHANNELS, self._box[0], self._box[1]]


def _pixel_weights(layout: Tensor, region: Tensor | None) -> Tensor:
    """Return weights in the shape of `layout` that sum to 1: more for pixels of rare classes, 0 for unknown ones.

    Args:
        region: [1, 1, r, r] in [0, 1], how much each pixel of a patch counts.
    """
    rarity = _RARITY if region is None else _PATCH_RARITY
    counts = torch.bincount(layout.flatten() - UNKNOWN_CHANNEL)[layout - UNKNOWN_CHANNEL].float()
    weights = torch.where(layout == UNKNOWN_CHANNEL, 0.0, counts.clamp_min(_MIN_AREA) ** -rarity)
    if region is not None:
        weights = weights * region[:, 0]
    return weights / weights.sum()

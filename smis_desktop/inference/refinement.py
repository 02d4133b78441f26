"""Refinement: gradient steps on `ws` until the labels predicted for the picture match the layout.

Moving all slots freely follows the layout and washes the picture out (docs/experiments/variety.md). So one `w` shared
by the slots up to the feature resolution moves, along the principal axes of real latents in units of their standard
deviation, with a penalty on its distance from the mean and one on changes of the classes' colours: the easiest way to
make a picture readable is to make it light. Style slots are not moved.

A whole picture then goes on with one `w` for each region of its layout, held together by a penalty on what sets them
apart, and is read at twice the resolution, where brows and lids are more than a cell (docs/experiments/regions.md).

A patch is refined by what the picture shows with the patch in it, inside its region. Thin classes weigh more than in a
whole picture: a brow is all there is to see. Classes keep the colours that they have in the picture around it. Cells
that are not repainted and show what the layout asks for already keep their features (as embeddings of edited pictures
keep what a mask leaves out: Abdal et al. 2020, arXiv 1911.11544), which stops the loss from bleaching or shading a face
for the sake of thin glasses. So held, each slot of a patch may have a `w` of its own, by which it follows better.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.document.composition import Composition
from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.generators.coarse_features import Surroundings
from smis_desktop.generators.generator import Generator
from smis_desktop.generators.layers import Regions
from smis_desktop.inference.refinement_losses import (
    PATCH_RARITY,
    RARITY,
    REGION_RARITY,
    PictureReading,
    Settled,
    pixel_weights,
)
from smis_desktop.inference.things import mismatch_of_things, things_of

STEPS_OF_ONE_LATENT = 12
"""Steps before regions get latents of their own, and before labels are read at twice the resolution."""
_LEARNING_RATE = 0.07
_PATCH_LEARNING_RATE = 0.1
_PRIOR = 0.05
_APART = 0.05
"""Weight of the mean square of what sets the latents of regions apart."""
_COLORS = 1.0
_REGION_COLORS = 3.0
"""Weights of changes of the classes' colours: regions are freer, and drift into glaring colours more easily."""
_SETTLED = 2.0
"""Weight of changes of the features where a patch is to change nothing."""
_THINGS = 0.1
"""Weight of how badly small things match."""
_CHEAP_READING = 0.5
"""Weight of the labels read at `feature_resolution`, beside those read at twice that."""
_BETAS = (0.9, 0.99)
_EPSILON = 1e-8
_MIN_STD = 1e-3
"""Axes whose standard deviation is less than this part of the widest one's are rounding errors: nothing moves there."""


@dataclass(frozen=True, eq=False)
class RefinementTarget:
    """What a picture is to show, and how it is read.

    layouts: for each of the reading's sides int64 [1, r, r] in channels; UNKNOWN_CHANNEL is ignored. reference_ws: `ws`
    of the picture whose colours are kept, [1, num_ws, D]. region_masks: float32 [K, 1, M, M] of the regions that get
    latents of their own, which add up to 1 at most. surroundings: of a patch; only the layout inside its mask counts.
    """

    reading: PictureReading
    layouts: Mapping[int, Tensor]
    reference_ws: Tensor
    region_masks: Tensor | None = None
    surroundings: Surroundings | None = None


@dataclass(frozen=True, eq=False)
class Refinement:
    """How far the refinement of a picture has got; the next steps go on from here as if there had been no pause.

    composition: what the picture was made of to begin with. start: its topmost latents as rendered, [1, num_ws, D].
    region_masks: uint8 [MASK_SIDE, MASK_SIDE] of the regions that get latents of their own. steps: taken so far.
    first, places, best: coordinates to begin with, now, and where the loss was lowest: of the shared `w` [1, S', axes],
    then of each region [K, 1, axes]. moments: Adam's, two for each of `places`, after `moved` steps of their kind.
    """

    composition: Composition
    start: Tensor
    region_masks: tuple[np.ndarray, ...] = field(repr=False)
    steps: int
    first: tuple[Tensor, ...]
    places: tuple[Tensor, ...]
    best: tuple[Tensor, ...]
    best_loss: float = torch.inf
    moments: tuple[Tensor, ...] = ()
    moved: int = 0

    @property
    def is_where_it_began(self) -> bool:
        """Whether no step has found anything better than the beginning."""
        added = self.best[len(self.first) :]
        same = all(torch.equal(best, first) for best, first in zip(self.best, self.first, strict=False))
        return same and not any(bool(offsets.any()) for offsets in added)

    @cached_property
    def digest(self) -> bytes:
        """A digest of everything in the state."""
        digest = hashlib.blake2b(self.composition.digest + repr((self.steps, self.moved)).encode(), digest_size=24)
        for tensor in (self.start, *self.places, *self.moments):
            digest.update(tensor.detach().cpu().numpy().tobytes())
        for mask in self.region_masks:
            digest.update(mask.tobytes())
        return digest.digest()


def begun(
    generator: Generator,
    composition: Composition,
    start: Tensor,
    region_masks: Sequence[np.ndarray],
    region_offsets: Tensor | None = None,
) -> Refinement:
    """Return the state before the first step.

    Args:
        start: `ws` [1, num_ws, D] of the topmost latents, in their style.
        region_masks: uint8 [MASK_SIDE, MASK_SIDE] of the regions that a whole picture gets; none for a patch.
        region_offsets: [K, S, D], what the regions' latents have beyond `start` already.
    """
    latents, structural = generator.latents, generator.fine_slots.start
    axes = int((latents.std > _MIN_STD * latents.std[0]).sum())
    own = start[:, :structural]
    moving = own if composition.patches else own.mean(1, keepdim=True)
    places: tuple[Tensor, ...] = (latents.whiten(moving)[..., :axes],)
    steps = 0
    if region_offsets is not None:
        offsets = latents.whiten(latents.w_avg + region_offsets.mean(1, keepdim=True))[..., :axes]
        places, steps = (*places, offsets), STEPS_OF_ONE_LATENT
    return Refinement(composition, start, tuple(region_masks), steps, places, places, places)


def refine(generator: Generator, target: RefinementTarget, state: Refinement, steps: int) -> Refinement:
    """Take that many steps towards the target; the result's `best` is never worse than the state's by its own score."""
    if steps == 0 or not any(bool((layout != UNKNOWN_CHANNEL).any()) for layout in target.layouts.values()):
        return state
    last = state.steps + steps
    while state.steps < last:
        until = STEPS_OF_ONE_LATENT if state.steps < STEPS_OF_ONE_LATENT else last
        solve = _Solve(generator, target, state)
        state = solve.after(min(last, until) - state.steps)
    return state


def latents_at(generator: Generator, state: Refinement, places: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
    """Return what a state's places stand for: the shared latents [1, num_ws, D], and the offsets of the regions
    [K, 1, D] from them."""
    latents, structural = generator.latents, generator.fine_slots.start
    begun_at = state.start[:, :structural]
    moving = begun_at if state.places[0].shape[1] == structural else begun_at.mean(1, keepdim=True)
    axes = places[0].shape[-1]
    kept = begun_at - latents.color(latents.whiten(moving)[..., :axes])  # with the offsets of single slots, by mixing
    shared = torch.cat((latents.color(places[0]) + kept, state.start[:, structural:]), 1)
    return shared, latents.color(places[1]) - latents.w_avg if len(places) > 1 else None


class _Solve:
    """Steps of one kind: with a shared `w`, or with one for each region."""

    def __init__(self, generator: Generator, target: RefinementTarget, state: Refinement) -> None:
        self._generator, self._target, self._state = generator, target, state
        self._is_patch = target.surroundings is not None
        # Read finely, a patch of a few cells shows an eye's outline at any price: lids like bruises.
        self._is_second = state.steps >= STEPS_OF_ONE_LATENT and not self._is_patch
        places = state.places
        if self._is_second and len(places) == 1 and target.region_masks is not None:
            places = (state.best[0], places[0].new_zeros(len(target.region_masks), 1, places[0].shape[-1]))
        begins_anew = self._is_second and state.steps == STEPS_OF_ONE_LATENT
        self._has_begun = len(places) == len(state.places) and not begins_anew
        self._places = [place.detach().clone().requires_grad_() for place in places]
        self._regions = _with_rest(target.region_masks) if len(places) > 1 and target.region_masks is not None else None
        surroundings = target.surroundings
        self._sides = target.reading.sides if self._is_second else target.reading.sides[:1]
        self._layouts, self._weights = {}, {}
        for side in self._sides:
            layout, region = target.layouts[side], None
            if surroundings is not None:
                region = surroundings.at(side)
                layout = torch.where(region[:, 0] > 0, layout, UNKNOWN_CHANNEL)
            self._layouts[side] = layout
            rarity = PATCH_RARITY if region is not None else REGION_RARITY if self._is_second else RARITY
            self._weights[side] = pixel_weights(layout, rarity, region, target.reading.trust)
        self._things = things_of(self._layouts[self._sides[-1]]) if self._is_second else []
        cheap = target.reading.sides[0]
        self._settled = None
        if surroundings is not None:
            self._settled = Settled(target.reading.transfer, self._layouts[cheap], surroundings)
        with torch.no_grad():
            self._reference = target.reading.reference_colors(target.reference_ws, self._layouts[cheap], surroundings)

    def after(self, steps: int) -> Refinement:
        """Return the state after that many steps."""
        state = self._state
        rate = _PATCH_LEARNING_RATE if self._is_patch else _LEARNING_RATE
        moments = state.moments if self._has_begun else ()
        adam = _Adam(self._places, moments, state.moved if self._has_begun else 0)
        best_loss, best = (state.best_loss, state.best) if self._has_begun else (torch.inf, state.best)
        with torch.enable_grad():
            for _ in range(steps):
                loss = self._loss()
                if loss.item() < best_loss:
                    best_loss, best = loss.item(), tuple(place.detach().clone() for place in self._places)
                adam.step(torch.autograd.grad(loss, self._places), rate)
        with torch.no_grad():
            loss = self._loss()
        places = tuple(place.detach() for place in self._places)
        if loss.item() < best_loss:
            best_loss, best = loss.item(), tuple(place.clone() for place in places)
        return replace(
            state, steps=state.steps + steps, places=places, best=best, best_loss=best_loss, moments=adam.moments,
            moved=adam.steps,
        )  # fmt: skip

    def _loss(self) -> Tensor:
        target, reading = self._target, self._target.reading
        shared, offsets = latents_at(self._generator, self._state, self._places)
        latents = shared
        if offsets is not None:
            structural = self._generator.fine_slots.start
            moved = torch.cat(
                (shared[:, :structural] + offsets, shared[:, structural:].expand(len(offsets), -1, -1)), 1
            )
            latents = torch.cat((shared, moved))
        features = reading.features(latents, target.surroundings, self._regions, len(self._sides) > 1)
        cheap = self._sides[0]
        region = None if target.surroundings is None else target.surroundings.at(cheap)
        scores, colors = reading.scores_and_colors(features[cheap], region)
        loss = self._mismatch(scores, cheap)
        if len(self._sides) > 1:
            fine = self._sides[1]
            scores = reading.fine_scores(features[fine])
            loss = _CHEAP_READING * loss + self._mismatch(scores, fine)
        if self._things:
            things = mismatch_of_things(scores, self._layouts[self._sides[-1]], self._things, reading.trust)
            loss = loss + _THINGS * things
        loss = loss + _PRIOR * self._distance()
        if len(self._places) > 1:
            loss = loss + _APART * self._places[1].square().mean()
        if colors is not None and self._reference is not None:
            weight = _REGION_COLORS if self._is_second else _COLORS
            loss = loss + weight * colors.change_from(self._reference).sum()
        if self._settled is not None and not self._settled.is_empty:
            loss = loss + _SETTLED * self._settled.change_in(features[cheap])
        return loss

    def _mismatch(self, scores: Tensor, side: int) -> Tensor:
        cross_entropy = F.cross_entropy(scores, self._layouts[side], ignore_index=UNKNOWN_CHANNEL, reduction="none")
        return (cross_entropy * self._weights[side]).sum()

    def _distance(self) -> Tensor:
        """Return the mean square of the latents' coordinates, that of regions by their share of the picture."""
        shared, *apart = self._places
        if not apart or self._regions is None:
            return shared.square().mean()
        shares = self._regions.masks.mean((1, 2, 3))
        each = torch.cat((shared, shared + apart[0])).square().mean((1, 2))
        return (each * shares).sum()


class _Adam:
    """Adam (Kingma & Ba 2015, arXiv 1412.6980, algorithm 1) whose state can be taken along."""

    def __init__(self, places: Sequence[Tensor], moments: Sequence[Tensor], steps: int) -> None:
        self._places, self.steps = places, steps
        blank = [torch.zeros_like(place) for place in places for _ in range(2)]
        self._moments = [moment.clone() for moment in moments] or [moment.detach() for moment in blank]

    @property
    def moments(self) -> tuple[Tensor, ...]:
        return tuple(self._moments)

    @torch.no_grad()
    def step(self, gradients: Iterable[Tensor], rate: float) -> None:
        self.steps += 1
        first, second = _BETAS
        corrected = rate / (1 - first**self.steps)
        for i, (place, gradient) in enumerate(zip(self._places, gradients, strict=True)):
            mean, square = self._moments[2 * i : 2 * i + 2]
            mean.lerp_(gradient, 1 - first)
            square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
            scale = (square / (1 - second**self.steps)).sqrt_().add_(_EPSILON)
            place.addcdiv_(mean, scale, value=-corrected)


def _with_rest(masks: Tensor) -> Regions:
    """Return the regions [K + 1, 1, M, M], first what no mask takes, which has the shared latents."""
    return Regions(torch.cat(((1 - masks.sum(0, keepdim=True)).clamp_min(0), masks)))

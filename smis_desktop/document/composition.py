"""Compositions: a picture made of several latents, each in its own region of the generator's feature maps.

One latent describes a whole picture, so a new one changes all of it. A composition keeps the picture as it was and puts
a patch over it: where the patch's soft mask is 1 the features are those of the patch's latents, where it is 0 they are
exactly those from before. (The family: StyleMapGAN, Kim et al. 2021, arXiv 2104.14754; Barbershop, Zhu et al. 2021,
arXiv 2106.01505; Editing in Style, Collins et al. 2020, arXiv 2004.14367.)

Latents here are *plain*: without what a style adds to them. So one composition can be shown in any style.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce

import cv2
import numpy as np

from smis_desktop.document.palette import EMPTY
from smis_desktop.document.style import Look, Style

MASK_SIDE = 128
"""Side of every mask."""
EDGE = 0.06
"""The default width of a patch's soft edge, as a part of the picture's side."""
MAX_EDGE = 0.2
_CHANGE_SIDE = LOCK_SIDE = 256
"""Side at which changes of a layout are found."""
_REACH = 3
"""A mask ends this many edge widths from the nearest pixel that was repainted."""
_THING = 0.02
"""Connected regions of a class up to this part of the picture (an eye, a brow, a mouth) are repainted whole."""
_MOST_AT_ONCE = 1 / 3
"""When more than this part of the layout changes at once, the picture follows as a whole."""
_LEAST_LABELLED = 1 / 2
"""The same where less than this part of the layout is labelled: unlabelled pixels follow from the labelled ones."""
_LOCK_EDGE = 0.015
"""Width of the soft edge around locked classes."""
_INVISIBLE = 4 / 255
"""A patch that shows through those above it by less than this is dropped."""


@dataclass(frozen=True, eq=False)
class Patch:
    """One region of a composition.

    ws: float32 [S, D], plain latents of the S structural slots, read-only. mask: uint8 [MASK_SIDE, MASK_SIDE],
    read-only; 255 = the patch alone. look: a look of its own, or None for that of the picture.
    """

    ws: np.ndarray = field(repr=False)
    mask: np.ndarray = field(repr=False)
    look: Look | None = None

    @cached_property
    def digest(self) -> bytes:
        """A digest of everything in the patch."""
        return _digest(self.ws, self.mask, repr(self.look).encode())


@dataclass(frozen=True, eq=False)
class Region:
    """A region of a composition's base with latents of its own.

    offset: float32 [S, D], read-only, what its latents of the S structural slots have beyond the base's. mask: uint8
    [MASK_SIDE, MASK_SIDE], read-only; those of all regions add up to 255 at most, the base alone has the rest.
    """

    offset: np.ndarray = field(repr=False)
    mask: np.ndarray = field(repr=False)

    @cached_property
    def digest(self) -> bytes:
        """A digest of everything in the region."""
        return _digest(self.offset, self.mask)


@dataclass(frozen=True, eq=False)
class Composition:
    """Everything that a picture is made of, but for its style.

    base: float32 [num_ws, D], plain latents, read-only. regions: of the base, side by side, where the channel scales
    of its latents are blended. patches: from the bottom up. takes_variety: whether a style's variety acts on it; False
    for a photo, which has all of its own. held: what lies over all of it.
    """

    base: np.ndarray = field(repr=False)
    patches: tuple[Patch, ...] = ()
    takes_variety: bool = True
    held: Held | None = None
    regions: tuple[Region, ...] = ()

    @cached_property
    def digest(self) -> bytes:
        """A digest of everything in the composition."""
        parts = (*(patch.digest for patch in self.patches), self.held.digest if self.held else b"")
        regions = (b"regions", *(region.digest for region in self.regions)) if self.regions else ()
        return _digest(self.base, *parts, repr(self.takes_variety).encode(), *regions)

    def has_base_of(self, other: Composition) -> bool:
        """Return whether both show the same picture beneath their patches."""
        return np.array_equal(self.base, other.base) and [region.digest for region in self.regions] == [
            region.digest for region in other.regions
        ]

    def with_patch(self, patch: Patch) -> Composition:
        """Return the composition with one more patch on top."""
        return replace(self, patches=(*self.patches, patch))

    def shown_in(self, mask: np.ndarray, slots: int) -> np.ndarray:
        """Return the mean of the latents that show in a region, float32 [slots, D], each by its share of it.

        Args:
            mask: uint8 [MASK_SIDE, MASK_SIDE].
            slots: the number of structural slots.
        """
        box = _bounding_box(mask > 0)
        left = mask[box] / np.float32(255)
        mean = np.zeros_like(self.base[:slots])
        total = left.sum()
        for patch in reversed(self.patches):
            within = patch.mask[box]
            if not within.any():
                continue
            own = within / np.float32(255) * left
            mean += own.sum() / total * patch.ws[:slots]
            left = left - own
        mean += left.sum() / total * self.base[:slots]
        for region in self.regions:
            mean += (region.mask[box] / np.float32(255) * left).sum() / total * region.offset[:slots]
        return mean

    def settled(self) -> Composition:
        """Return the composition without the patches that those above them hide."""
        left = np.ones((MASK_SIDE, MASK_SIDE))
        kept: list[Patch] = []
        for patch in reversed(self.patches):
            mask = patch.mask / 255
            if (mask * left).max() >= _INVISIBLE:
                kept.append(patch)
                left = left * (1 - mask)
        return self if len(kept) == len(self.patches) else replace(self, patches=tuple(reversed(kept)))


def blended(first: Composition, second: Composition, part: float) -> Composition:
    """Return what lies between two compositions: `first` at part = 0, `second` at 1.

    Base latents are interpolated, and those of regions with them. Patches that both begin with stay; the others of
    `first` fade out, those of `second` in. Of two different looks of locked classes, the one that is nearer.
    """
    common = 0
    for one, other in zip(first.patches, second.patches, strict=False):
        if one.digest != other.digest:
            break
        common += 1
    if part in (0.0, 1.0):
        return first if part == 0 else second
    base = ((1 - part) * first.base + part * second.base).astype(np.float32)
    leaving = tuple(replace(patch, mask=_faded(patch.mask, 1 - part)) for patch in first.patches[common:])
    coming = tuple(replace(patch, mask=_faded(patch.mask, part)) for patch in second.patches[common:])
    held, strength = (first.held, 1 - part) if part < 1 / 2 else (second.held, part)
    both = first.held is not None and second.held is not None and first.held.digest == second.held.digest
    if held is not None and not both:
        held = replace(held, mask=_faded(held.mask, strength))
    base.setflags(write=False)
    patches = (*first.patches[:common], *leaving, *coming)
    return Composition(base, patches, first.takes_variety, held, _blended_regions(first, second, part))


def _blended_regions(first: Composition, second: Composition, part: float) -> tuple[Region, ...]:
    """Return the regions of what lies between two compositions: at every place the interpolated latents of both."""
    if first.has_base_of(second):
        return first.regions
    # An offset half as large in a mask is the offset in half the mask, and masks may not add up to more than 1.
    both = [
        replace(region, mask=_faded(region.mask, strength))
        for composition, strength in ((first, 1 - part), (second, part))
        for region in composition.regions
    ]
    return tuple(region for region in both if region.mask.any())


def _faded(mask: np.ndarray, strength: float) -> np.ndarray:
    faded = np.round(mask * strength).astype(np.uint8)
    faded.setflags(write=False)
    return faded


@dataclass(frozen=True, eq=False)
class ClassLock:
    """Classes whose look never changes: the picture, its style and its layout from when they were locked.

    layout: uint8 [LOCK_SIDE, LOCK_SIDE], read-only, as `ClassLock.of` reduces it.
    """

    composition: Composition
    style: Style
    layout: np.ndarray = field(repr=False)
    class_ids: frozenset[int]

    @classmethod
    def of(cls, composition: Composition, style: Style, layout: np.ndarray, class_ids: frozenset[int]) -> ClassLock:
        """Lock classes of a picture with that layout, uint8 [H, H]."""
        small = _sampled(layout)
        small.setflags(write=False)
        return cls(replace(composition, held=None), style, small, class_ids)

    @cached_property
    def digest(self) -> bytes:
        """A digest of everything in the lock."""
        facts = repr((self.style, sorted(self.class_ids))).encode()
        return _digest(self.layout, self.composition.digest, facts)

    def held_in(self, layout: np.ndarray) -> Held | None:
        """Return what the lock holds in a picture of `layout`, uint8 [H, H]: the places where a locked class was and
        still is. None where there are none."""
        now = _sampled(layout)
        kept = np.where(self.layout == now, now, np.uint8(EMPTY))
        mask = class_region(kept, self.class_ids - {EMPTY}, _LOCK_EDGE)
        return Held(self, mask) if mask.any() else None


@dataclass(frozen=True, eq=False)
class Held:
    """What a class lock holds in one picture.

    mask: uint8 [MASK_SIDE, MASK_SIDE], read-only; 255 = nothing else shows.
    """

    lock: ClassLock
    mask: np.ndarray = field(repr=False)

    @cached_property
    def digest(self) -> bytes:
        """A digest of everything that is held."""
        return _digest(self.mask, self.lock.composition.digest, repr(self.lock.style).encode())


@dataclass(frozen=True, eq=False)
class Repaint:
    """A request to repaint a picture only where its layout has changed.

    beneath: the picture's composition. layout: uint8 [H, H], the layout that it shows, read-only. edge: width of the
    soft edge, as a part of the side. mask: uint8 [MASK_SIDE, MASK_SIDE], the region, where it is not to follow from the
    layouts. look: of the patch, or None for that of the picture.
    """

    beneath: Composition
    layout: np.ndarray = field(repr=False)
    edge: float = EDGE
    mask: np.ndarray | None = field(default=None, repr=False)
    look: Look | None = None

    @cached_property
    def digest(self) -> bytes:
        """A digest of everything in the request."""
        mask = b"" if self.mask is None else self.mask
        return _digest(self.layout, mask, self.beneath.digest, repr((self.edge, self.look)).encode())


def repainted_region(before: np.ndarray, after: np.ndarray, edge: float = EDGE) -> np.ndarray:
    """Return the soft mask of what differs between two layouts, uint8 [MASK_SIDE, MASK_SIDE]; 0 if nothing does.

    It is 255 at every pixel that differs and on every small thing that was touched, falls off from there, and is 0 from
    three edge widths on.

    Args:
        before: uint8 [H, H] class ids; after: the same, of any size.
    """
    before, after = _in_one_size(before, after)
    differs = cv2.absdiff(before, after)
    touched = changed = _cells(differs)
    if not changed.any():
        return np.zeros((MASK_SIDE, MASK_SIDE), np.uint8)
    side = len(before) // _CHANGE_SIDE
    box = tuple(slice(side * part.start, side * part.stop) for part in _bounding_box(changed))
    for layout in (before, after):
        class_ids = np.flatnonzero(cv2.calcHist([layout[box]], [0], differs[box], [256], [0, 256]))
        touched = touched | _touched_things(_sampled(layout), class_ids, changed)
    half = max(1, round(edge * _CHANGE_SIDE * _REACH / 4))  # of each average; both together reach twice as far
    grown = cv2.dilate(touched.view(np.uint8) * np.uint8(255), np.ones((4 * half + 3, 4 * half + 3), np.uint8))
    soft: np.ndarray = grown.astype(np.float32)
    for _ in range(2):
        soft = cv2.blur(soft, (2 * half + 1, 2 * half + 1), borderType=cv2.BORDER_REPLICATE)
    # Rounded down: what is 0 at the finer side stays 0.
    small = cv2.resize(soft, (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_AREA) + 1e-3
    mask: np.ndarray = np.floor(small).astype(np.uint8)
    mask.setflags(write=False)
    return mask


def follows_as_a_whole(before: np.ndarray, after: np.ndarray) -> bool:
    """Return whether the picture of `after`, uint8 [H, H], is to be made anew and not as a change of that of `before`.

    That is where more than a third changes at once, and where most of the layout is unlabelled.
    """
    unlabelled = np.count_nonzero(after == EMPTY) / after.size
    return bool(
        unlabelled > 1 - _LEAST_LABELLED or _cells(cv2.absdiff(*_in_one_size(before, after))).mean() > _MOST_AT_ONCE
    )


def class_region(layout: np.ndarray, class_ids: frozenset[int], edge: float) -> np.ndarray:
    """Return the soft mask of some classes of a layout, uint8 [MASK_SIDE, MASK_SIDE]: 255 on all their pixels."""
    others = np.where(np.isin(layout, list(class_ids)), np.uint8(0), np.uint8(1))
    return repainted_region(others, np.ones_like(others), edge)


def _in_one_size(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both layouts at one size that whole cells divide."""
    if before.shape == after.shape and len(after) % _CHANGE_SIDE == 0:
        return before, after
    side = -(-max(len(before), len(after)) // _CHANGE_SIDE) * _CHANGE_SIDE
    return _sampled(before, side), _sampled(after, side)


def _cells(pixels: np.ndarray) -> np.ndarray:
    """Return which cells hold a pixel that is not 0, bool [256, 256]."""
    side = len(pixels) // _CHANGE_SIDE
    rows = reduce(np.bitwise_or, (pixels[first::side] for first in range(side)))
    cells: np.ndarray = reduce(np.bitwise_or, (rows[:, first::side] for first in range(side))) != 0
    return cells


def _bounding_box(cells: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns between the first and the last cells that are True; there is at least one."""
    rows, columns = (np.flatnonzero(cells.any(axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _touched_things(layout: np.ndarray, class_ids: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """Return the small connected regions of some classes that a change touches, bool [256, 256].

    Args:
        layout: uint8 [256, 256].
    """
    near = cv2.dilate(changed.view(np.uint8), np.ones((3, 3), np.uint8)) > 0
    touched = np.zeros_like(changed)
    pixels, side = layout.copy(), len(layout)
    for class_id in class_ids[class_ids != EMPTY]:
        left = near & (layout == class_id)
        while left.any():
            y, x = divmod(int(left.argmax()), side)
            filled = np.zeros((side + 2, side + 2), np.uint8)
            area, *_ = cv2.floodFill(pixels, filled, (x, y), 0, flags=8 | cv2.FLOODFILL_MASK_ONLY)
            part = filled[1:-1, 1:-1] > 0
            left &= ~part
            if area <= _THING * changed.size:
                touched |= part
    return touched


def _sampled(layout: np.ndarray, side: int = _CHANGE_SIDE) -> np.ndarray:
    """Return the pixel under the centre of each cell, uint8 [side, side]."""
    if len(layout) % side == 0:
        step = len(layout) // side
        return np.ascontiguousarray(layout[step // 2 :: step, step // 2 :: step])
    under = (np.arange(side) * 2 + 1) * len(layout) // (2 * side)
    sampled: np.ndarray = layout[np.ix_(under, under)]
    return sampled


def _digest(*parts: np.ndarray | bytes) -> bytes:
    digest = hashlib.blake2b(digest_size=24)
    for part in parts:
        if isinstance(part, bytes):
            digest.update(f"{len(part)} ".encode() + part)
        else:
            digest.update(repr(part.shape).encode() + np.ascontiguousarray(part).tobytes())
    return digest.digest()

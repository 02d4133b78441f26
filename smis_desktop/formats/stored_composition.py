"""Compositions in projects: the patches and class locks of all pictures, each once, and which picture has which.

Latents are float32 entries, masks and layouts are PNGs in grey; they are named by a digest of their content, so that
what several pictures have in common is stored once.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from typing import Annotated, TypeVar

import msgspec
import numpy as np
from PIL import Image

from smis_desktop.document.composition import LOCK_SIDE, MASK_SIDE, ClassLock, Composition, Held, Patch, Region
from smis_desktop.document.style import LookSchema, StyleSchema
from smis_desktop.formats.project_entries import EntryReader, EntryWriter

MAX_PATCHES = 2000
"""Of one composition."""
MAX_REGIONS = 32
"""The same."""
_MAX_SHARED = 10_000
"""Patches of one file, and the same number of class locks."""
_MAX_SLOTS = 64
_MAX_COLUMNS = 2048
_MAX_PNG = 1 << 17
"""Bytes of a mask or layout, with room for random pixels."""

_Shared = TypeVar("_Shared")
_Index = Annotated[int, msgspec.Meta(ge=0)]
_Indices = Annotated[list[_Index], msgspec.Meta(max_length=MAX_PATCHES)]
_Slots = Annotated[int, msgspec.Meta(ge=1, le=_MAX_SLOTS)]
_Columns = Annotated[int, msgspec.Meta(ge=1, le=_MAX_COLUMNS)]


class LatentsSchema(msgspec.Struct, frozen=True):
    """Latents in JSON. entry: float32 [slots, columns], little-endian; shape: of it."""

    entry: str
    shape: tuple[_Slots, _Columns]


class PatchSchema(msgspec.Struct, frozen=True, omit_defaults=True):
    """A patch in JSON. mask: the entry of its mask."""

    ws: LatentsSchema
    mask: str
    look: LookSchema | msgspec.UnsetType = msgspec.UNSET


class HeldSchema(msgspec.Struct, frozen=True):
    """What a class lock holds in a picture, in JSON. lock: its place among those of the file. mask: as of a patch."""

    lock: _Index
    mask: str


class RegionSchema(msgspec.Struct, frozen=True):
    """A region of a composition's base in JSON. mask: the entry of its mask."""

    offset: LatentsSchema
    mask: str


class CompositionSchema(msgspec.Struct, frozen=True, omit_defaults=True):
    """A composition in JSON. patches: their places among those of the file."""

    base: LatentsSchema
    patches: _Indices = msgspec.field(default_factory=list)
    takes_variety: bool = True
    held: HeldSchema | msgspec.UnsetType = msgspec.UNSET
    regions: Annotated[list[RegionSchema], msgspec.Meta(max_length=MAX_REGIONS)] = msgspec.field(default_factory=list)


class LockSchema(msgspec.Struct, frozen=True):
    """A class lock in JSON. composition: holds nothing itself. layout: the entry of its layout."""

    composition: CompositionSchema
    style: StyleSchema
    layout: str
    class_ids: Annotated[list[Annotated[int, msgspec.Meta(ge=0, le=255)]], msgspec.Meta(max_length=256)]


class SharedSchema(msgspec.Struct, frozen=True):
    """The patches and class locks of a file, each once, in JSON."""

    patches: Annotated[list[PatchSchema], msgspec.Meta(max_length=_MAX_SHARED)] = msgspec.field(default_factory=list)
    locks: Annotated[list[LockSchema], msgspec.Meta(max_length=_MAX_SHARED)] = msgspec.field(default_factory=list)


class CompositionWriter:
    """Puts compositions into a project's entries."""

    def __init__(self, entries: EntryWriter) -> None:
        self._entries = entries
        self._names: set[str] = set()
        self._patches: dict[bytes, tuple[int, PatchSchema]] = {}
        self._locks: dict[bytes, tuple[int, LockSchema]] = {}

    def put(self, composition: Composition) -> CompositionSchema | None:
        """Store a composition; None if it is larger than what a file may hold: its picture is then made anew."""
        composition = composition if len(composition.patches) <= MAX_PATCHES else composition.settled()
        if not self._fits(composition):
            return None
        return self._composition(composition)

    def shared(self) -> SharedSchema:
        """Return what the compositions that were put share."""
        patches, locks = self._patches.values(), self._locks.values()
        return SharedSchema([facts for _, facts in patches], [facts for _, facts in locks])

    def _fits(self, composition: Composition) -> bool:
        """Return whether readers take the composition, and whether the file has room for it."""
        parts = list(_with_held(composition))
        latents = [part.base for part in parts]
        latents += [patch.ws for part in parts for patch in part.patches]
        latents += [region.offset for part in parts for region in part.regions]
        return (
            len(self._locks) < _MAX_SHARED
            and len(self._patches) + sum(len(part.patches) for part in parts) <= _MAX_SHARED
            and len(parts) <= 2
            and all(len(part.patches) <= MAX_PATCHES and len(part.regions) <= MAX_REGIONS for part in parts)
            and all(len(ws) <= _MAX_SLOTS and ws.shape[1] <= _MAX_COLUMNS and np.isfinite(ws).all() for ws in latents)
        )

    def _composition(self, composition: Composition) -> CompositionSchema:
        held = composition.held
        return CompositionSchema(
            self._latents(composition.base),
            [self._patch(patch) for patch in composition.patches],
            composition.takes_variety,
            msgspec.UNSET if held is None else HeldSchema(self._lock(held.lock), self._plane(held.mask)),
            [RegionSchema(self._latents(region.offset), self._plane(region.mask)) for region in composition.regions],
        )

    def _patch(self, patch: Patch) -> int:
        if patch.digest not in self._patches:
            look = msgspec.UNSET if patch.look is None else LookSchema.of(patch.look)
            facts = PatchSchema(self._latents(patch.ws), self._plane(patch.mask), look)
            self._patches[patch.digest] = len(self._patches), facts
        return self._patches[patch.digest][0]

    def _lock(self, lock: ClassLock) -> int:
        if lock.digest not in self._locks:
            facts = LockSchema(
                self._composition(lock.composition),
                StyleSchema.of(lock.style),
                self._plane(lock.layout),
                sorted(lock.class_ids),
            )
            self._locks[lock.digest] = len(self._locks), facts
        return self._locks[lock.digest][0]

    def _latents(self, ws: np.ndarray) -> LatentsSchema:
        entry = self._entry("f32", np.ascontiguousarray(ws, "<f4").tobytes())
        return LatentsSchema(entry, (ws.shape[0], ws.shape[1]))

    def _plane(self, pixels: np.ndarray) -> str:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=6)
        return self._entry("png", buffer.getvalue())

    def _entry(self, kind: str, data: bytes) -> str:
        name = f"compositions/{hashlib.sha256(data).hexdigest()[:24]}.{kind}"
        if name not in self._names:
            self._names.add(name)
            self._entries.put(name, data)
        return name


class CompositionReader:
    """Reads compositions from a project's entries; what they share is read once."""

    def __init__(self, entries: EntryReader, shared: SharedSchema) -> None:
        """Read what the compositions share. Raises ValueError, or what the entries raise, for what is damaged."""
        self._entries = entries
        self._arrays: dict[tuple[str, tuple[int, ...]], np.ndarray] = {}
        self._patches = [
            Patch(
                self._latents(patch.ws),
                self._plane(patch.mask, MASK_SIDE),
                None if isinstance(patch.look, msgspec.UnsetType) else patch.look.look(),
            )
            for patch in shared.patches
        ]
        self._locks: list[ClassLock] = []  # still empty when theirs are read: a lock's composition holds nothing
        self._locks = [self._lock(lock) for lock in shared.locks]

    def composition(self, facts: CompositionSchema) -> Composition:
        """Return a composition. Raises ValueError, or what the entries raise, for what is damaged."""
        base = self._latents(facts.base)
        patches = tuple(_of(self._patches, number) for number in facts.patches)
        if any(len(patch.ws) > len(base) or patch.ws.shape[1] != base.shape[1] for patch in patches):
            raise ValueError("a patch of another generator")
        regions = tuple(
            Region(self._latents(region.offset), self._plane(region.mask, MASK_SIDE)) for region in facts.regions
        )
        if any(len(region.offset) > len(base) or region.offset.shape[1] != base.shape[1] for region in regions):
            raise ValueError("a region of another generator")
        held = None
        if not isinstance(facts.held, msgspec.UnsetType):
            held = Held(_of(self._locks, facts.held.lock), self._plane(facts.held.mask, MASK_SIDE))
        return Composition(base, patches, facts.takes_variety, held, regions)

    def _lock(self, facts: LockSchema) -> ClassLock:
        layout, class_ids = self._plane(facts.layout, LOCK_SIDE), frozenset(facts.class_ids)
        return ClassLock(self.composition(facts.composition), facts.style.style(), layout, class_ids)

    def _latents(self, facts: LatentsSchema) -> np.ndarray:
        known = self._arrays.get((facts.entry, facts.shape))
        if known is None:
            slots, columns = facts.shape
            data = self._entries.read(facts.entry, slots * columns * 4)
            known = np.frombuffer(data, "<f4").reshape(facts.shape).astype(np.float32)
            if not np.isfinite(known).all():
                raise ValueError("latents that are not finite")
            known.setflags(write=False)
            self._arrays[facts.entry, facts.shape] = known
        return known

    def _plane(self, entry: str, side: int) -> np.ndarray:
        """Return a mask or a layout, uint8 [side, side]."""
        known = self._arrays.get((entry, (side,)))
        if known is None:
            with Image.open(io.BytesIO(self._entries.read(entry, _MAX_PNG)), formats=["PNG"]) as image:
                if image.mode != "L" or image.size != (side, side):
                    raise ValueError("a mask of another kind")
                known = np.array(image, np.uint8)
            known.setflags(write=False)
            self._arrays[entry, (side,)] = known
        return known


def _with_held(composition: Composition) -> Iterator[Composition]:
    part: Composition | None = composition
    while part is not None:
        yield part
        part = None if part.held is None else part.held.lock.composition


def _of(shared: list[_Shared], number: int) -> _Shared:
    if number >= len(shared):
        raise ValueError(f"a part number {number} of {len(shared)}")
    return shared[number]

"""Repainting: what each state of the document adds to the picture of the state that it came from.

A picture rests once refinement has had a look at it. What is painted from then on is put into it as one patch, which
grows until the picture rests again. Every state of the document keeps what its picture is made of, so that undo and
redo bring that picture back, byte for byte.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

import numpy as np

from smis_desktop.document.composition import EDGE, ClassLock, Composition, Repaint, class_region
from smis_desktop.document.style import KEPT_OF_REFINEMENT, Anchor, Look, Style

_LARGEST_UNRESTED = 0.15
"""A patch that covers more of the picture than this rests even if it has not been refined: it would soon be so large
that the picture follows as a whole."""


@dataclass(frozen=True, eq=False)
class _Resting:
    """A picture that rests: the layout that it shows, uint8 [H, H], deflated, and what it is made of."""

    composition: Composition
    _shape: tuple[int, ...]
    _pixels: bytes = field(repr=False)

    @classmethod
    def of(cls, layout: np.ndarray, composition: Composition) -> _Resting:
        return cls(composition.settled(), layout.shape, zlib.compress(layout.tobytes(), 1))

    def layout(self) -> np.ndarray:
        return np.frombuffer(zlib.decompress(self._pixels), np.uint8).reshape(self._shape)


@dataclass(frozen=True, eq=False)
class _Moment:
    """The picture of one state of the document.

    resting: what it was put into; None for a whole picture. mask: uint8 [MASK_SIDE, MASK_SIDE], where, if not where the
    layout differs. look: of what was put in, if not that of the picture. anchor: what a whole picture starts from.
    composition: what it is made of; None until it has been rendered. refined: refinement steps that it has taken.
    structural: `Style.structural` of that time, None if any will do.
    """

    resting: _Resting | None = None
    mask: np.ndarray | None = field(default=None, repr=False)
    look: Look | None = None
    anchor: Anchor | None = None
    composition: Composition | None = None
    refined: int = 0
    structural: tuple[object, ...] | None = None

    @property
    def rests(self) -> bool:
        """Whether what is painted next is put into this picture."""
        if self.composition is None:
            return False
        if self.refined or self.resting is None or not self.composition.patches:
            return True
        return bool((self.composition.patches[-1].mask > 0).mean() > _LARGEST_UNRESTED)


@dataclass(frozen=True, eq=False)
class Beginning:
    """What a picture's latents begin with: of a photo its anchor, of a restored picture its composition and the
    refinement steps that it has taken. generator: the name of the generator whose latents they are."""

    anchor: Anchor | None = None
    composition: Composition | None = None
    refined: int = 0
    generator: str | None = None

    def of_generator(self, name: str) -> Beginning:
        """Return what of it a generator can show."""
        return self if self.generator in (None, name) else Beginning(self.anchor)


@dataclass(frozen=True, eq=False)
class Basis:
    """The part of a request that says what the picture is made from; see `PictureRequest`. refined: refinement steps
    that `composition` has taken."""

    repaint: Repaint | None = None
    anchor: Anchor | None = None
    composition: Composition | None = None
    lock: ClassLock | None = None
    refined: int = 0


class Repainting:
    """Remembers the pictures of the document's states, and says what the next one is made from.

    States are told apart by their marks: objects that live as long as the state can come back.
    """

    def __init__(self, all_steps: int) -> None:
        """Args: all_steps: refinement steps after which a picture is finished."""
        self.keeps_rest = True
        """Whether what is not repainted stays; else the whole picture follows every change."""
        self.edge = EDGE
        """Width of the soft edge, as a part of the picture's side."""
        self._all_steps = all_steps
        self._moments: WeakKeyDictionary[object, _Moment] = WeakKeyDictionary()
        self._now, self._layout = _Moment(), np.empty((0, 0), np.uint8)
        self._photo: Anchor | None = None
        self._lock: ClassLock | None = None
        self._generator: str | None = None
        self._returned = False
        self._rested: tuple[_Moment, _Resting] | None = None
        self._last_repaint: tuple[_Resting, Repaint] | None = None

    @property
    def photo(self) -> Anchor | None:
        """The photo that the painting started from, if any."""
        return self._photo

    @property
    def beginning(self) -> Beginning:
        """What the present picture can be begun with again."""
        return Beginning(self._photo, self._now.composition, self._now.refined, self._generator)

    @property
    def locked_classes(self) -> frozenset[int]:
        """Classes whose look never changes."""
        return frozenset() if self._lock is None else self._lock.class_ids

    # What pictures are made from

    def start(self, mark: object, beginning: Beginning) -> None:
        """Forget all pictures; the document in the state `mark` begins with that."""
        self._moments.clear()
        held = None if beginning.composition is None else beginning.composition.held
        self._generator = beginning.generator
        self._photo, self._lock = beginning.anchor, None if held is None else held.lock
        self._now = _Moment(anchor=beginning.anchor, composition=beginning.composition, refined=beginning.refined)
        self._returned = beginning.composition is not None
        self._moments[mark] = self._now

    def basis(self, mark: object | None, layout: np.ndarray, style: Style) -> Basis:
        """Return what the picture of the present layout, uint8 [H, H], is made from.

        Args:
            mark: of the document's state; None while a stroke is under way.
        """
        known = None if mark is None else self._moments.get(mark)
        if known is None:
            known = self._next(layout, style)
        elif known is not self._now:
            self._returned = True
            known = replace(known, structural=style.structural)
        elif known.structural is None:
            known = replace(known, structural=style.structural)
        elif _is_another_face(known, style):
            known = _Moment(anchor=self._photo, structural=style.structural)
        if mark is not None:
            self._take(known, mark, layout)
        return self._basis(known)

    def in_style(self, style: Style) -> Basis:
        """Return what the present picture is made from in another style."""
        if _is_another_face(self._now, style):
            return Basis(anchor=self._photo, lock=self._lock)
        return self._basis(self._now)

    def end_stroke(self, mark: object, layout: np.ndarray, style: Style) -> None:
        """Let the state after a stroke have the picture that was asked for while it was painted."""
        if mark not in self._moments:
            self._take(self._next(layout, style), mark, layout)

    def remember(self, mark: object, composition: Composition, refined: int, style: Style) -> None:
        """Note what the picture of the present state turned out to be made of."""
        anchor = self._now.anchor
        refined = self._now.refined if self._returned and self._now.composition is not None else refined
        if not composition.patches and composition.takes_variety:
            anchor = Anchor(self._layout, composition.base, weight=KEPT_OF_REFINEMENT, keeps_style=False)
        self._now = replace(
            self._now, composition=composition, refined=refined, anchor=anchor, structural=style.structural
        )
        self._moments[mark] = self._now

    def follow_as_a_whole(self, mark: object) -> None:
        """Let the picture of the state `mark` be made anew, as a whole."""
        self._begin(mark, _Moment(anchor=self._photo))

    @property
    def is_rendered(self) -> bool:
        """Whether it is known what the present picture is made of."""
        return self._now.composition is not None

    def shows(self, class_ids: frozenset[int]) -> bool:
        """Return whether the layout of the present picture shows one of these classes."""
        return bool(np.isin(self._layout, list(class_ids)).any())

    @property
    def has_change(self) -> bool:
        """Whether something was put into the present picture."""
        return self._now.composition is not None and bool(self._now.composition.patches)

    def take_look_of_last_change(self, mark: object, look: Look) -> None:
        """Give what was put in last a look of its own; see `has_change`."""
        now = self._now
        assert now.composition is not None, "there is a change"
        *below, top = now.composition.patches
        if now.resting is not None:
            self._begin(mark, _Moment(now.resting, top.mask, look, now.anchor))
        else:  # it was opened with the picture: what it was put into is not known
            composition = replace(now.composition, patches=(*below, replace(top, look=look)))
            self._begin(mark, replace(now, composition=composition, refined=self._all_steps))

    def take_look_of_classes(self, mark: object, class_ids: frozenset[int], look: Look) -> None:
        """Give the places of some classes a look of their own; see `is_rendered` and `shows`.

        Of two looks in a row for the same places the second replaces the first.
        """
        now, mask = self._now, class_region(self._layout, class_ids, self.edge / 3)
        is_again = now.resting is not None and now.mask is not None and np.array_equal(now.mask, mask)
        self._begin(mark, _Moment(now.resting if is_again else self._resting(now), mask, look, now.anchor))

    def can_lock_more(self, style: Style) -> bool:
        """Return whether further classes can be locked beside those that are: all are held as one picture shows them,
        so it must still be the present one."""
        if self._lock is None or self._now.composition is None:
            return True
        present = replace(self._now.composition, held=None)
        return style == self._lock.style and present.digest == self._lock.composition.digest

    def lock_classes(self, mark: object, class_ids: frozenset[int], style: Style) -> None:
        """Hold the look that these classes have now."""
        composition = self._now.composition
        if not class_ids or composition is None:
            self._lock = None
            if composition is not None and composition.held is not None:
                self._take(replace(self._now, composition=replace(composition, held=None)), mark, self._layout)
        elif self._lock is not None and class_ids < self._lock.class_ids:
            self._lock = replace(self._lock, class_ids=class_ids)
        else:
            self._lock = ClassLock.of(composition, style, self._layout, class_ids)

    # Inside

    def _begin(self, mark: object, moment: _Moment) -> None:
        self._returned = False
        self._take(moment, mark, self._layout)

    def _take(self, moment: _Moment, mark: object, layout: np.ndarray) -> None:
        self._now, self._layout, self._moments[mark] = moment, layout, moment

    def _next(self, layout: np.ndarray, style: Style) -> _Moment:
        """Return the moment of a state that comes after the present one."""
        self._returned = False
        now = self._now
        if now.composition is not None and np.array_equal(layout, self._layout):
            return replace(now)
        if not self.keeps_rest or (now.composition is None and now.resting is None):
            return _Moment(anchor=now.anchor, structural=style.structural)
        if now.rests:
            assert now.composition is not None
            resting: _Resting | None = self._resting(now)
        else:
            resting = now.resting
        return _Moment(resting, anchor=now.anchor, structural=style.structural)

    def _resting(self, now: _Moment) -> _Resting:
        """Return the present picture at rest; the same object until there is another."""
        if self._rested is None or self._rested[0] is not now:
            assert now.composition is not None
            self._rested = now, _Resting.of(self._layout, now.composition)
        return self._rested[1]

    def _basis(self, moment: _Moment) -> Basis:
        repaint = None if moment.resting is None else self._repaint(moment)
        is_back = self._returned and moment.composition is not None  # and is not refined any further
        refined = self._all_steps if is_back else moment.refined
        return Basis(repaint, moment.anchor, moment.composition, self._lock, refined)

    def _repaint(self, moment: _Moment) -> Repaint:
        """Return the request to repaint a picture; the same object as long as nothing changes, because comparing
        layouts takes long."""
        resting, known = moment.resting, self._last_repaint
        assert resting is not None
        if known is None or known[0] is not resting or not _is_same(known[1], moment, self.edge):
            repaint = Repaint(resting.composition, resting.layout(), self.edge, moment.mask, moment.look)
            known = self._last_repaint = resting, repaint
        return known[1]


def _is_same(repaint: Repaint, moment: _Moment, edge: float) -> bool:
    return repaint.mask is moment.mask and (repaint.edge, repaint.look) == (edge, moment.look)


def _is_another_face(moment: _Moment, style: Style) -> bool:
    """Return whether a style changes the face of a picture that has been painted as a whole, so that it is made anew.

    What was put into a picture is kept; it moves with the style.
    """
    composition = moment.composition
    if composition is None or composition.patches or not composition.takes_variety:
        return False
    return moment.structural != style.structural

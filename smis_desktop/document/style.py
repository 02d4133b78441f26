"""Styles: what a picture takes from a look rather than from its layout — colours, light, texture — and how much of
each."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field, replace
from typing import Annotated

import msgspec
import numpy as np

FIRST_SEED = 4
"""The seed of the first style that a new user sees: daylight and natural skin."""

DRAFT_SIZE = 256
"""Side of drafts in pixels."""

VARIETY = 0.4
"""The default: pictures as realistic as the generator's own for a little less layout fidelity, most of which refinement
regains (docs/experiments/variety.md)."""

MAX_SEED = 2**63 - 1
KEPT_OF_REFINEMENT = 0.7
"""How much of a refinement the next whole picture starts with. All of it would add up, stroke by stroke."""
_MAX_NUMBERS = 64 * 2048
"""No generator has latents of more numbers than that."""


@dataclass(frozen=True)
class Look:
    """Where a style comes from: a seed, or the latents of a picture.

    ws: float32 [num_ws, D], read-only, or None for a seed's look; `digest` stands for it in comparisons. name: for
    people, where the look is no seed's.
    """

    seed: int = FIRST_SEED
    digest: str = ""
    name: str = ""
    ws: np.ndarray | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of_latents(cls, ws: np.ndarray, name: str, seed: int = FIRST_SEED) -> Look:
        """Return the look of the picture made from latents, float [num_ws, D]."""
        own = np.array(ws, np.float32)
        own.setflags(write=False)
        return cls(seed, hashlib.sha256(own.tobytes()).hexdigest()[:16], name, own)


@dataclass(frozen=True)
class Style:
    """The look that is mixed into a picture, and how strongly.

    look: the look that is mixed in. second, blend: another one, and how far the look is moved towards it, 0–1. mix:
    strength of the whole, 0–1. coarse, middle, fine: strengths of the three groups of slots, 0–1 each: pose and shape;
    features; colour and texture. The first two compete with the layout. variety: how much of what the layout does not
    determine (build, expression, surroundings) comes from the look, 0–1. class_looks: classes (ids) with a look of
    their own.
    """

    look: Look = field(default_factory=Look)
    mix: float = 1.0
    coarse: float = 0.0
    middle: float = 0.0
    fine: float = 1.0
    second: Look | None = None
    blend: float = 0.0
    class_looks: tuple[tuple[int, Look], ...] = ()
    variety: float = VARIETY

    @classmethod
    def of_seed(cls, seed: int, mix: float = 1.0, variety: float = VARIETY) -> Style:
        """Return the style of a seed, with everything else at its default."""
        return cls(Look(seed), mix, variety=variety)

    def without_mixing(self) -> Style:
        """Return the style that leaves latents as they are, but for classes that have their own looks."""
        return Style(mix=0.0, class_looks=self.class_looks)

    @property
    def moves_structure(self) -> bool:
        """Whether pose, shape or features also come from a look, and not from the layout alone."""
        return self.mix > 0 and (self.coarse > 0 or self.middle > 0)

    @property
    def variety_strength(self) -> float:
        """`variety` where anything is mixed in, else 0. It does not grow with `mix`: that slider should change colours,
        not the face."""
        return self.variety if self.mix > 0 else 0.0

    @property
    def structural(self) -> tuple[object, ...]:
        """Everything in the style that affects the face: styles with equal values differ in colours alone."""
        strengths = (self.mix * self.coarse, self.mix * self.middle, self.variety_strength)
        if not any(strengths):
            return ()
        return (*strengths, self.look, *((self.second, self.blend) if self.second and self.blend else ()))

    @property
    def looks(self) -> tuple[Look, ...]:
        """All looks that the style uses."""
        return (self.look, *([self.second] if self.second else []), *(look for _, look in self.class_looks))

    def with_class_look(self, class_id: int, look: Look | None) -> Style:
        """Return the style with a look of its own for a class; None: the class takes that of the whole picture."""
        looks = {known: own for known, own in self.class_looks if known != class_id}
        if look is not None:
            looks[class_id] = look
        return replace(self, class_looks=tuple((c, looks[c]) for c in sorted(looks)))


@dataclass(frozen=True, eq=False)
class Anchor:
    """A picture that the next one starts from: its layout, uint8 [S, S] class ids, and its latents, float32
    [num_ws, D]; both read-only.

    weight: how much of its difference from the encoder's own answer stays, 0–1. keeps_style: whether its fine slots
    stay too. name: of the photo, where it is one.
    """

    layout: np.ndarray = field(repr=False)
    ws: np.ndarray = field(repr=False)
    name: str = ""
    weight: float = 1.0
    keeps_style: bool = True


_Strength = Annotated[float, msgspec.Meta(ge=0, le=1)]


class LookSchema(msgspec.Struct, frozen=True, omit_defaults=True):
    """A look as projects store it in JSON. ws: base64 of float32 [rows, columns], little-endian; shape: of it."""

    seed: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEED)]
    name: str | msgspec.UnsetType = msgspec.UNSET
    shape: tuple[int, int] | msgspec.UnsetType = msgspec.UNSET
    ws: str | msgspec.UnsetType = msgspec.UNSET

    @classmethod
    def of(cls, look: Look) -> LookSchema:
        """Return the stored form of a look."""
        if look.ws is None:
            return cls(look.seed)
        data = base64.b64encode(np.ascontiguousarray(look.ws, "<f4").tobytes()).decode()
        return cls(look.seed, look.name, (look.ws.shape[0], look.ws.shape[1]), data)

    def look(self) -> Look:
        """Return the look. Raises ValueError for invalid latents."""
        if self.ws is msgspec.UNSET:
            return Look(self.seed)
        rows, columns = (0, 0) if self.shape is msgspec.UNSET else self.shape
        if not 0 < rows * columns <= _MAX_NUMBERS:
            raise ValueError("latents of an unlikely shape")
        ws = np.frombuffer(base64.b64decode(self.ws, validate=True), "<f4").reshape(rows, columns)
        if not np.isfinite(ws).all():
            raise ValueError("latents that are not finite")
        return Look.of_latents(ws, "" if self.name is msgspec.UNSET else self.name, self.seed)


class StyleSchema(msgspec.Struct, frozen=True):
    """A style as projects store it in JSON. faders: coarse, middle, fine; classes: (class id, look) each."""

    look: LookSchema
    mix: _Strength
    faders: tuple[_Strength, _Strength, _Strength]
    second: LookSchema | None
    blend: _Strength
    classes: list[tuple[Annotated[int, msgspec.Meta(ge=0, le=255)], LookSchema]]
    variety: _Strength = 0.0

    @classmethod
    def of(cls, style: Style) -> StyleSchema:
        """Return the stored form of a style."""
        return cls(
            LookSchema.of(style.look),
            style.mix,
            (style.coarse, style.middle, style.fine),
            None if style.second is None else LookSchema.of(style.second),
            style.blend,
            [(class_id, LookSchema.of(look)) for class_id, look in style.class_looks],
            style.variety,
        )

    def style(self) -> Style:
        """Return the style. Raises ValueError for invalid values."""
        classes = tuple((class_id, look.look()) for class_id, look in self.classes)
        if len({class_id for class_id, _ in classes}) != len(classes):
            raise ValueError("a class with two looks")
        second = None if self.second is None else self.second.look()
        return Style(self.look.look(), self.mix, *self.faders, second, self.blend, classes, self.variety)

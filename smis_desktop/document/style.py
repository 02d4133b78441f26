"""What a picture takes from outside its layout: colours, light and texture, from whom, how much, and where."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

FIRST_SEED = 4
"""The style that a newcomer sees first: daylight and natural skin; seed 0 happens to be a magenta one."""

DRAFT_SIZE = 256
"""Side of drafts in pixels."""

VARIETY = 0.4
"""By default: pictures as real as the generator's own for little obedience, most of which refinement takes back
(docs/experiments/variety.md)."""

MAX_SEED = 2**63 - 1
_MAX_NUMBERS = 64 * 2048
"""No generator has latents of more numbers than that."""


@dataclass(frozen=True)
class Look:
    """Where a style comes from: a seed, or the latents of a picture.

    ws: float32 [num_ws, D], read-only, or None for a seed's; `digest` stands for it in comparisons. name: for people,
    where it is no seed's.
    """

    seed: int = FIRST_SEED
    digest: str = ""
    name: str = ""
    ws: np.ndarray | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of_latents(cls, ws: np.ndarray, name: str, seed: int = FIRST_SEED) -> Look:
        """The look of the picture that those latents, float [num_ws, D], make."""
        own = np.array(ws, np.float32)
        own.setflags(write=False)
        return cls(seed, hashlib.sha256(own.tobytes()).hexdigest()[:16], name, own)


@dataclass(frozen=True)
class Style:
    """Whose look is mixed into a picture, and how strongly.

    look: whose. second, blend: another one, and how far towards it (0–1) the look is moved. mix: strength of the
    whole, 0–1. coarse, middle, fine: 0–1 each, strengths of the three groups of slots: pose and shape, features,
    colour and texture; the first two compete with the layout. variety: how much of what the layout leaves open (build,
    expression, surroundings) comes from the look, 0–1. class_looks: classes (ids) that wear another look.
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
        """The plain case."""
        return cls(Look(seed), mix, variety=variety)

    @property
    def moves_structure(self) -> bool:
        """Whether pose, shape or features come from a look too, and not from the layout alone."""
        return self.mix > 0 and (self.coarse > 0 or self.middle > 0)

    @property
    def variety_strength(self) -> float:
        """`variety` where anything is mixed in at all. It does not grow with `mix`: drawing that slider changes
        colours, not the face."""
        return self.variety if self.mix > 0 else 0.0

    @property
    def structural(self) -> tuple[object, ...]:
        """All that decides the face besides the layout: where these are equal, only colours differ."""
        strengths = (self.mix * self.coarse, self.mix * self.middle, self.variety_strength)
        if not any(strengths):
            return ()
        return (*strengths, self.look, *((self.second, self.blend) if self.second and self.blend else ()))

    @property
    def looks(self) -> tuple[Look, ...]:
        """All that take part."""
        return (self.look, *([self.second] if self.second else []), *(look for _, look in self.class_looks))

    def with_class_look(self, class_id: int, look: Look | None) -> Style:
        """That class in another look; None: in that of all."""
        looks = {known: worn for known, worn in self.class_looks if known != class_id}
        if look is not None:
            looks[class_id] = look
        return replace(self, class_looks=tuple((c, looks[c]) for c in sorted(looks)))


@dataclass(frozen=True, eq=False)
class Anchor:
    """A picture that the next one goes on from: its layout, uint8 [S, S] class ids, and its latents, float32
    [num_ws, D]; both read-only.

    weight: how much of what set it apart from the encoder's own answer stays, 0–1. keeps_style: its fine slots too.
    name: of the photo, where it is one.
    """

    layout: np.ndarray = field(repr=False)
    ws: np.ndarray = field(repr=False)
    name: str = ""
    weight: float = 1.0
    keeps_style: bool = True


def style_facts(style: Style) -> dict[str, Any]:
    """JSON-able; the inverse of `style_from_facts`."""
    return {
        "look": look_facts(style.look),
        "mix": style.mix,
        "faders": [style.coarse, style.middle, style.fine],
        "second": look_facts(style.second) if style.second else None,
        "blend": style.blend,
        "variety": style.variety,
        "classes": [[class_id, look_facts(look)] for class_id, look in style.class_looks],
    }


def style_from_facts(facts: Mapping[str, Any]) -> Style:
    """Raises ValueError (also KeyError, TypeError) for what `style_facts` never gives."""
    coarse, middle, fine = (_fraction(value) for value in facts["faders"])
    classes = tuple((_class_id(class_id), look_from_facts(look)) for class_id, look in facts["classes"])
    if len({class_id for class_id, _ in classes}) != len(classes):
        raise ValueError("a class with two looks")
    second = None if facts["second"] is None else look_from_facts(facts["second"])
    return Style(
        look_from_facts(facts["look"]), _fraction(facts["mix"]), coarse, middle, fine, second,
        _fraction(facts["blend"]), classes, _fraction(facts.get("variety", 0.0)),
    )  # fmt: skip


def look_from_facts(facts: Mapping[str, Any]) -> Look:
    """Raises ValueError (also KeyError, TypeError) for what `look_facts` never gives."""
    seed, name = facts["seed"], facts.get("name", "")
    if not isinstance(seed, int) or not 0 <= seed <= MAX_SEED or not isinstance(name, str):
        raise ValueError("a look without a seed")
    if "ws" not in facts:
        return Look(seed)
    rows, columns = facts["shape"]
    if not (isinstance(rows, int) and isinstance(columns, int) and 0 < rows * columns <= _MAX_NUMBERS):
        raise ValueError("latents of an unlikely shape")
    ws = np.frombuffer(base64.b64decode(facts["ws"], validate=True), "<f4").reshape(rows, columns)
    if not np.isfinite(ws).all():
        raise ValueError("latents that are not finite")
    return Look.of_latents(ws, name, seed)


def look_facts(look: Look) -> dict[str, Any]:
    """JSON-able; the inverse of `look_from_facts`."""
    facts: dict[str, Any] = {"seed": look.seed}
    if look.ws is not None:
        data = base64.b64encode(np.ascontiguousarray(look.ws, "<f4").tobytes()).decode()
        facts |= {"name": look.name, "shape": list(look.ws.shape), "ws": data}
    return facts


def _fraction(value: object) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"a strength of {value!r}")
    return float(value)


def _class_id(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value <= 255:
        raise ValueError(f"a class id of {value!r}")
    return value

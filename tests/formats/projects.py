"""Random projects for the tests of files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from smis_desktop.document.composition import LOCK_SIDE, MASK_SIDE, ClassLock, Composition, Held, Patch
from smis_desktop.document.document import DocumentState
from smis_desktop.document.layers import Layer
from smis_desktop.document.palette import Palette, SemanticClass
from smis_desktop.document.style import Look, Style
from smis_desktop.formats.import_proposal import ImportProposal
from smis_desktop.formats.project import KeptPicture, KeptStyle, Project
from smis_desktop.formats.registry import read_file

# Two classes share a colour on purpose: colours must not be what ids are saved as.
PALETTE = Palette(
    (
        SemanticClass(0, "ground", (10, 20, 30)),
        SemanticClass(3, "Haar 髪", (200, 20, 30)),
        SemanticClass(7, "skin", (200, 20, 30)),
        SemanticClass(254, "sky", (0, 0, 255)),
    )
)
IDS = np.array([0, 3, 7, 254, 255], np.uint8)


def proposal_of(path: Path, palette: Palette) -> ImportProposal:
    """What the import dialog would be given for a file or folder."""
    content = read_file(path, lambda: palette).content
    assert isinstance(content, ImportProposal)
    return content


@st.composite
def documents(draw: st.DrawFn) -> DocumentState:
    """64 pixels, one to four layers, some reaching outside, some empty."""
    layers = []
    for layer_id in draw(st.lists(st.integers(0, 50), min_size=1, max_size=4, unique=True)):
        random = np.random.default_rng(draw(st.integers(0, 2**32)))
        height, width = draw(st.tuples(st.integers(0, 40), st.integers(0, 40)))
        pixels = random.choice(IDS, (height, width)).astype(np.uint8)
        layers.append(
            Layer(
                layer_id,
                draw(st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=12)),
                draw(st.booleans()),
                draw(st.booleans()),
                draw(st.integers(-30, 70)),
                draw(st.integers(-30, 70)),
                pixels,
            ).trimmed()
        )
    active = draw(st.sampled_from([layer.layer_id for layer in layers]))
    return DocumentState(64, PALETTE, tuple(layers), active)


@st.composite
def looks(draw: st.DrawFn) -> Look:
    """Of seeds and of pictures."""
    seed = draw(st.integers(0, 2**62))
    if draw(st.booleans()):
        return Look(seed)
    ws = np.random.default_rng(draw(st.integers(0, 99))).normal(size=(3, 4))
    return Look.of_latents(ws, draw(st.sampled_from(["Foto ä", "Kept picture 1"])), seed)


@st.composite
def styles(draw: st.DrawFn) -> Style:
    """Any strengths, with and without a second look and classes in looks of their own."""
    fraction = st.floats(0, 1)
    classes = draw(st.lists(st.integers(0, 255), max_size=2, unique=True))
    second = draw(st.none() | looks())
    return Style(
        draw(looks()), draw(fraction), draw(fraction), draw(fraction), draw(fraction), second, draw(fraction),
        tuple((class_id, draw(looks())) for class_id in classes),
    )  # fmt: skip


def latents(seed: int, slots: int) -> np.ndarray:
    """float32 [slots, 8]."""
    return np.random.default_rng(seed).normal(size=(slots, 8)).astype(np.float32)


def soft_mask(seed: int) -> np.ndarray:
    """uint8 [MASK_SIDE, MASK_SIDE]: a spot that falls off."""
    random = np.random.default_rng(seed)
    rows, columns = (np.arange(MASK_SIDE) - random.integers(0, MASK_SIDE) for _ in range(2))
    far = np.hypot(rows[:, None], columns[None, :]) / random.integers(8, 40)
    return (np.clip(1.5 - far, 0, 1) * 255).astype(np.uint8)


@st.composite
def patches(draw: st.DrawFn) -> Patch:
    """Few different latents and masks, so that some are drawn twice."""
    seeds = st.integers(0, 5)
    return Patch(latents(draw(seeds), 3), soft_mask(draw(seeds)), draw(st.none() | looks()))


@st.composite
def compositions(draw: st.DrawFn, can_hold: bool = True) -> Composition:
    """With and without patches and locked classes."""
    held = None
    if can_hold and draw(st.booleans()):
        held = Held(draw(locks()), soft_mask(draw(st.integers(0, 5))))
    own = tuple(draw(st.lists(patches(), max_size=4)))
    return Composition(latents(draw(st.integers(0, 5)), 4), own, draw(st.booleans()), held)


@st.composite
def locks(draw: st.DrawFn) -> ClassLock:
    """Of any classes, also of none."""
    layout = np.random.default_rng(draw(st.integers(0, 3))).choice(IDS, (LOCK_SIDE, LOCK_SIDE)).astype(np.uint8)
    class_ids = draw(st.frozensets(st.integers(0, 255), max_size=3))
    return ClassLock(draw(compositions(can_hold=False)), draw(styles()), layout, class_ids)


@st.composite
def kept_styles(draw: st.DrawFn) -> KeptStyle:
    """With and without latents and compositions."""
    ws = latents(1, 4) if draw(st.booleans()) else None
    made_of = draw(st.none() | compositions())
    owner = draw(st.sampled_from([("faces", "ab" * 32), ("Gesichter ä", None), (None, None)]))
    return KeptStyle(
        draw(styles()), {"later": [1, "x"]}, ws, tuple(draw(st.lists(looks(), max_size=2))), made_of,
        draw(st.integers(0, 1000)), *owner,
    )  # fmt: skip


@st.composite
def projects(draw: st.DrawFn) -> Project:
    """With and without kept pictures and a model."""
    style = draw(kept_styles())
    kept = tuple(
        KeptPicture(b"png" + bytes([n]), draw(documents()), draw(kept_styles())) for n in range(draw(st.integers(0, 2)))
    )
    model = draw(st.sampled_from([(None, None, None), ("Gesichter", "ab" * 32, "/tmp/faces.smismodel")]))
    return Project(draw(documents()), style, *model, kept)


def same_style(a: KeptStyle, b: KeptStyle) -> bool:
    if (a.style, a.pins, dict(a.extras)) != (b.style, b.pins, dict(b.extras)) or (a.ws is None) != (b.ws is None):
        return False
    if (a.refined, a.generator, a.generator_sha256) != (b.refined, b.generator, b.generator_sha256):
        return False
    if not same_composition(a.composition, b.composition):
        return False
    return a.ws is None or b.ws is None or np.array_equal(a.ws, b.ws)


def same_composition(a: Composition | None, b: Composition | None) -> bool:
    """Whether both are the same to the last bit, latents, masks, looks and locks."""
    if a is None or b is None:
        return a is b
    if a.base.tobytes() != b.base.tobytes() or a.takes_variety != b.takes_variety or len(a.patches) != len(b.patches):
        return False
    if (a.held is None) != (b.held is None):
        return False
    if a.held is not None and b.held is not None:
        one, other = a.held.lock, b.held.lock
        is_same = one.style == other.style and one.class_ids == other.class_ids and one.digest == other.digest
        if not is_same or one.layout.tobytes() != other.layout.tobytes():
            return False
        if a.held.mask.tobytes() != b.held.mask.tobytes() or not same_composition(one.composition, other.composition):
            return False
    return a.digest == b.digest and all(
        x.ws.tobytes() == y.ws.tobytes() and x.mask.tobytes() == y.mask.tobytes() and x.look == y.look
        for x, y in zip(a.patches, b.patches, strict=True)
    )


def same_project(a: Project, b: Project) -> bool:
    """To the last pixel and number."""
    return (
        a.document.equals(b.document)
        and same_style(a.style, b.style)
        and (a.model_name, a.model_sha256, a.model_path) == (b.model_name, b.model_sha256, b.model_path)
        and len(a.kept) == len(b.kept)
        and all(
            x.png == y.png and x.document.equals(y.document) and same_style(x.style, y.style)
            for x, y in zip(a.kept, b.kept, strict=True)
        )
    )

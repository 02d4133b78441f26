"""Random projects for the tests of files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import strategies as st

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


@st.composite
def projects(draw: st.DrawFn) -> Project:
    """With and without latents, kept pictures and a model."""
    ws = np.random.default_rng(1).normal(size=(4, 8)).astype(np.float32) if draw(st.booleans()) else None
    style = KeptStyle(draw(styles()), {"later": [1, "x"]}, ws, tuple(draw(st.lists(looks(), max_size=2))))
    kept = tuple(
        KeptPicture(b"png" + bytes([n]), draw(documents()), KeptStyle(Style.of_seed(n, 0.5)))
        for n in range(draw(st.integers(0, 2)))
    )
    model = draw(st.sampled_from([(None, None, None), ("Gesichter", "ab" * 32, "/tmp/faces.smismodel")]))
    return Project(draw(documents()), style, *model, kept)


def same_style(a: KeptStyle, b: KeptStyle) -> bool:
    if (a.style, a.pins, dict(a.extras)) != (b.style, b.pins, dict(b.extras)) or (a.ws is None) != (b.ws is None):
        return False
    return a.ws is None or b.ws is None or np.array_equal(a.ws, b.ws)


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

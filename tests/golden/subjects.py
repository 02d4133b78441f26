"""What the golden files hold: something of every kind, and every field used."""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np
import torch
from PIL import Image

from smis_desktop.document.composition import ClassLock, Composition, Patch, repainted_region
from smis_desktop.document.document import DocumentState
from smis_desktop.document.layers import Layer
from smis_desktop.document.palette import Palette, SemanticClass
from smis_desktop.document.recording import (
    BucketStep,
    LayerStep,
    LineStep,
    MirrorStep,
    PreserveStep,
    Recording,
    ShapeStep,
    Step,
    StrokeStep,
    UndoStep,
    replay,
)
from smis_desktop.document.style import Anchor, Look, Style
from smis_desktop.formats.exported_picture import encode_project_picture
from smis_desktop.formats.project import ANCHOR_KEY, KeptPicture, KeptStyle, Project, anchor_to_json
from smis_desktop.generators.generator import Generator, latents_of_seed, to_rgb8
from smis_desktop.personal_model.label_transfer import TrainingShot
from smis_desktop.personal_model.model import PersonalModel

HOME = "/home/painter"
"""Stands in the files where they name a place on somebody's computer."""
PALETTE = Palette(
    (
        SemanticClass(0, "ground", (10, 20, 30)),
        SemanticClass(3, "Haar 髪", (200, 20, 30)),
        SemanticClass(7, "skin", (200, 20, 30)),
        SemanticClass(254, "sky", (0, 0, 255)),
    )
)

ASCII_PALETTE = Palette((PALETTE.classes[0], SemanticClass(3, "hair", (200, 20, 30)), *PALETTE.classes[2:]))
"""For class masks, whose files are named by class."""


def layouts() -> np.ndarray:
    """uint8 [2, 64, 64]: a head under a sky, and bands; with pixels that say nothing."""
    rows, columns = np.mgrid[:64, :64]
    head = np.where(rows < 20, 254, 0).astype(np.uint8)
    head[(rows - 30) ** 2 + (columns - 32) ** 2 < 22**2] = 3
    head[(rows - 36) ** 2 + (columns - 32) ** 2 < 16**2] = 7
    head[60:, :8] = 255
    bands = np.array([0, 3, 7, 255], np.uint8)[(rows + columns // 2) // 9 % 4]
    return np.stack((head, bands))


def document() -> DocumentState:
    """Layers of every kind: reaching outside, hidden, locked, empty; a lower one active."""
    head, bands = layouts()
    return DocumentState(
        64,
        PALETTE,
        (
            Layer(4, "Grund", pixels=head),
            Layer(1, "hinten 髪", True, True, -7, 50, bands[:20, :30]),
            Layer(9, "versteckt", False, False, 40, -5, bands[10:40, :30]),
            Layer(2, "leer", False, True),
        ),
        1,
    )


def picture_latents(generator: Generator, seed: int) -> np.ndarray:
    """float32 [num_ws, D], another place in every slot."""
    slots = [latents_of_seed(generator, seed + slot, 0.7)[slot] for slot in range(generator.num_ws)]
    return torch.stack(slots).numpy()


def style(generator: Generator) -> Style:
    """With every field used."""
    own, other = (Look.of_latents(picture_latents(generator, seed), name) for seed, name in ((20, "Foto ä"), (40, "2")))
    return Style(own, 0.75, 0.125, 0.25, 0.875, Look(11), 0.375, ((3, Look(5)), (7, other)), 0.5)


def composition(generator: Generator) -> Composition:
    """With every field used: two patches, one of them with a look of its own, and a locked class."""
    structural = generator.fine_slots.start
    head = layouts()[0]
    hat, mouth = head.copy(), head.copy()
    hat[4:16, 12:52], mouth[40:44, 26:38] = 254, 0
    patches = tuple(
        Patch(picture_latents(generator, seed)[:structural], repainted_region(head, after), look)
        for seed, after, look in (
            (160, hat, None),
            (180, mouth, Look.of_latents(picture_latents(generator, 200), "lips", 2)),
        )
    )
    lock = ClassLock.of(
        Composition(picture_latents(generator, 220), patches[1:]), style(generator), head, frozenset({3})
    )
    return Composition(picture_latents(generator, 140), patches, held=lock.held_in(document().label_map()))


def project(generator: Generator, model: PersonalModel) -> Project:
    """With all that a project can hold."""
    bands = layouts()[1]
    small = DocumentState(64, PALETTE, (Layer(1, "Layer 1", pixels=bands),), 1)
    pictures = [
        to_rgb8(generator.synthesis(latents_of_seed(generator, seed, 0.7)[None])[0])[::4, ::4] for seed in (1, 2)
    ]
    first, second = (encode_project_picture(picture, Project(small)) for picture in pictures)
    extras = {
        ANCHOR_KEY: anchor_to_json(Anchor(bands, picture_latents(generator, 60), "Foto ä")),
        "later": [1, {"x": "ü"}],
    }
    owner, painted = (generator.name, generator.weights_sha256), composition(generator)
    before = Composition(painted.base, painted.patches[:1], takes_variety=False)
    pins = (Look(0), Look.of_latents(picture_latents(generator, 80), "pinned", 3))
    return Project(
        document(),
        KeptStyle(style(generator), extras, picture_latents(generator, 100), pins, painted, 24, *owner),
        model.name,
        generator.weights_sha256,
        f"{HOME}/models/dense.smismodel",
        (
            KeptPicture(first, small, KeptStyle(Style.of_seed(7, 0.5))),
            KeptPicture(second, document(), KeptStyle(style(generator), extras, picture_latents(generator, 120))),
            KeptPicture(second, document(), KeptStyle(Style.of_seed(8), composition=before, generator="golden")),
        ),
    )


def shots(generator: Generator, kind: str = "dense") -> list[TrainingShot]:
    """Two generated pictures, labelled as their features go. kind: `dense`, `scribbles` or `points`."""
    found = []
    for seed in (1, 2):
        ws = latents_of_seed(generator, seed, 1.0)
        with torch.inference_mode():
            strongest = generator.features(ws[None], [64])[64][0, :3].argmax(0).numpy()
        label_map = np.array([0, 3, 7], np.uint8)[strongest]
        if kind != "dense":
            step, few = (8 if kind == "scribbles" else 32), np.full_like(label_map, 255)
            few[::step, ::step] = np.where(label_map == 0, 254, label_map)[::step, ::step]
            label_map = few
        found.append(TrainingShot(f"shot {seed}", label_map, ws=ws))
    return found


def photo(seed: int) -> np.ndarray:
    """uint8 [96, 96, 3], smooth."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((96, 96), Image.Resampling.BICUBIC))


def recording() -> Recording:
    """With every kind of step."""
    steps: list[Step] = [
        StrokeStep(1, 9.0, [(5.0, 6.0, 1.0), (30.0, 40.5, 0.5), (50.0, 12.0, 0.25)], "square", 0.5, 6.0),
        ShapeStep("ellipse", 2, [(10.0, 10.0), (40.0, 50.0)]),
        ShapeStep("polygon", 0, [(1.0, 60.0), (33.0, 44.0), (60.0, 63.0)]),
        LineStep(2, 3.5, (0.0, 0.0), (63.0, 20.0)),
        LayerStep("add"),
        MirrorStep(32.0),
        StrokeStep(2, 5.0, [(8.0, 50.0, 1.0), (20.0, 55.0, 1.0)]),
        MirrorStep(),
        LayerStep("move", (3, -4)),
        LayerStep("duplicate"),
        LayerStep("flip"),
        LayerStep("hide"),
        LayerStep("show"),
        LayerStep("merge_down"),
        PreserveStep([2]),
        BucketStep(1, (62.0, 2.0), True, True, 2),
        ShapeStep("rectangle", 0, [(20.0, 20.0), (62.0, 30.0)]),
        ShapeStep("rectangle", 1, [(2.0, 2.0), (9.0, 9.0)]),
        UndoStep(1),
    ]
    begun = Recording("golden", 64, 3, steps)
    editor = begun.new_editor()
    for _ in replay(begun, editor):
        pass
    return msgspec.structs.replace(begun, sha256=hashlib.sha256(editor.document.label_map.tobytes()).hexdigest())

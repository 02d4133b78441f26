"""Measures layout fidelity with one thing taken away at a time, for docs/results.md:
`python scripts/measure_layout_fidelity.py LAYOUTS --out FOLDER --model NAME=FILE… [--variant NAME…] [--limit N]`.

Pictures are made as `smis render` makes them: layout i in the style of seed i. FOLDER keeps them by everything that
decides them, the program's own source included, so that a second run makes only what is new. Judges are the network
that reads finished pixels and landmarks (`smis evaluate --judge pixels --judge landmarks`); KID × 1000 is against 64 of
the generator's own pictures of truncation 0.7.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from smis_desktop.cli.console import Console  # noqa: E402
from smis_desktop.cli.opening import open_generator, open_model, open_perceptual  # noqa: E402
from smis_desktop.document.style import Style  # noqa: E402
from smis_desktop.evaluation.face_classes import face_palette  # noqa: E402
from smis_desktop.evaluation.face_landmarks import PARTS, open_face_landmarks  # noqa: E402
from smis_desktop.evaluation.face_reader import open_face_reader  # noqa: E402
from smis_desktop.evaluation.judges import LandmarkJudge, PixelJudge, fidelity, landmark_means  # noqa: E402
from smis_desktop.evaluation.metrics import kid, picture_features  # noqa: E402
from smis_desktop.formats.image_file import read_picture, write_picture  # noqa: E402
from smis_desktop.formats.registry import read_layout  # noqa: E402
from smis_desktop.generators.generator import Generator, from_rgb8, latents_of_seed, resized, to_rgb8  # noqa: E402
from smis_desktop.inference.backend_selection import open_chosen_backend  # noqa: E402
from smis_desktop.inference.backends import SynthesisBackend  # noqa: E402
from smis_desktop.inference.synthesizer import PictureRequest, PictureResult, Synthesizer  # noqa: E402
from smis_desktop.storage.safetensors_file import read_tensors, write_tensors  # noqa: E402
from smis_desktop.workers.preview_thread import STEPS_AT_REST  # noqa: E402

SIDE = 512
KID_PICTURES, KID_SEED, KID_TRUNCATION = 64, 1_000_000, 0.7
DECIDING = ("document", "generators", "inference", "personal_model")
"""Packages whose source decides pictures."""
REFINEMENT = "smis_desktop.inference.refinement"


def no_regions(layout: np.ndarray) -> list[np.ndarray]:
    """Stand in for `region_masks`: a layout without regions."""
    return []


@dataclass(frozen=True)
class Variant:
    """A way to make pictures, for the table of what gives how much.

    steps: of refinement. constants: {"module:NAME": value}, replaced while its pictures are made. without: parts of the
    personal model that are taken away.
    """

    name: str
    steps: int = STEPS_AT_REST
    constants: dict[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Everything that decides its pictures, as text; a function stands for itself by its name."""
        values = {place: getattr(value, "__name__", repr(value)) for place, value in self.constants.items()}
        return repr((self.steps, values, self.without))


VARIANTS = (
    Variant("encoder alone", 0),
    Variant("refined"),
    Variant("24 steps", 24),
    Variant("60 steps", 60),
    Variant("one latent", constants={f"{REFINEMENT}:STEPS_OF_ONE_LATENT": 1_000_000}),
    Variant("without regions", constants={"smis_desktop.inference.synthesizer:region_masks": no_regions}),
    Variant("read at 64² alone", without=("fine_probe",)),
    Variant("small things as cells", constants={f"{REFINEMENT}:_THINGS": 0.0}),
    Variant("rare classes as before", constants={f"{REFINEMENT}:REGION_RARITY": 0.1}),
    Variant("without colours", constants={f"{REFINEMENT}:_COLORS": 0.0, f"{REFINEMENT}:_REGION_COLORS": 0.0}),
    Variant("without the prior", constants={f"{REFINEMENT}:_PRIOR": 0.0}),
    Variant("regions not held together", constants={f"{REFINEMENT}:_APART": 0.0}),
    Variant("without trust", without=("trust",)),
)


def main() -> None:
    """Print a row for each model and variant."""
    parser = argparse.ArgumentParser(description="Measure layout fidelity, with one thing taken away at a time.")
    parser.add_argument("layouts", type=Path, metavar="LAYOUTS", help="a folder of layouts (index PNGs)")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="keeps the pictures")
    parser.add_argument("--model", action="append", required=True, metavar="NAME=FILE", help="may be given again")
    parser.add_argument("--variant", action="append", metavar="NAME", help=f"of {[v.name for v in VARIANTS]}")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N layouts")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    console = Console(sys.stdout, sys.stderr)
    paths = sorted(arguments.layouts.glob("*.png"))[: arguments.limit]
    variants = [v for v in VARIANTS if arguments.variant is None or v.name in arguments.variant]
    generator = open_generator("faces", console)
    arguments.out.mkdir(parents=True, exist_ok=True)
    measure = Measures(generator, arguments.out, console)
    rows = []
    for named in arguments.model:
        name, _, file = named.partition("=")
        renderer = Renderer(generator, Path(file), arguments.out, console)
        for variant in variants:
            pictures = list(renderer.pictures(variant, paths))
            rows.append({"model": name, "variant": variant.name, **measure.of(pictures, paths, renderer)})
            print(json.dumps(rows[-1]) if arguments.json else line(rows[-1], is_first=len(rows) == 1), flush=True)


class Renderer:
    """Makes the pictures of one model, or takes those that are kept."""

    def __init__(self, generator: Generator, model_file: Path, folder: Path, console: Console) -> None:
        self.model = open_model(model_file)
        self._generator, self._folder, self._console = generator, folder, console
        self._digest = source_digest() + hashlib.sha256(model_file.read_bytes()).digest()
        self._backend: SynthesisBackend | None = None
        self._synthesizers: dict[str, Synthesizer] = {}

    def pictures(self, variant: Variant, paths: Sequence[Path]) -> Iterator[np.ndarray]:
        """Yield the picture of each layout, uint8 [SIDE, SIDE, 3]."""
        for number, path in enumerate(paths):
            self._console.progress(f"Rendering ({variant.name})", number / len(paths))
            key = hashlib.sha256(self._digest + f"{variant.key} {number}".encode())
            key.update(path.read_bytes())
            kept = self._folder / f"{path.stem}-{key.hexdigest()[:16]}.png"
            if not kept.is_file():
                request = PictureRequest(
                    read_layout(path).label_map, Style.of_seed(number), SIDE, refine_steps=variant.steps
                )
                with replaced(variant.constants):
                    write_picture(kept, self._opened(variant).render(request).picture)
            yield read_picture(kept)

    def _opened(self, variant: Variant) -> Synthesizer:
        """Return a synthesizer of the variant's own: they keep recent results by requests alone."""
        if self._backend is None:
            self._backend = open_chosen_backend(self._generator, torch.get_num_threads(), self._console.progress)
        if variant.name not in self._synthesizers:
            model = replace(self.model, **dict.fromkeys(variant.without))
            self._synthesizers[variant.name] = Synthesizer(self._generator, model, self._backend)
        return self._synthesizers[variant.name]


class Measures:
    """The judges, and the generator's own pictures to compare with."""

    def __init__(self, generator: Generator, folder: Path, console: Console) -> None:
        """Args: folder: keeps the features of these pictures."""
        self._reader, self._landmarks = open_face_reader(), open_face_landmarks(console.progress)
        self._perceptual = open_perceptual(console)
        kept = folder / "own-features.safetensors"
        if not kept.is_file():
            write_tensors(kept, "own-features", 1, {"own": self._own_features(generator, console)}, {})
        self._own = read_tensors(kept, "own-features", 1, "delete it")[0]["own"]

    @torch.inference_mode()
    def _own_features(self, generator: Generator, console: Console) -> torch.Tensor:
        """Return the features of the generator's own pictures, [KID_PICTURES, D]."""
        found = []
        for number in range(KID_PICTURES):
            console.progress("Making pictures to compare with", number / KID_PICTURES)
            ws = latents_of_seed(generator, KID_SEED + number, KID_TRUNCATION)[None]
            picture = to_rgb8(resized(generator.draft(ws, SIDE).clamp(-1, 1), SIDE)[0])
            found.append(picture_features(self._perceptual, from_rgb8(picture, 256)))
        return torch.cat(found)

    def of(self, pictures: Sequence[np.ndarray], paths: Sequence[Path], renderer: Renderer) -> dict[str, Any]:
        """Return the figures of one variant."""
        palette = renderer.model.palette
        pixels, landmarks = PixelJudge(self._reader, palette), LandmarkJudge(self._landmarks, palette)
        matrix = np.zeros((pixels.palette.num_classes, pixels.palette.num_classes + 1), np.int64)
        parts, features = [], []
        for picture, path in zip(pictures, paths, strict=True):
            layout = read_layout(path).label_map
            matrix += pixels.compare(layout, as_result(picture))
            parts.append(landmarks.compare(layout, picture))
            features.append(picture_features(self._perceptual, from_rgb8(picture, 256)))
        return {
            "layouts": len(paths),
            **fidelity(matrix, face_palette()),
            "landmarks": landmark_means(parts),
            "kid": round(1000 * kid(torch.cat(features), self._own), 2),
        }


def as_result(picture: np.ndarray) -> PictureResult:
    """Return a result of which a judge of pixels sees the picture alone."""
    from smis_desktop.document.composition import Composition

    nothing = Composition(np.zeros((1, 1), np.float32))
    return PictureResult(picture, nothing, nothing)


@contextmanager
def replaced(constants: dict[str, Any]) -> Iterator[None]:
    """Replace constants of modules for a while."""
    with ExitStack() as stack:
        for place, value in constants.items():
            module, _, name = place.partition(":")
            stack.enter_context(patch.object(importlib.import_module(module), name, value))
        yield


def source_digest() -> bytes:
    """Return a digest of the source that decides pictures."""
    digest = hashlib.sha256()
    for package in DECIDING:
        for path in sorted((CHECKOUT / "smis_desktop" / package).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.digest()


def line(row: dict[str, Any], is_first: bool) -> str:
    """Return one row of the table as text, with its head before the first."""
    names = [entry["name"] for entry in row["classes"]]
    head = ["model", "variant", "mIoU", "accuracy", *names, *(f"{part} (landmarks)" for part in PARTS), "KID"]
    found = [entry["iou"] for entry in row["classes"]]
    marks = [row["landmarks"].get(part, {}).get("iou") for part in PARTS]
    figures = [row["mean_iou"], row["pixel_accuracy"], *found, *marks]
    shown = ["–" if value is None else f"{value:.3f}" for value in figures]
    text = f"| {' | '.join([row['model'], row['variant'], *shown, str(row['kid'])])} |"
    return f"| {' | '.join(head)} |\n{'| --- ' * len(head)}|\n{text}" if is_first else text


if __name__ == "__main__":
    main()

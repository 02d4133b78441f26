"""The shots of a training, and what is known of their latents. Free of torch at import: the window reads shots too.

Two files of a shots folder make inversions unnecessary. `generated.json` lists the pictures that the generator made
itself, with the seeds that their `z` is drawn from. `latents/NAME.safetensors` holds the latents of an inverted photo.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import numpy as np

from smis_desktop.document.palette import UNKNOWN_CHANNEL, LabelKind
from smis_desktop.errors import UserError
from smis_desktop.formats.shots_folder import ShotsFolder
from smis_desktop.storage.atomic import write_bytes
from smis_desktop.storage.safetensors_file import read_metadata, read_tensors, write_tensors

if TYPE_CHECKING:
    from torch import Tensor

    from smis_desktop.generators.generator import Generator
    from smis_desktop.personal_model.label_transfer import TrainingShot

GENERATED_FILE = "generated.json"
_GENERATED_VERSION = 1
_MAX_GENERATED_BYTES = 50_000_000
_LATENTS, _LATENTS_VERSION = "shot-latents", 1
_LATENTS_REMEDY = "delete it: the photo will be inverted again"
_COMPARED_SIDE = 64
_MAX_RMS = 0.1
"""Of a range of 2. JPEG at any common quality and another size stay far below it, other faces far above."""
_LABEL_LERP = 0.25
"""How far from in-domain latents towards those near the photo labels are learned."""


# The generator's own pictures


@dataclass(frozen=True)
class GeneratedPicture:
    """A picture that the generator made: `w = mapping(seeded_z(seed), truncation)`. `name`: its file's stem."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    seed: Annotated[int, msgspec.Meta(ge=0)]
    truncation: Annotated[float, msgspec.Meta(ge=0, le=2)]


@dataclass(frozen=True)
class GeneratedPictures:
    """The generated pictures of one folder, all by one generator."""

    generator: str
    weights_sha256: str
    pictures: tuple[GeneratedPicture, ...]

    def by_name(self) -> dict[str, GeneratedPicture]:
        """{file stem: picture}."""
        return {picture.name: picture for picture in self.pictures}

    def with_pictures(self, pictures: Iterable[GeneratedPicture]) -> GeneratedPictures:
        """Adds pictures; one of the same name replaces the older one."""
        merged = self.by_name() | {picture.name: picture for picture in pictures}
        return GeneratedPictures(self.generator, self.weights_sha256, tuple(merged[name] for name in sorted(merged)))


class _Version(msgspec.Struct):
    format_version: Annotated[int, msgspec.Meta(ge=1)]


class _GeneratedFile(msgspec.Struct):
    format_version: int
    generator: str
    weights_sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    pictures: tuple[GeneratedPicture, ...]


def read_generated_pictures(folder: Path) -> GeneratedPictures | None:
    """Reads the folder's `generated.json`; None where there is none.

    Raises UserError when it cannot be read, was written by a newer version, or is something else.
    """
    path = folder / GENERATED_FILE
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_GENERATED_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({(error.strerror or str(error)).lower()}); check the file.") from error
    if len(data) > _MAX_GENERATED_BYTES:
        raise UserError(f"{path} is too large for a list of generated pictures; delete it.")
    try:
        version = msgspec.json.decode(data, type=_Version).format_version
        if version > _GENERATED_VERSION:
            raise UserError(
                f"{path} was written by a newer version of this program (format {version}, this one reads up to "
                f"{_GENERATED_VERSION}); update the program."
            )
        content = msgspec.json.decode(data, type=_GeneratedFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{path} is not a list of generated pictures ({error}); delete it.") from error
    return GeneratedPictures(content.generator, content.weights_sha256, content.pictures)


def write_generated_pictures(folder: Path, generated: GeneratedPictures) -> Path:
    """Writes the folder's `generated.json`, atomically, and returns its path. Raises UserError when it cannot."""
    content = _GeneratedFile(_GENERATED_VERSION, generated.generator, generated.weights_sha256, generated.pictures)
    path = folder / GENERATED_FILE
    write_bytes(path, msgspec.json.format(msgspec.json.encode(content), indent=1))
    return path


def is_picture_of(generator: Generator, ws: Tensor, picture: np.ndarray) -> bool:
    """Returns whether `picture` (uint8 [S, S, 3]) is what the generator makes of `ws` [num_ws, 512], apart from scaling
    and the losses of a file format. Another picture may have been saved under the name."""
    import torch
    from torch.nn import functional as F

    from smis_desktop.generators.generator import from_rgb8

    side = _COMPARED_SIDE, _COMPARED_SIDE
    with torch.no_grad():
        made = F.interpolate(generator.synthesis(ws[None]).clamp(-1, 1), size=side, mode="area")
    given = F.interpolate(from_rgb8(picture, len(picture)), size=side, mode="area")
    error = made - given.to(made.device)
    return float(error.square().mean().sqrt()) <= _MAX_RMS


class KnownLatents:
    """Looks up pictures in the `generated.json` of their folder, or of the shots folder that holds `images/`."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._listed: dict[Path, dict[str, GeneratedPicture]] = {}

    def of(self, path: Path, picture: np.ndarray) -> Tensor | None:
        """Returns `ws` [num_ws, 512] of a picture (uint8 [S, S, 3], read from `path`); None where it is not this
        generator's.

        Raises UserError when a `generated.json` cannot be read.
        """
        from smis_desktop.generators.generator import latents_of_seed

        entry = self._list(path.parent).get(path.stem)
        if entry is None and path.parent.name == "images":
            entry = self._list(path.parent.parent).get(path.stem)
        if entry is None:
            return None
        ws = latents_of_seed(self._generator, entry.seed, entry.truncation)
        return ws if is_picture_of(self._generator, ws, picture) else None

    def _list(self, folder: Path) -> dict[str, GeneratedPicture]:
        if folder not in self._listed:
            found = read_generated_pictures(folder)
            is_same = found is not None and found.weights_sha256 == self._generator.weights_sha256
            self._listed[folder] = found.by_name() if found is not None and is_same else {}
        return self._listed[folder]


# Photos that were inverted


@dataclass(frozen=True)
class InversionRecord:
    """How well a photo was inverted: PSNR in dB at 256², perceptual distance, and whether the inversion started at a
    picture that the photo's label resembles."""

    psnr: float
    perceptual: float
    is_found_by_label: bool = False


class _LatentsFile(msgspec.Struct):
    psnr: float
    perceptual: float
    picture: str = ""
    """SHA-256 of the photo's file: of another picture under the same name, nothing is known."""
    by_label: bool = False


def inversion_record(folder: Path, name: str) -> InversionRecord | None:
    """Returns the figures that a shots folder keeps of a photo's inversion; None where there is none, or the photo has
    changed since.

    Raises UserError when the file is damaged."""
    path = latents_path(folder, name)
    if not path.is_file() or not picture_path(folder, name).is_file():
        return None
    facts = read_metadata(path, _LATENTS, _LATENTS_VERSION, _LATENTS_REMEDY)
    try:
        content = msgspec.convert(facts, _LatentsFile)
    except msgspec.ValidationError as error:
        raise UserError(f"{path} is damaged ({error}); {_LATENTS_REMEDY}.") from error
    if content.picture != picture_digest(folder, name):
        return None
    return InversionRecord(content.psnr, content.perceptual, content.by_label)


def kept_latents(folder: Path, name: str) -> dict[str, Tensor] | None:
    """Returns the latents of a shot whose photo was inverted and has not changed since, as for `latent_pair`; or
    None."""
    if inversion_record(folder, name) is None:
        return None
    return read_tensors(latents_path(folder, name), _LATENTS, _LATENTS_VERSION, _LATENTS_REMEDY)[0]


def write_latents(
    folder: Path, name: str, ws: np.ndarray, reconstruction_ws: np.ndarray, facts: InversionRecord
) -> None:
    """Writes both latents of an inverted photo, float32 [num_ws, D] each. Raises UserError when the disk refuses."""
    import torch

    tensors = {"ws": torch.from_numpy(np.array(ws)), "close_ws": torch.from_numpy(np.array(reconstruction_ws))}
    content = _LatentsFile(facts.psnr, facts.perceptual, picture_digest(folder, name), facts.is_found_by_label)
    path = latents_path(folder, name)
    write_tensors(path, _LATENTS, _LATENTS_VERSION, tensors, msgspec.structs.asdict(content))


def latent_pair(found: Mapping[str, Tensor]) -> Tensor:
    """Returns [2, num_ws, 512]: the in-domain latents, then the reconstruction's, from `InversionResult.tensors`. Files
    of earlier versions hold only the first, which then counts twice."""
    import torch

    return torch.stack((found["ws"], found.get("close_ws", found["ws"])))


def training_latents(pair: Tensor) -> Tensor:
    """Returns the two latents that labels are learned from, better one first, of a pair [2, num_ws, 512] from
    `latent_pair`.

    Latents near the photo place every outline, but their features are no face's: labels learned from a quarter of the
    way there generalise better, and best together with those near real latents (docs/experiments/inversion.md).
    """
    import torch

    in_domain, reconstruction = pair
    return torch.stack((torch.lerp(in_domain, reconstruction, _LABEL_LERP), in_domain))


# All shots of a folder


def training_shots(
    path: Path, folder: ShotsFolder, generator: Generator, label_kind: LabelKind = "dense"
) -> list[TrainingShot]:
    """Returns the folder's shots, with latents where they are the generator's own pictures, or were inverted before.

    An inversion from before the photo was labelled does not count where its labels give a better start.
    """
    from smis_desktop.personal_model.encoder import layout_channels
    from smis_desktop.personal_model.label_transfer import TrainingShot

    known = KnownLatents(generator)
    side = generator.feature_resolution
    layouts = [layout_channels(shot.label_map, folder.palette, label_kind, side) for shot in folder.shots]
    labelled = [layout for layout in layouts if bool((layout != UNKNOWN_CHANNEL).any())]
    needs_label_start = bool(generator.part_prior) and bool(labelled) and has_spatial_labels(label_kind, labelled)
    shots = []
    for shot in folder.shots:
        ws = known.of(picture_path(path, shot.name), shot.picture)
        facts = inversion_record(path, shot.name) if ws is None else None
        pair = None
        if facts is not None and (facts.is_found_by_label or not needs_label_start):
            kept = kept_latents(path, shot.name)
            if kept is not None and kept["ws"].shape == (generator.num_ws, generator.w_dim):
                pair = latent_pair(kept)
        shots.append(TrainingShot(shot.name, shot.label_map, shot.picture, ws, pair))
    return shots


def has_spatial_labels(label_kind: LabelKind, layouts: Sequence[Tensor]) -> bool:
    """Returns whether labels show where classes are: areas and scribbles do, a few points do not.

    layouts: int64 [r, r] in channels, at least one pixel of them labelled."""
    from smis_desktop.personal_model.scribbles import are_scribbles

    return label_kind == "dense" or are_scribbles(layouts)


def picture_path(folder: Path, name: str) -> Path:
    """Returns the path of a shot's picture in a shots folder."""
    return folder / "images" / f"{name}.png"


def picture_digest(folder: Path, name: str) -> str:
    """Returns the SHA-256 of a shot's picture file."""
    return hashlib.sha256(picture_path(folder, name).read_bytes()).hexdigest()


def latents_path(folder: Path, name: str) -> Path:
    """Returns the path of a photo's latents in a shots folder."""
    return folder / "latents" / f"{name}.safetensors"

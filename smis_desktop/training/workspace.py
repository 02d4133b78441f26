"""A workspace: the shots folder of an unfinished personal model, in the program's data, with what is known of each
shot.

It is a shots folder like those of `smis train` (images/, labels/, classes.json, generated.json), which can train from
it too. In addition, latents/NAME.safetensors keeps the latents of inverted photos, so that no photo is inverted twice,
and workshop.json what the person decided.
"""

from __future__ import annotations

import io
import os
import shutil
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image

from smis_desktop.document.palette import EMPTY, LabelKind, Palette
from smis_desktop.errors import UserError
from smis_desktop.formats.image_file import encode_label_map, read_label_map, read_picture
from smis_desktop.formats.shots_folder import MAX_SHOTS, TransferRule, read_classes
from smis_desktop.storage.atomic import write_bytes
from smis_desktop.storage.data_folder import file_name
from smis_desktop.training.shots import (
    GENERATED_FILE,
    GeneratedPicture,
    GeneratedPictures,
    InversionRecord,
    inversion_record,
    kept_latents,
    latents_path,
    picture_digest,
    picture_path,
    read_generated_pictures,
    write_generated_pictures,
    write_latents,
)

SHOT_SIDE = 512
"""The largest side of a shot's picture: labels are learned at 64², and inversion compares pictures of 256²."""
_SETTINGS = "workshop.json"


@dataclass(frozen=True)
class WorkspaceSettings:
    """The choices of the person.

    generator_sha256: of the weights that the latents belong to; empty before the generator was opened.
    is_training_held: an unfinished training was paused or cancelled, and continues only when the person says so.
    """

    name: str
    generator: str
    generator_sha256: str = ""
    label_kind: LabelKind = "dense"
    top_k: int = 3
    threshold: float = 0.5
    transfer: TransferRule = "informed"
    is_training_held: bool = False


@dataclass(frozen=True)
class ShotState:
    """What is known of a shot. seed: of a generated picture, None for a photo. psnr, perceptual, is_found_by_label: as
    in `InversionRecord`; None for a photo that is not inverted."""

    name: str
    is_labelled: bool
    seed: int | None
    psnr: float | None = None
    perceptual: float | None = None
    is_found_by_label: bool = False

    @property
    def is_located(self) -> bool:
        """Whether its latents are known."""
        return self.seed is not None or self.psnr is not None


@dataclass(frozen=True)
class UnfinishedWorkspace:
    """A workspace without a model yet. changed: the local time of the last change to its shots, labels or choices."""

    path: Path
    name: str
    shots: int
    changed: datetime


class Workspace:
    """Reads and writes the folder at once in every method; keeps nothing in memory but the path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, parent: Path, settings: WorkspaceSettings, palette: Palette) -> Workspace:
        """Creates a workspace in a new folder in `parent`. Raises UserError when the disk refuses."""
        workspace = cls(parent / f"{file_name(settings.name)}-{uuid.uuid4().hex[:6]}")
        try:
            for part in ("images", "labels", "latents"):
                (workspace.path / part).mkdir(parents=True)
        except OSError as error:
            raise UserError(f"{workspace.path} cannot be made ({error.strerror}); free some space.") from error
        workspace.set_palette(palette)
        workspace.set_settings(settings)
        return workspace

    @classmethod
    def all_in(cls, parent: Path) -> list[Workspace]:
        """Returns the workspaces in that folder, newest first."""
        found = [cls(path.parent) for path in parent.glob(f"*/{_SETTINGS}")]
        return sorted(found, key=lambda workspace: workspace.changed, reverse=True)

    @property
    def changed(self) -> datetime:
        """The local time at which its shots, labels or choices last changed."""
        parts = [self.path / name for name in (_SETTINGS, "images", "labels")]
        return datetime.fromtimestamp(max(part.stat().st_mtime for part in parts if part.exists()))

    @property
    def settings(self) -> WorkspaceSettings:
        """Reads the person's choices. Raises UserError when the file is damaged."""
        path = self.path / _SETTINGS
        try:
            return msgspec.json.decode(path.read_bytes(), type=WorkspaceSettings)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UserError(f"{path} is damaged; delete the folder {self.path} and begin anew.") from error

    def set_settings(self, settings: WorkspaceSettings) -> None:
        """Writes the person's choices. Raises UserError when the disk refuses."""
        write_bytes(self.path / _SETTINGS, _json(settings))

    def change(self, **fields: Any) -> None:
        """Changes some of the choices."""
        self.set_settings(replace(self.settings, **fields))

    @property
    def palette(self) -> Palette:
        """Reads the classes, in the order they were made. Raises UserError when the file is damaged."""
        return Palette(tuple(read_classes(self.path / "classes.json").values()))

    def set_palette(self, palette: Palette) -> None:
        """Writes the classes. Ids are never reused: labels may still hold a class that is left out."""
        entries = [
            {"id": c.class_id, "name": c.name, "color": "#{:02x}{:02x}{:02x}".format(*c.color)} for c in palette.classes
        ]
        write_bytes(self.path / "classes.json", _json({"classes": entries}))

    def shots(self) -> tuple[ShotState, ...]:
        """Returns all shots, in the order of their names."""
        generated = self.generated()
        seeds = {} if generated is None else {name: picture.seed for name, picture in generated.by_name().items()}
        states = []
        for path in sorted((self.path / "images").glob("*.png")):
            name = path.stem
            record = inversion_record(self.path, name)
            known = {} if record is None else asdict(record)
            states.append(ShotState(name, self._label(name).is_file(), seeds.get(name), **known))
        return tuple(states)

    def add_photo(self, name: str, square: np.ndarray) -> str:
        """Adds a photo, uint8 [S, S, 3], and returns the name it got. Raises UserError when there are too many shots,
        or the disk refuses."""
        own = self._free_name(name)
        write_bytes(picture_path(self.path, own), _png(square))
        return own

    def add_generated(self, picture: np.ndarray, seed: int, truncation: float) -> str:
        """Adds a picture of the generator, uint8 [S, S, 3]; its latents follow from the seed."""
        own = self._free_name(f"seed-{seed:06d}")
        settings = self.settings
        known = self.generated() or GeneratedPictures(settings.generator, settings.generator_sha256, ())
        write_bytes(picture_path(self.path, own), _png(picture))
        write_generated_pictures(self.path, known.with_pictures([GeneratedPicture(own, seed, truncation)]))
        return own

    def mark_generated(self, listed: GeneratedPictures) -> None:
        """Marks shots as the generator's own, by another folder's list with the names that they have here.

        A list of other weights is ignored. Users of the latents check that a picture is what its seed makes."""
        known = self.generated()
        weights = self.settings.generator_sha256 or (known.weights_sha256 if known else listed.weights_sha256)
        if listed.pictures and listed.weights_sha256 == weights:
            merged = (known or replace(listed, pictures=())).with_pictures(listed.pictures)
            write_generated_pictures(self.path, merged)

    def mark_photo(self, name: str) -> None:
        """Marks a shot as a photo rather than the generator's own picture."""
        known = self.generated()
        if known is not None and name in known.by_name():
            left = tuple(picture for picture in known.pictures if picture.name != name)
            write_generated_pictures(self.path, replace(known, pictures=left))

    def remove_shot(self, name: str) -> None:
        """Deletes the shot with its label and latents."""
        for path in self._files_of(name):
            path.unlink(missing_ok=True)
        self.mark_photo(name)  # else a photo that gets the name later would pass for the generator's own

    def picture(self, name: str) -> np.ndarray:
        """Reads the shot's picture, uint8 [S, S, 3]."""
        return read_picture(picture_path(self.path, name))

    def label(self, name: str) -> np.ndarray | None:
        """Reads the shot's label, uint8 [S, S] class ids, or returns None."""
        return read_label_map(self._label(name)) if self._label(name).is_file() else None

    def set_label(self, name: str, label_map: np.ndarray) -> None:
        """Writes a label, uint8 [S, S] class ids. An empty one is deleted."""
        if (label_map == EMPTY).all():
            self._label(name).unlink(missing_ok=True)
        else:
            write_bytes(self._label(name), encode_label_map(label_map, self.palette))

    def generated(self) -> GeneratedPictures | None:
        """Returns the shots that are the generator's own pictures; None where none are, or they are of other
        weights."""
        known = read_generated_pictures(self.path)
        weights = self.settings.generator_sha256
        return None if known is None or (weights and known.weights_sha256 != weights) else known

    def set_latents(
        self,
        name: str,
        ws: np.ndarray,
        reconstruction_ws: np.ndarray,
        psnr: float,
        perceptual: float,
        by_label: bool = False,
    ) -> None:
        """Writes the latents of an inverted photo: in-domain ones and the reconstruction's, float32 [num_ws, D]
        each."""
        write_latents(self.path, name, ws, reconstruction_ws, InversionRecord(psnr, perceptual, by_label))

    def set_better_latents(
        self,
        name: str,
        ws: np.ndarray,
        reconstruction_ws: np.ndarray,
        psnr: float,
        perceptual: float,
        by_label: bool = False,
    ) -> bool:
        """Writes latents like `set_latents`, if they are better than the present ones; returns whether they are.

        That the photo was inverted by its label is kept in any case: it need not be done again."""
        before = inversion_record(self.path, name)
        is_better = before is None or perceptual < before.perceptual
        if is_better:
            self.set_latents(name, ws, reconstruction_ws, psnr, perceptual, by_label)
        elif by_label and before is not None and not before.is_found_by_label:
            kept = kept_latents(self.path, name)
            assert kept is not None, "its record is there"
            in_domain, reconstruction = kept["ws"].numpy(), kept.get("close_ws", kept["ws"]).numpy()
            write_latents(self.path, name, in_domain, reconstruction, replace(before, is_found_by_label=True))
        return is_better

    def has_picture_of(self, shots: Path, name: str) -> bool:
        """Returns whether that shots folder has the same picture under the name; here it may have been removed or
        replaced."""
        are_there = picture_path(self.path, name).is_file() and picture_path(shots, name).is_file()
        return are_there and picture_digest(self.path, name) == picture_digest(shots, name)

    def model_path(self, library: Path) -> Path:
        """Returns the path of the model's file in the library. It never changes, so that the next training replaces the
        model."""
        return library / f"{self.path.name}.smismodel"

    def has_unfinished_training(self, library: Path) -> bool:
        """Whether a training was started and has not finished."""
        return (self._training_path(library) / "training.json").is_file()

    def is_training_interrupted(self, library: Path) -> bool:
        """Whether a training was interrupted by the end of the program, not by the person. Raises UserError when the
        workspace is damaged."""
        return self.has_unfinished_training(library) and not self.settings.is_training_held

    def hold_training(self, is_held: bool) -> None:
        """Sets whether an unfinished training waits for the person."""
        if self.settings.is_training_held != is_held:
            self.change(is_training_held=is_held)

    def forget_training(self, library: Path) -> None:
        """Deletes an unfinished training."""
        shutil.rmtree(self._training_path(library), ignore_errors=True)

    def labelled_folder(self) -> Path:
        """Writes a shots folder of the labelled shots alone, which `smis train` reads too, and returns its path."""
        target = self.path / "labelled"
        shutil.rmtree(target, ignore_errors=True)
        for part in ("images", "labels", "latents"):
            (target / part).mkdir(parents=True)
        for shot in self.shots():
            if shot.is_labelled:
                for path in filter(Path.is_file, self._files_of(shot.name)):
                    _link(path, target / path.parent.name / path.name)
        for name in ("classes.json", GENERATED_FILE):
            if (self.path / name).is_file():
                _link(self.path / name, target / name)
        return target

    def delete(self) -> None:
        """Deletes the folder permanently."""
        shutil.rmtree(self.path)

    def _training_path(self, library: Path) -> Path:
        path = self.model_path(library)
        return path.with_name(path.name + ".training")

    def _free_name(self, wanted: str) -> str:
        used = {path.stem.lower() for path in (self.path / "images").glob("*.png")}
        if len(used) >= MAX_SHOTS:
            raise UserError(f"{MAX_SHOTS} shots are the most that one model learns from; remove one first.")
        base = name = file_name(wanted)
        number = 2
        while name.lower() in used:
            name, number = f"{base}-{number}", number + 1
        return name

    def _files_of(self, name: str) -> tuple[Path, Path, Path]:
        return picture_path(self.path, name), self._label(name), latents_path(self.path, name)

    def _label(self, name: str) -> Path:
        return self.path / "labels" / f"{name}.png"


def unfinished_workspaces(parent: Path, library: Path) -> tuple[UnfinishedWorkspace, ...]:
    """Returns the workspaces without a model in the library, newest first; skips damaged ones."""
    found = []
    for workspace in Workspace.all_in(parent):
        if workspace.model_path(library).exists():
            continue
        with suppress(UserError):
            count = len(list((workspace.path / "images").glob("*.png")))
            found.append(UnfinishedWorkspace(workspace.path, workspace.settings.name, count, workspace.changed))
    return tuple(found)


def _link(source: Path, target: Path) -> None:
    """Makes a hard link where the file system has them, else a copy: files here are replaced, never written into."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _json(content: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content), indent=1)


def _png(picture: np.ndarray) -> bytes:
    image = Image.fromarray(np.ascontiguousarray(picture))
    if image.width > SHOT_SIDE:
        image = image.resize((SHOT_SIDE, SHOT_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()

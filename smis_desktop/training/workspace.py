"""A personal model in the making: a shots folder with what is known of each shot, in the program's own data.

It is a shots folder like those of `smis train` (images/, labels/, classes.json, generated.json) and may be trained
from there too; besides, latents/NAME.safetensors keeps where a photo was found in the generator, so that nobody
waits for that twice, and workspace.json what the person decided.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from smis_desktop.document.palette import EMPTY, LabelKind, Palette
from smis_desktop.errors import UserError
from smis_desktop.formats.generated_pictures import (
    GeneratedPicture,
    GeneratedPictures,
    read_generated_pictures,
    write_generated_pictures,
)
from smis_desktop.formats.image_file import read_picture
from smis_desktop.formats.index_png import encode_label_map, read_label_map
from smis_desktop.formats.shots_folder import MAX_SHOTS, TransferRule, read_classes
from smis_desktop.storage.atomic import write_bytes
from smis_desktop.storage.data_folder import file_name
from smis_desktop.storage.safetensors_file import read_facts, write_tensors

SHOT_SIDE = 512
"""Shots are kept no larger: labels are learned at 64², and inversion looks at 256²."""
_FACTS = "workshop.json"
_LATENTS, _LATENTS_VERSION = "shot-latents", 1


@dataclass(frozen=True)
class WorkspaceFacts:
    """What the person decided. `generator_sha256`: of the weights that latents were found in. `is_training_held`: an
    unfinished training was paused or cancelled, and goes on only when the person says so."""

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
    """seed: of a generated picture, None for a photo. psnr, perceptual: how well the photo was found; None before.
    is_found_by_label: whether the search began at a picture that the photo's label resembles."""

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
class BegunWorkspace:
    """One that no model has come of yet. changed: when its shots, labels or decisions last did, local time."""

    path: Path
    name: str
    shots: int
    changed: datetime


class Workspace:
    """Every method reads and writes the folder at once; nothing is kept in memory but the path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, parent: Path, facts: WorkspaceFacts, palette: Palette) -> Workspace:
        """A new one in a folder of its own below `parent`. Raises UserError when the disk refuses."""
        workspace = cls(parent / f"{file_name(facts.name)}-{uuid.uuid4().hex[:6]}")
        try:
            for part in ("images", "labels", "latents"):
                (workspace.path / part).mkdir(parents=True)
        except OSError as error:
            raise UserError(f"{workspace.path} cannot be made ({error.strerror}); free some space.") from error
        workspace.set_palette(palette)
        workspace.set_facts(facts)
        return workspace

    @classmethod
    def all_in(cls, parent: Path) -> list[Workspace]:
        """Newest first."""
        found = [cls(path.parent) for path in parent.glob(f"*/{_FACTS}")]
        return sorted(found, key=lambda workspace: workspace.changed, reverse=True)

    @property
    def changed(self) -> datetime:
        """When its shots, labels or decisions last did, local time."""
        parts = [self.path / name for name in (_FACTS, "images", "labels")]
        return datetime.fromtimestamp(max(part.stat().st_mtime for part in parts if part.exists()))

    @property
    def facts(self) -> WorkspaceFacts:
        """Raises UserError when the file is damaged."""
        path = self.path / _FACTS
        try:
            return WorkspaceFacts(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{path} is damaged; delete the folder {self.path} and begin anew.") from error

    def set_facts(self, facts: WorkspaceFacts) -> None:
        """Keep what was decided."""
        write_bytes(self.path / _FACTS, json.dumps(asdict(facts), indent=1).encode())

    def change(self, **fields: Any) -> None:
        """Some of the facts."""
        self.set_facts(replace(self.facts, **fields))

    @property
    def palette(self) -> Palette:
        """The classes, in the order they were made. Raises UserError when the file is damaged."""
        return Palette(tuple(read_classes(self.path / "classes.json").values()))

    def set_palette(self, palette: Palette) -> None:
        """Ids are for good: a class that is left out may be used in labels still."""
        entries = [
            {"id": c.class_id, "name": c.name, "color": "#{:02x}{:02x}{:02x}".format(*c.color)} for c in palette.classes
        ]
        write_bytes(self.path / "classes.json", json.dumps({"classes": entries}, indent=1).encode())

    def shots(self) -> tuple[ShotState, ...]:
        """In the order of their names."""
        generated = self.generated()
        seeds = {} if generated is None else {name: picture.seed for name, picture in generated.by_name().items()}
        found = []
        for path in sorted((self.path / "images").glob("*.png")):
            name = path.stem
            state = ShotState(name, self._label(name).is_file(), seeds.get(name))
            if (facts := self._search_facts(name)) is not None:
                state = replace(state, **facts)
            found.append(state)
        return tuple(found)

    def add_photo(self, name: str, square: np.ndarray) -> str:
        """uint8 [S, S, 3]; returns the name it got. Raises UserError when there are too many, or the disk refuses."""
        own = self._free_name(name)
        write_bytes(self._image(own), _png(square))
        return own

    def add_generated(self, picture: np.ndarray, seed: int, truncation: float) -> str:
        """uint8 [S, S, 3] of the generator's own; its latents follow from the seed."""
        own = self._free_name(f"seed-{seed:06d}")
        facts = self.facts
        known = self.generated() or GeneratedPictures(facts.generator, facts.generator_sha256, ())
        write_bytes(self._image(own), _png(picture))
        write_generated_pictures(self.path, known.with_pictures([GeneratedPicture(own, seed, truncation)]))
        return own

    def take_for_generated(self, listed: GeneratedPictures) -> None:
        """Shots that a list from elsewhere, under the names that they have here, calls the generator's own. A list of
        other weights is passed over; whether each picture is what its seed makes, those who use its latents check."""
        known = self.generated()
        own_weights = self.facts.generator_sha256 or (known.weights_sha256 if known else listed.weights_sha256)
        if listed.pictures and listed.weights_sha256 == own_weights:
            merged = (known or replace(listed, pictures=())).with_pictures(listed.pictures)
            write_generated_pictures(self.path, merged)

    def take_for_photo(self, name: str) -> None:
        """It is not the generator's own picture, or not any more."""
        known = self.generated()
        if known is not None and name in known.by_name():
            left = tuple(picture for picture in known.pictures if picture.name != name)
            write_generated_pictures(self.path, replace(known, pictures=left))

    def remove_shot(self, name: str) -> None:
        """With its label and latents."""
        for path in (self._image(name), self._label(name), self._latents(name)):
            path.unlink(missing_ok=True)
        self.take_for_photo(name)  # else a photo that gets the name later would pass for the generator's own

    def picture(self, name: str) -> np.ndarray:
        """uint8 [S, S, 3]."""
        return read_picture(self._image(name))

    def label(self, name: str) -> np.ndarray | None:
        """uint8 [S, S] class ids, or None as long as there is none."""
        return read_label_map(self._label(name)) if self._label(name).is_file() else None

    def set_label(self, name: str, label_map: np.ndarray) -> None:
        """uint8 [S, S]. A label with nothing in it is no label: it is taken away."""
        if (label_map == self.nothing).all():
            self._label(name).unlink(missing_ok=True)
        else:
            write_bytes(self._label(name), encode_label_map(label_map, self.palette))

    @property
    def nothing(self) -> int:
        """What pixels of no class hold in labels."""
        return EMPTY

    def generated(self) -> GeneratedPictures | None:
        """Which shots are the generator's own pictures; None where there are none, or of other weights."""
        known = read_generated_pictures(self.path)
        own_weights = self.facts.generator_sha256
        return None if known is None or (own_weights and known.weights_sha256 != own_weights) else known

    def set_latents(
        self,
        name: str,
        ws: np.ndarray,
        reconstruction_ws: np.ndarray,
        psnr: float,
        perceptual: float,
        by_label: bool = False,
    ) -> None:
        """Where the photo was found, near real latents and near the photo, float32 [num_ws, D] each. by_label: see
        `ShotState`."""
        import torch

        facts = {"psnr": psnr, "perceptual": perceptual, "by_label": by_label, "picture": self._digest(name)}
        found = {"ws": torch.from_numpy(np.array(ws)), "close_ws": torch.from_numpy(np.array(reconstruction_ws))}
        write_tensors(self._latents(name), _LATENTS, _LATENTS_VERSION, found, facts)

    def set_better_latents(
        self,
        name: str,
        ws: np.ndarray,
        reconstruction_ws: np.ndarray,
        psnr: float,
        perceptual: float,
        by_label: bool = False,
    ) -> bool:
        """`set_latents`, unless the photo was found as well before; whether they are kept. That it was searched for by
        its label counts all the same: nobody has to do it again."""
        before = self._search_facts(name)
        is_better = before is None or perceptual < before["perceptual"]
        if is_better:
            self.set_latents(name, ws, reconstruction_ws, psnr, perceptual, by_label)
        elif by_label and before is not None and not before["is_found_by_label"]:
            kept = kept_latents(self.path, name)
            assert kept is not None, "its facts are there"
            near, close = kept["ws"].numpy(), kept.get("close_ws", kept["ws"]).numpy()
            self.set_latents(name, near, close, before["psnr"], before["perceptual"], by_label)
        return is_better

    def has_picture_of(self, shots: Path, name: str) -> bool:
        """Whether the shot of that name is the same picture in the shots folder: it may be gone or another by now."""
        is_there = self._image(name).is_file() and Workspace(shots)._image(name).is_file()
        return is_there and self._digest(name) == Workspace(shots)._digest(name)

    def model_path(self, library: Path) -> Path:
        """Where in the folder of all models the finished one is written: the same for good, so that it is replaced."""
        return library / f"{self.path.name}.smismodel"

    def has_unfinished_training(self, library: Path) -> bool:
        """Whether a training was begun and not ended."""
        return (self._training_path(library) / "training.json").is_file()

    def is_training_interrupted(self, library: Path) -> bool:
        """Whether a training was ended by the end of the program, and by no wish of the person. Raises UserError when
        the workspace is damaged."""
        return self.has_unfinished_training(library) and not self.facts.is_training_held

    def hold_training(self, is_held: bool) -> None:
        """Whether an unfinished training waits for the person."""
        if self.facts.is_training_held != is_held:
            self.change(is_training_held=is_held)

    def forget_training(self, library: Path) -> None:
        """What an unfinished one has made so far is deleted."""
        shutil.rmtree(self._training_path(library), ignore_errors=True)

    def labelled_folder(self) -> Path:
        """A shots folder of the labelled shots alone, made anew from this one; `smis train` reads it too."""
        target = self.path / "labelled"
        shutil.rmtree(target, ignore_errors=True)
        for part in ("images", "labels", "latents"):
            (target / part).mkdir(parents=True)
        for shot in self.shots():
            if shot.is_labelled:
                for path in (self._image(shot.name), self._label(shot.name), self._latents(shot.name)):
                    if path.is_file():
                        _link(path, target / path.parent.name / path.name)
        for name in ("classes.json", "generated.json"):
            if (self.path / name).is_file():
                _link(self.path / name, target / name)
        return target

    def delete(self) -> None:
        """All of it, for good."""
        shutil.rmtree(self.path)

    def _training_path(self, library: Path) -> Path:
        path = self.model_path(library)
        return path.with_name(path.name + ".training")

    def _search_facts(self, name: str) -> dict[str, Any] | None:
        """Those of its `ShotState`; None where it was not found yet, or is another picture since."""
        path = self._latents(name)
        if not path.is_file():
            return None
        facts = read_facts(path, _LATENTS, _LATENTS_VERSION, "delete it: the photo is looked for again")
        if facts.get("picture") != self._digest(name):
            return None
        return {
            "psnr": float(facts["psnr"]),
            "perceptual": float(facts["perceptual"]),
            "is_found_by_label": bool(facts.get("by_label", False)),
        }

    def _digest(self, name: str) -> str:
        return hashlib.sha256(self._image(name).read_bytes()).hexdigest()

    def _free_name(self, wanted: str) -> str:
        taken = {path.stem.lower() for path in (self.path / "images").glob("*.png")}
        if len(taken) >= MAX_SHOTS:
            raise UserError(f"{MAX_SHOTS} shots are the most that one model learns from; remove one first.")
        base = name = file_name(wanted)
        number = 2
        while name.lower() in taken:
            name, number = f"{base}-{number}", number + 1
        return name

    def _image(self, name: str) -> Path:
        return self.path / "images" / f"{name}.png"

    def _label(self, name: str) -> Path:
        return self.path / "labels" / f"{name}.png"

    def _latents(self, name: str) -> Path:
        return self.path / "latents" / f"{name}.safetensors"


def begun_workshops(parent: Path, library: Path) -> tuple[BegunWorkspace, ...]:
    """Those that the folder of all models has no model of, newest first; damaged ones are left out."""
    found = []
    for workspace in Workspace.all_in(parent):
        if workspace.model_path(library).exists():
            continue
        with suppress(UserError):
            count = len(list((workspace.path / "images").glob("*.png")))
            found.append(BegunWorkspace(workspace.path, workspace.facts.name, count, workspace.changed))
    return tuple(found)


def kept_latents(folder: Path, name: str) -> dict[str, Any] | None:
    """The latents of a shot whose photo was found and has not changed since, or None.

    `ws` and `close_ws`: float32 [num_ws, D] tensors.

    folder: a shots folder.
    """
    from smis_desktop.storage.safetensors_file import read_tensors

    workspace = Workspace(folder)
    path = folder / "latents" / f"{name}.safetensors"
    if not path.is_file() or not (folder / "images" / f"{name}.png").is_file():
        return None
    if workspace._search_facts(name) is None:
        return None
    return read_tensors(path, _LATENTS, _LATENTS_VERSION, "delete it: the photo is looked for again")[0]


def is_found_by_label(folder: Path, name: str) -> bool:
    """Whether `kept_latents` come of a search that began at a picture which the shot's label resembles."""
    facts = Workspace(folder)._search_facts(name)
    return facts is not None and bool(facts["is_found_by_label"])


def _link(source: Path, target: Path) -> None:
    """A second name where the file system has them, else a copy: files here are replaced, never written into."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _png(picture: np.ndarray) -> bytes:
    image = Image.fromarray(np.ascontiguousarray(picture))
    if image.width > SHOT_SIDE:
        image = image.resize((SHOT_SIDE, SHOT_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()

"""The library of personal models: their files with notes and preview pictures. Nothing here imports torch."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from safetensors import SafetensorError, safe_open

from smis_desktop.document.palette import Palette
from smis_desktop.errors import UserError
from smis_desktop.resources import MODEL_SUFFIX
from smis_desktop.storage.atomic import atomic_file, write_bytes
from smis_desktop.storage.data_folder import file_name
from smis_desktop.storage.safetensors_file import HEADER_KEY, palette_of, read_metadata, read_tensors, write_tensors


def read_palette(path: Path) -> Palette | None:
    """Read the classes from a model file's header; None if anything is wrong with it.

    `model.read_personal_model` reports later what is wrong.
    """
    try:
        with safe_open(path, "np") as file:
            facts = json.loads((file.metadata() or {})[HEADER_KEY])
        return palette_of(facts)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return None


KIND, VERSION = "personal-model", 3
"""2: labels are read from the first convolution at the feature resolution; coarse and middle slots share one `w`.
3: the encoder has fully connected layers."""
REMEDY = "choose a .smismodel file, or train the model again"


def read_model_metadata(path: Path) -> dict[str, Any]:
    """Read a model's metadata from the header of its file.

    Raises:
        UserError: the file is missing, damaged, of another kind or of a newer format.
    """
    return read_metadata(path, KIND, VERSION, REMEDY)


def rename_model(path: Path, name: str) -> None:
    """Change a model's name. Raises UserError as `read_model_metadata` does, or for a full disk."""
    rewrite_model_metadata(path, path, name=name)


def rewrite_model_metadata(source: Path, target: Path, **changed: str) -> None:
    """Copy a model with some of its metadata changed. Raises UserError as `rename_model` does."""
    tensors, facts = read_tensors(source, KIND, VERSION, REMEDY)
    write_tensors(target, KIND, VERSION, tensors, {**facts, **changed})


@dataclass(frozen=True)
class LibraryModel:
    """One model file.

    note: the person's own. fault: why it cannot be used, empty if it can. picture: the file of its preview picture,
    None if there is none.
    """

    path: Path
    name: str
    generator: str
    palette: Palette | None
    note: str = ""
    fault: str = ""
    picture: Path | None = None


def library_folder(data: Path) -> Path:
    """Return the folder, in the program's data, of models that were made in the window."""
    return data / "models"


class ModelLibrary:
    """The models in a folder, which is read each time: other programs may put files there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def models(self) -> tuple[LibraryModel, ...]:
        """List all models by name, damaged ones too."""
        models = []
        for path in sorted(self.folder.glob(f"*{MODEL_SUFFIX}")):
            try:
                facts = read_model_metadata(path)
                generator = str(facts["generator"]["name"])
                picture = picture_path(path)
                models.append(
                    LibraryModel(
                        path, str(facts["name"]), generator, palette_of(facts), note_of(path),
                        picture=picture if picture.is_file() else None,
                    )
                )  # fmt: skip
            except UserError as error:
                models.append(LibraryModel(path, path.stem, "", None, note_of(path), str(error)))
            except (KeyError, TypeError, ValueError):
                fault = f"{path} is damaged; import or train the model again."
                models.append(LibraryModel(path, path.stem, "", None, note_of(path), fault))
        return tuple(sorted(models, key=lambda model: model.name.lower()))

    def add(self, source: Path) -> Path:
        """Copy a model file into the library, with the note in it.

        Raises:
            UserError: it is not a model, or the disk refuses.
        """
        facts = read_model_metadata(source)
        target = self._unused_path(str(facts.get("name", source.stem)))
        _copy(source, target)
        note = facts.get("note")
        if isinstance(note, str) and note:
            self.set_note(target, note)
        return target

    def duplicate(self, path: Path, name: str) -> Path:
        """Copy a model under another name, with its note and picture."""
        target = self._unused_path(name)
        _copy(path, target)
        rename_model(target, name)
        note = note_of(path)
        if note:
            self.set_note(target, note)
        if picture_path(path).is_file():
            _copy(picture_path(path), picture_path(target))
        return target

    def rename(self, path: Path, name: str) -> None:
        """Change the name that people see; the file keeps its name, so that projects still find it."""
        if not name.strip():
            raise UserError("A model needs a name; type one.")
        rename_model(path, name.strip())

    def export(self, path: Path, target: Path) -> None:
        """Copy a model and its note to one file. (Its picture is made again where it is first shown.)"""
        rewrite_model_metadata(path, target, note=note_of(path))

    def named(self, name: str) -> LibraryModel:
        """Find the model with that name or file name. Raises UserError when there is none, or more than one."""
        found = [model for model in self.models() if name in (model.name, model.path.stem, model.path.name)]
        if len(found) == 1:
            return found[0]
        if found:
            listed = ", ".join(model.path.stem for model in found)
            raise UserError(f"More than one of your models is named {name!r}; name its file: {listed}.")
        raise UserError(f"None of your models is named {name!r}; smis models lists them.")

    def set_note(self, path: Path, note: str) -> None:
        """Write a model's note."""
        write_bytes(_note_path(path), json.dumps({"note": note}, ensure_ascii=False).encode())

    def files_of(self, path: Path) -> tuple[Path, ...]:
        """List a model's files, its own first: all that is deleted with the model."""
        return tuple(found for found in (path, *self._companions(path)) if found.exists())

    def _companions(self, path: Path) -> tuple[Path, Path]:
        return _note_path(path), picture_path(path)

    def _unused_path(self, name: str) -> Path:
        stem, number = file_name(name), 1
        target = self.folder / f"{stem}{MODEL_SUFFIX}"
        # Files that are left of a model that others deleted belong to no later one.
        while target.exists() or any(left.exists() for left in self._companions(target)):
            number += 1
            target = self.folder / f"{stem}-{number}{MODEL_SUFFIX}"
        return target


class _NoteFile(msgspec.Struct):
    note: str = ""


def note_of(model: Path) -> str:
    """Read a model's note; empty if there is none."""
    try:
        return msgspec.json.decode(_note_path(model).read_bytes(), type=_NoteFile).note
    except (OSError, msgspec.DecodeError):
        return ""


def picture_path(model: Path) -> Path:
    """Return the path of a model's preview picture, in the same folder."""
    return model.with_suffix(".picture.jpg")


def _note_path(model: Path) -> Path:
    return model.with_suffix(".note.json")


def _copy(source: Path, target: Path) -> None:
    try:
        with atomic_file(target) as temporary:
            shutil.copyfile(source, temporary)
    except OSError as error:
        raise UserError(f"{source} cannot be copied ({error.strerror}); check the disk.") from error

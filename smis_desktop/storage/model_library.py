"""The folder of a person's models: what is in it, and what can be done with each."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from smis_desktop.errors import UserError
from smis_desktop.labels.palette import Palette
from smis_desktop.storage.atomic import atomic_file, write_bytes
from smis_desktop.storage.file_facts import palette_of
from smis_desktop.storage.model_facts import SUFFIX, read_model_facts, rename_model
from smis_desktop.storage.workshop import file_name


@dataclass(frozen=True)
class LibraryModel:
    """One model file. fault: why it cannot be used, empty when it can. note: the person's own words. picture: the file
    of what it makes, None as long as there is none."""

    path: Path
    name: str
    generator: str
    palette: Palette | None
    note: str = ""
    fault: str = ""
    picture: Path | None = None


class ModelLibrary:
    """Reads the folder each time: others may put files there too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def models(self) -> tuple[LibraryModel, ...]:
        """By name."""
        found = []
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            try:
                facts = read_model_facts(path)
                generator = str(facts["generator"]["name"])
                picture = picture_path(path)
                found.append(
                    LibraryModel(
                        path, str(facts["name"]), generator, palette_of(facts), self._note(path),
                        picture=picture if picture.is_file() else None,
                    )
                )  # fmt: skip
            except UserError as error:
                found.append(LibraryModel(path, path.stem, "", None, self._note(path), str(error)))
            except (KeyError, TypeError, ValueError):
                fault = f"{path} is damaged; import or train the model again."
                found.append(LibraryModel(path, path.stem, "", None, self._note(path), fault))
        return tuple(sorted(found, key=lambda model: model.name.lower()))

    def add(self, source: Path) -> Path:
        """A copy of a model file from elsewhere. Raises UserError when it is none, or the disk refuses."""
        facts = read_model_facts(source)
        target = self._free(str(facts.get("name", source.stem)))
        _copy(source, target)
        return target

    def duplicate(self, path: Path, name: str) -> Path:
        """A copy under another name, with its note and picture."""
        target = self._free(name)
        _copy(path, target)
        rename_model(target, name)
        note = self._note(path)
        if note:
            self.set_note(target, note)
        if picture_path(path).is_file():
            _copy(picture_path(path), picture_path(target))
        return target

    def rename(self, path: Path, name: str) -> None:
        """The name that people see; the file keeps its own, so that projects find it."""
        if not name.strip():
            raise UserError("A model needs a name; type one.")
        rename_model(path, name.strip())

    def export(self, path: Path, target: Path) -> None:
        """One file with all of it."""
        _copy(path, target)

    def set_note(self, path: Path, note: str) -> None:
        """The person's own words about it."""
        write_bytes(self._note_path(path), json.dumps({"note": note}, ensure_ascii=False).encode())

    def files_of(self, path: Path) -> tuple[Path, ...]:
        """The model's file first, then what is kept beside it: all that goes when the model goes."""
        return tuple(found for found in (path, *self._beside(path)) if found.exists())

    def _note(self, path: Path) -> str:
        try:
            found = json.loads(self._note_path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return ""
        note = found.get("note") if isinstance(found, dict) else None
        return note if isinstance(note, str) else ""

    def _beside(self, path: Path) -> tuple[Path, Path]:
        return self._note_path(path), picture_path(path)

    def _note_path(self, path: Path) -> Path:
        return path.with_suffix(".note.json")

    def _free(self, name: str) -> Path:
        stem, number = file_name(name), 1
        target = self.folder / f"{stem}{SUFFIX}"
        # What is left of a model that went away by other hands belongs to no later one.
        while target.exists() or any(left.exists() for left in self._beside(target)):
            number += 1
            target = self.folder / f"{stem}-{number}{SUFFIX}"
        return target


def picture_path(model: Path) -> Path:
    """Where the picture of a model lies: beside its file."""
    return model.with_suffix(".picture.jpg")


def _copy(source: Path, target: Path) -> None:
    try:
        with atomic_file(target) as temporary:
            shutil.copyfile(source, temporary)
    except OSError as error:
        raise UserError(f"{source} cannot be copied ({error.strerror}); check the disk.") from error

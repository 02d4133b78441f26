"""The file formats that the program reads and writes: one module of this package each, which defines `FORMAT`.

Dialogs, menu entries, drag and drop and the command line are built from `formats()`. To add a format, add a module.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

import smis_desktop.formats
from smis_desktop.document.document import DocumentState
from smis_desktop.document.palette import Palette
from smis_desktop.errors import UserError
from smis_desktop.formats.import_proposal import ImportProposal

if TYPE_CHECKING:
    from smis_desktop.formats.project import Project

Kind = Literal["project", "picture", "layers", "layout", "photo", "film"]
"""A whole project; a photograph that the program made; a stack of layers; a flat layout; any photo; a film."""


class FoundFile:
    """A file or folder whose format is to be determined."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.suffix = path.suffix.lower()

    @property
    def is_folder(self) -> bool:
        return self.path.is_dir()

    @cached_property
    def head(self) -> bytes:
        """The first 64 bytes; empty for a folder. Raises UserError when the file is missing or cannot be read."""
        if self.is_folder:
            return b""
        try:
            with self.path.open("rb") as file:
                return file.read(64)
        except FileNotFoundError as error:
            raise UserError(f"{self.path} does not exist; choose another file.") from error
        except OSError as error:
            raise UserError(f"{self.path} cannot be read ({error.strerror}); choose another file.") from error


@dataclass(frozen=True, eq=False)
class LayoutFile:
    """The label map of a file, uint8 [s, s] class ids (255 = empty), and notes about how it was changed."""

    label_map: np.ndarray = field(repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Export:
    """What a format can write: the document, its label map uint8 [S, S], and, if there is one, the photograph uint8 [P,
    P, 3] sRGB. `stem` begins the names of files in a folder. `project`: to embed in a picture."""

    document: DocumentState
    label_map: np.ndarray = field(repr=False)
    picture: np.ndarray | None = field(default=None, repr=False)
    stem: str = ""
    project: Project | None = None


@dataclass(frozen=True)
class Format:
    """A file format. Each function that it does not support is None.

    name: for people, as in file dialogs.
    suffixes: endings of its files, in lower case; the first is the default. A folder format has none.
    order: the lower, the earlier it is asked whether it recognises a file.
    recognises: whether a file may be of this format; by default, whether the ending is one of `suffixes`.
    read_project: reads a whole project.
    read_document: reads layers, or a proposal for the import dialog, in the classes of a palette.
    read_layout: reads exact class ids for the command line. `layout_name`: these files in its help, in the plural.
    write: writes an export to a file or folder and returns the paths written. `export_suffixes`: where not `suffixes`.
    menu_id, import_text, export_text: the menu entries of a folder format.

    Readers return None for a file that turns out to be of another format; the next format is asked then. Readers and
    writers raise UserError for everything that keeps them from their work.
    """

    name: str
    kind: Kind
    suffixes: tuple[str, ...] = ()
    order: int = 50
    recognises: Callable[[FoundFile], bool] | None = None
    read_project: Callable[[Path], Project | None] | None = None
    read_document: Callable[[Path, Palette], DocumentState | ImportProposal | None] | None = None
    read_layout: Callable[[Path], LayoutFile | None] | None = None
    layout_name: str = ""
    write: Callable[[Path, Export], Sequence[Path]] | None = None
    export_suffixes: tuple[str, ...] = ()
    menu_id: str = ""
    import_text: str = ""
    export_text: str = ""

    @property
    def is_folder(self) -> bool:
        return not self.suffixes

    @property
    def reads(self) -> bool:
        """Whether its files can be opened in the window."""
        return self.read_project is not None or self.read_document is not None

    @property
    def written_suffixes(self) -> tuple[str, ...]:
        """The endings that can be chosen when exporting."""
        return self.export_suffixes or self.suffixes

    def may_hold(self, found: FoundFile) -> bool:
        """Return whether the file may be of this format."""
        return found.suffix in self.suffixes if self.recognises is None else self.recognises(found)


@dataclass(frozen=True, eq=False)
class ReadFile:
    """What `read_file` found: the format, and a project, layers, or a proposal for the import dialog."""

    format: Format
    content: Project | DocumentState | ImportProposal


def formats() -> tuple[Format, ...]:
    """Return all formats, in the order in which they are asked whether they recognise a file."""
    package = smis_desktop.formats
    names = [info.name for info in pkgutil.iter_modules(package.__path__, package.__name__ + ".")]
    found = [getattr(importlib.import_module(name), "FORMAT", None) for name in names]
    return tuple(sorted((f for f in found if isinstance(f, Format)), key=lambda f: (f.order, f.name)))


def export_formats(kinds: Sequence[Kind]) -> tuple[Format, ...]:
    """Return the formats that write a single file of those kinds, in the order of the kinds."""
    written = [f for f in formats() if f.write is not None and not f.is_folder and f.kind in kinds]
    return tuple(sorted(written, key=lambda f: kinds.index(f.kind)))


def folder_formats() -> tuple[Format, ...]:
    """Return the formats that consist of a folder of files."""
    return tuple(f for f in formats() if f.is_folder)


def read_file(path: Path, palette: Callable[[], Palette]) -> ReadFile:
    """Read any file that can be opened in the window.

    palette: asked for only if the format needs it: the classes to read colours and names in.
    Raises UserError for everything else, `color_map.IsPhotograph` for a photo without a layout.
    """
    found = FoundFile(path)
    for file_format in formats():
        if not file_format.reads or not file_format.may_hold(found):
            continue
        content: Project | DocumentState | ImportProposal | None = None
        if file_format.read_project is not None:
            content = file_format.read_project(path)
        elif file_format.read_document is not None:
            content = file_format.read_document(path, palette())
        if content is not None:
            return ReadFile(file_format, content)
    raise UserError(f"{path} is of no format that this program reads; choose another file.")


def read_layout(path: Path) -> LayoutFile:
    """Read the class ids of a layout, or of a painting's composite. Raises UserError when there are none."""
    found = FoundFile(path)
    for file_format in formats():
        if file_format.read_layout is not None and file_format.may_hold(found):
            layout = file_format.read_layout(path)
            if layout is not None:
                return layout
    raise UserError(f"{path} holds no layout that can be read without asking; give {layout_names()}.")


def layout_names() -> str:
    """Name the formats that `read_layout` reads, for people: "index PNGs, projects (.smis)"."""
    readable = [f for f in formats() if f.read_layout is not None]
    return ", ".join(f.layout_name for f in sorted(readable, key=lambda f: -f.order))


def layout_suffixes() -> tuple[str, ...]:
    """Return the endings of files that `read_layout` takes from a folder; backups (`~`) are left out."""
    endings = {s for f in formats() if f.read_layout is not None for s in f.suffixes if not s.endswith("~")}
    return tuple(sorted(endings))


def write_export(path: Path, export: Export, kinds: Sequence[Kind]) -> Sequence[Path]:
    """Write the format that the name's ending asks for. Raises UserError for another ending, or when the disk
    refuses."""
    written = export_formats(kinds)
    for file_format in written:
        if path.suffix.lower() in file_format.written_suffixes and file_format.write is not None:
            return file_format.write(path, export)
    *others, last = [f.written_suffixes[0] for f in written]
    raise UserError(f"{path} does not say which kind of file to write: end the name in {', '.join(others)} or {last}.")

"""Projects (`.smis`): a zip with `project.json`, one index PNG a layer, latents, compositions and kept pictures."""

from __future__ import annotations

import base64
import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from PIL import Image

from smis_desktop.document.composition import Composition
from smis_desktop.document.document import MAX_SIZE, MIN_SIZE, DocumentState
from smis_desktop.document.layers import Layer
from smis_desktop.document.palette import Palette, SemanticClass
from smis_desktop.document.style import Anchor, Look, LookSchema, Style, StyleSchema
from smis_desktop.errors import UserError
from smis_desktop.formats.project_entries import EntryReader, EntryWriter
from smis_desktop.formats.registry import Format, LayoutFile
from smis_desktop.formats.stored_composition import (
    CompositionReader,
    CompositionSchema,
    CompositionWriter,
    SharedSchema,
)
from smis_desktop.storage.atomic import write_bytes

PROJECT_SUFFIX = ".smis"
ANCHOR_KEY = "anchor"
"""The name of the anchor among a project's extras."""
_MAX_ANCHOR_SIDE = 2048
_VERSION = 1
_MIMETYPE = b"application/x-smis-project"
MAX_LAYERS = 1000
_MAX_KEPT = 500
_MAX_PINS = 500
_MAX_LAYER_SIDE = 4 * MAX_SIZE
_REACH = 1 << 20
"""The largest distance of a layer from the document, in pixels."""
_DAMAGED = "open another copy, or the backup with the same name and a ~ at its end"


class _AnchorSchema(msgspec.Struct):
    look: LookSchema
    layout: str


def anchor_to_json(anchor: Anchor) -> dict[str, Any]:
    """Return an anchor as a JSON object, to store among a project's extras; see `anchor_from_json`."""
    buffer = io.BytesIO()
    Image.fromarray(anchor.layout).save(buffer, "PNG")
    look = LookSchema.of(Look.of_latents(anchor.ws, anchor.name))
    facts: dict[str, Any] = msgspec.to_builtins(_AnchorSchema(look, base64.b64encode(buffer.getvalue()).decode()))
    return facts


def anchor_from_json(facts: Mapping[str, Any]) -> Anchor | None:
    """Return the anchor that `anchor_to_json` stored; None for anything else: the painting then has no anchor."""
    try:
        found = msgspec.convert(facts, _AnchorSchema)
        look = found.look.look()
        with Image.open(io.BytesIO(base64.b64decode(found.layout, validate=True)), formats=["PNG"]) as image:
            if image.mode != "L" or max(image.size) > _MAX_ANCHOR_SIDE or image.width != image.height:
                return None
            layout = np.array(image, np.uint8)
    except (msgspec.ValidationError, ValueError, OSError, SyntaxError, Image.DecompressionBombError):
        return None
    if look.ws is None:
        return None
    layout.setflags(write=False)
    return Anchor(layout, look.ws, look.name)


@dataclass(frozen=True, eq=False)
class KeptStyle:
    """The style of a kept picture, with everything that its rendering depended on apart from the layout.

    extras: further JSON values, including those of later versions, kept unchanged. ws: float32 [num_ws, D], the
    latents of the picture without its patches, where known. pins: looks that the person pinned. composition: what the
    picture of the document is made of, where known; see `composition_for`. refined: refinement steps that it has taken.
    generator, generator_sha256: whose latents they are: the generator's name and the SHA-256 of its weights, in hex,
    each where known.
    """

    style: Style = field(default_factory=Style)
    extras: Mapping[str, Any] = field(default_factory=dict)
    ws: np.ndarray | None = field(default=None, repr=False)
    pins: tuple[Look, ...] = ()
    composition: Composition | None = field(default=None, repr=False)
    refined: int = 0
    generator: str | None = None
    generator_sha256: str | None = None

    def composition_for(self, generator: str, generator_sha256: str | None = None) -> Composition | None:
        """Return the composition, unless its latents are those of another generator: judged by the weights where both
        are known, else by the name."""
        is_same = self.generator in (None, generator)
        if self.generator_sha256 is not None and generator_sha256 is not None:
            is_same = self.generator_sha256 == generator_sha256
        return self.composition if is_same else None


@dataclass(frozen=True, eq=False)
class KeptPicture:
    """A kept picture with its document and style. png: its bytes, at any size."""

    png: bytes = field(repr=False)
    document: DocumentState
    style: KeptStyle


@dataclass(frozen=True, eq=False)
class Project:
    """A painting with its style, kept pictures and, where known, the personal model that it was painted for (SHA-256
    in hex, and path)."""

    document: DocumentState
    style: KeptStyle = field(default_factory=KeptStyle)
    model_name: str | None = None
    model_sha256: str | None = None
    model_path: str | None = None
    kept: tuple[KeptPicture, ...] = ()


def write_project(path: Path, project: Project) -> None:
    """Write a project atomically; the previous file stays as `NAME.smis~`.

    Raises UserError when the disk refuses; the old file is then whole.
    """
    data = encode_project(project)
    if path.is_file():
        try:
            write_bytes(path.with_name(path.name + "~"), path.read_bytes())
        except OSError as error:
            raise UserError(
                f"{path} cannot be read to keep a backup ({error.strerror}); save under another name."
            ) from error
    write_bytes(path, data)


def read_project(path: Path) -> Project:
    """Read a project. Raises UserError when the file is missing, damaged, of a newer version or no project."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; choose another project.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); choose another project.") from error
    return decode_project(data, str(path))


def encode_project(project: Project) -> bytes:
    """Return the bytes of a `.smis` file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        archive.writestr(zipfile.ZipInfo("mimetype"), _MIMETYPE)
        writer = _ProjectWriter(archive)
        facts = _ProjectSchema(
            format_version=_VERSION,
            document=writer.put_document("document", project.document),
            style=writer.put_style("style", project.style),
            model=_ModelSchema(project.model_name, project.model_sha256, project.model_path),
            kept=[writer.put_kept(f"kept/{number}", kept) for number, kept in enumerate(project.kept)],
            compositions=writer.compositions.shared(),
        )
        writer.entries.put("project.json", msgspec.json.format(msgspec.json.encode(facts), indent=1))
    return buffer.getvalue()


def decode_project(data: bytes, name: str) -> Project:
    """Read the bytes of `encode_project`. Raises UserError, which names `name`."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = EntryReader(archive)
            found = entries.read("project.json")
            version = msgspec.json.decode(found, type=_VersionOnly).format_version
            if version > _VERSION:
                raise UserError(
                    f"{name} was saved by a newer version of this program (format {version}, this one reads up to "
                    f"{_VERSION}); update the program."
                )
            facts = msgspec.json.decode(found, type=_ProjectSchema)
            if len(facts.kept) > _MAX_KEPT:
                raise ValueError(f"{len(facts.kept)} kept pictures")
            reader = _ProjectReader(entries, facts.compositions)
            return Project(
                document=reader.document(facts.document),
                style=reader.style(facts.style),
                model_name=facts.model.name,
                model_sha256=facts.model.sha256,
                model_path=facts.model.path,
                kept=tuple(reader.kept(kept) for kept in facts.kept),
            )
    except (
        zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, NotImplementedError, OSError, MemoryError,
        RuntimeError, SyntaxError, TypeError, msgspec.DecodeError, RecursionError, Image.DecompressionBombError,
    ) as error:  # fmt: skip
        raise UserError(
            f"{name} is no project of this program, or is damaged ({_words(error)}); {_DAMAGED}."
        ) from error


class _VersionOnly(msgspec.Struct):
    format_version: int


class _LayerSchema(msgspec.Struct):
    id: int
    name: str
    visible: bool
    locked: bool
    left: int
    top: int
    pixels: str | None


class _ClassSchema(msgspec.Struct):
    id: int
    name: str
    color: tuple[int, int, int]


class _DocumentSchema(msgspec.Struct):
    size: int
    classes: list[_ClassSchema]
    layers: list[_LayerSchema]
    active: int


class _StyleSchema(msgspec.Struct):
    seed: int
    mix: float
    extras: dict[str, Any]
    ws: str | None = None
    ws_shape: tuple[int, int] | None = None
    style: StyleSchema | None = None
    pins: list[LookSchema] = msgspec.field(default_factory=list)
    composition: CompositionSchema | None = None
    refined: Annotated[int, msgspec.Meta(ge=0)] = 0
    generator: str | None = None
    generator_sha256: str | None = None


class _ModelSchema(msgspec.Struct):
    name: str | None
    sha256: str | None
    path: str | None


class _KeptSchema(msgspec.Struct):
    picture: str
    document: _DocumentSchema
    style: _StyleSchema


class _ProjectSchema(msgspec.Struct):
    format_version: int
    document: _DocumentSchema
    style: _StyleSchema
    model: _ModelSchema
    kept: list[_KeptSchema]
    compositions: SharedSchema = msgspec.field(default_factory=SharedSchema)


class _ProjectWriter:
    """Puts the parts of a project into its entries."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.entries = EntryWriter(archive)
        self.compositions = CompositionWriter(self.entries)

    def put_document(self, folder: str, state: DocumentState) -> _DocumentSchema:
        layers = []
        for layer in state.layers:
            entry = None
            if layer.pixels.size:
                entry = f"{folder}/layer-{layer.layer_id}.png"
                buffer = io.BytesIO()
                Image.fromarray(layer.pixels).save(buffer, "PNG", compress_level=6)
                self.entries.put(entry, buffer.getvalue())
            layers.append(
                _LayerSchema(layer.layer_id, layer.name, layer.visible, layer.locked, layer.left, layer.top, entry)
            )
        classes = [_ClassSchema(c.class_id, c.name, c.color) for c in state.palette.classes]
        return _DocumentSchema(state.size, classes, layers, state.active_id)

    def put_style(self, folder: str, style: KeptStyle) -> _StyleSchema:
        entry, shape = None, None
        if style.ws is not None:
            entry, shape = f"{folder}/ws.f32", (int(style.ws.shape[0]), int(style.ws.shape[1]))
            self.entries.put(entry, np.ascontiguousarray(style.ws, "<f4").tobytes())
        return _StyleSchema(
            style.style.look.seed, style.style.mix, dict(style.extras), entry, shape, StyleSchema.of(style.style),
            [LookSchema.of(look) for look in style.pins],
            None if style.composition is None else self.compositions.put(style.composition),
            style.refined, style.generator, style.generator_sha256,
        )  # fmt: skip

    def put_kept(self, folder: str, kept: KeptPicture) -> _KeptSchema:
        self.entries.put(f"{folder}/picture.png", kept.png)
        document = self.put_document(f"{folder}/document", kept.document)
        return _KeptSchema(f"{folder}/picture.png", document, self.put_style(f"{folder}/style", kept.style))


class _ProjectReader:
    """Reads the parts of a project from its entries. Raises what `decode_project` makes a UserError of."""

    def __init__(self, entries: EntryReader, compositions: SharedSchema) -> None:
        self._entries = entries
        self._compositions = CompositionReader(entries, compositions)

    def document(self, facts: _DocumentSchema) -> DocumentState:
        if not MIN_SIZE <= facts.size <= MAX_SIZE:
            raise ValueError(f"a size of {facts.size} pixels")
        if not 1 <= len(facts.layers) <= MAX_LAYERS:
            raise ValueError(f"{len(facts.layers)} layers")
        palette = Palette(tuple(SemanticClass(c.id, c.name, _color(c.color)) for c in facts.classes))
        layers = tuple(self._layer(layer) for layer in facts.layers)
        ids = [layer.layer_id for layer in layers]
        if len(set(ids)) != len(ids) or facts.active not in ids:
            raise ValueError("layers with the same id, or no active one")
        return DocumentState(facts.size, palette, layers, facts.active)

    def _layer(self, facts: _LayerSchema) -> Layer:
        if max(abs(facts.left), abs(facts.top)) > _REACH:
            raise ValueError("a layer far outside")
        pixels = np.empty((0, 0), np.uint8)
        if facts.pixels is not None:
            with Image.open(io.BytesIO(self._entries.read(facts.pixels)), formats=["PNG"]) as image:
                if image.mode != "L" or max(image.size) > _MAX_LAYER_SIDE:
                    raise ValueError("a layer that holds no class ids")
                pixels = np.array(image, np.uint8)
        return Layer(facts.id, facts.name, facts.visible, facts.locked, facts.left, facts.top, pixels)

    def style(self, facts: _StyleSchema) -> KeptStyle:
        ws = None
        if facts.ws is not None and facts.ws_shape is not None:
            ws = np.frombuffer(self._entries.read(facts.ws), "<f4").reshape(facts.ws_shape).astype(np.float32)
            if not np.isfinite(ws).all():
                raise ValueError("latents that are not finite")
        if not 0 <= facts.mix <= 1:
            raise ValueError(f"a mixing strength of {facts.mix}")
        plain = Style.of_seed(facts.seed, facts.mix)  # what versions before faders knew
        style = plain if facts.style is None else facts.style.style()
        if len(facts.pins) > _MAX_PINS:
            raise ValueError(f"{len(facts.pins)} pinned looks")
        return KeptStyle(
            style, facts.extras, ws, tuple(pin.look() for pin in facts.pins),
            None if facts.composition is None else self._compositions.composition(facts.composition),
            facts.refined, facts.generator, facts.generator_sha256,
        )  # fmt: skip

    def kept(self, facts: _KeptSchema) -> KeptPicture:
        return KeptPicture(self._entries.read(facts.picture), self.document(facts.document), self.style(facts.style))


def _color(channels: tuple[int, int, int]) -> tuple[int, int, int]:
    if not all(0 <= channel <= 255 for channel in channels):
        raise ValueError(f"a colour of {channels}")
    return channels


def _words(error: Exception) -> str:
    return str(error).splitlines()[0].strip("'\".") if str(error) else type(error).__name__


def _read_layout(path: Path) -> LayoutFile | None:
    return LayoutFile(read_project(path).document.label_map()) if path.suffix.lower() == PROJECT_SUFFIX else None


FORMAT = Format(
    "Projects",
    "project",
    suffixes=(PROJECT_SUFFIX, PROJECT_SUFFIX + "~"),
    order=10,
    read_project=read_project,
    read_layout=_read_layout,
    layout_name=f"projects ({PROJECT_SUFFIX})",
)

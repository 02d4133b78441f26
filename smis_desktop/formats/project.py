"""Projects (`.smis`): a zip with `project.json`, one index PNG a layer, latents and kept pictures."""

from __future__ import annotations

import base64
import io
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image

from smis_desktop.document.composition import Composition
from smis_desktop.document.document import MAX_SIZE, MIN_SIZE, DocumentState
from smis_desktop.document.layers import Layer
from smis_desktop.document.palette import Palette, SemanticClass
from smis_desktop.document.style import Anchor, Look, LookSchema, Style, StyleSchema
from smis_desktop.errors import UserError
from smis_desktop.formats.registry import Format, LayoutFile
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
_MAX_UNPACKED = 1 << 30
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
    picture is made of, by that generator, after `refined` refinement steps.
    """

    style: Style = field(default_factory=Style)
    extras: Mapping[str, Any] = field(default_factory=dict)
    ws: np.ndarray | None = field(default=None, repr=False)
    pins: tuple[Look, ...] = ()
    composition: Composition | None = field(default=None, repr=False)
    refined: int = 0
    generator: str | None = None


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
        put = _Writer(archive).put
        facts = _ProjectSchema(
            format_version=_VERSION,
            document=_put_document(put, "document", project.document),
            style=_put_style(put, "style", project.style),
            model=_ModelSchema(project.model_name, project.model_sha256, project.model_path),
            kept=[_put_kept(put, f"kept/{number}", kept) for number, kept in enumerate(project.kept)],
        )
        put("project.json", msgspec.json.format(msgspec.json.encode(facts), indent=1))
    return buffer.getvalue()


def decode_project(data: bytes, name: str) -> Project:
    """Read the bytes of `encode_project`. Raises UserError, which names `name`."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            read = _Reader(archive).read
            found = read("project.json")
            version = msgspec.json.decode(found, type=_VersionOnly).format_version
            if version > _VERSION:
                raise UserError(
                    f"{name} was saved by a newer version of this program (format {version}, this one reads up to "
                    f"{_VERSION}); update the program."
                )
            facts = msgspec.json.decode(found, type=_ProjectSchema)
            if len(facts.kept) > _MAX_KEPT:
                raise ValueError(f"{len(facts.kept)} kept pictures")
            return Project(
                document=_get_document(read, facts.document),
                style=_get_style(read, facts.style),
                model_name=facts.model.name,
                model_sha256=facts.model.sha256,
                model_path=facts.model.path,
                kept=tuple(_get_kept(read, kept) for kept in facts.kept),
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


class _Writer:
    """Writes entries with a fixed date, so that the same project always gives the same bytes."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def put(self, name: str, data: bytes) -> None:
        compression = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
        self._archive.writestr(zipfile.ZipInfo(name), data, compression)


class _Reader:
    """Reads entries by name, and refuses more bytes than a project can plausibly hold. Unpacks nothing to disk."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._left = _MAX_UNPACKED

    def read(self, name: str) -> bytes:
        with self._archive.open(name) as entry:
            data = entry.read(self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise ValueError("it unpacks to more than a gigabyte")
        return data


def _put_document(put: Callable[[str, bytes], None], folder: str, state: DocumentState) -> _DocumentSchema:
    layers = []
    for layer in state.layers:
        entry = None
        if layer.pixels.size:
            entry = f"{folder}/layer-{layer.layer_id}.png"
            buffer = io.BytesIO()
            Image.fromarray(layer.pixels).save(buffer, "PNG", compress_level=6)
            put(entry, buffer.getvalue())
        layers.append(
            _LayerSchema(layer.layer_id, layer.name, layer.visible, layer.locked, layer.left, layer.top, entry)
        )
    classes = [_ClassSchema(c.class_id, c.name, c.color) for c in state.palette.classes]
    return _DocumentSchema(state.size, classes, layers, state.active_id)


def _get_document(read: Callable[[str], bytes], facts: _DocumentSchema) -> DocumentState:
    if not MIN_SIZE <= facts.size <= MAX_SIZE:
        raise ValueError(f"a size of {facts.size} pixels")
    if not 1 <= len(facts.layers) <= MAX_LAYERS:
        raise ValueError(f"{len(facts.layers)} layers")
    palette = Palette(tuple(SemanticClass(c.id, c.name, _color(c.color)) for c in facts.classes))
    layers = tuple(_get_layer(read, layer) for layer in facts.layers)
    ids = [layer.layer_id for layer in layers]
    if len(set(ids)) != len(ids) or facts.active not in ids:
        raise ValueError("layers with the same id, or no active one")
    return DocumentState(facts.size, palette, layers, facts.active)


def _get_layer(read: Callable[[str], bytes], facts: _LayerSchema) -> Layer:
    if max(abs(facts.left), abs(facts.top)) > _REACH:
        raise ValueError("a layer far outside")
    pixels = np.empty((0, 0), np.uint8)
    if facts.pixels is not None:
        with Image.open(io.BytesIO(read(facts.pixels)), formats=["PNG"]) as image:
            if image.mode != "L" or max(image.size) > _MAX_LAYER_SIDE:
                raise ValueError("a layer that holds no class ids")
            pixels = np.array(image, np.uint8)
    return Layer(facts.id, facts.name, facts.visible, facts.locked, facts.left, facts.top, pixels)


def _put_style(put: Callable[[str, bytes], None], folder: str, style: KeptStyle) -> _StyleSchema:
    entry, shape = None, None
    if style.ws is not None:
        entry, shape = f"{folder}/ws.f32", (int(style.ws.shape[0]), int(style.ws.shape[1]))
        put(entry, np.ascontiguousarray(style.ws, "<f4").tobytes())
    return _StyleSchema(
        style.style.look.seed, style.style.mix, dict(style.extras), entry, shape, StyleSchema.of(style.style),
        [LookSchema.of(look) for look in style.pins],
    )  # fmt: skip


def _get_style(read: Callable[[str], bytes], facts: _StyleSchema) -> KeptStyle:
    ws = None
    if facts.ws is not None and facts.ws_shape is not None:
        ws = np.frombuffer(read(facts.ws), "<f4").reshape(facts.ws_shape).astype(np.float32)
        if not np.isfinite(ws).all():
            raise ValueError("latents that are not finite")
    if not 0 <= facts.mix <= 1:
        raise ValueError(f"a mixing strength of {facts.mix}")
    plain = Style.of_seed(facts.seed, facts.mix)  # what versions before faders knew
    style = plain if facts.style is None else facts.style.style()
    if len(facts.pins) > _MAX_PINS:
        raise ValueError(f"{len(facts.pins)} pinned looks")
    return KeptStyle(style, facts.extras, ws, tuple(pin.look() for pin in facts.pins))


def _put_kept(put: Callable[[str, bytes], None], folder: str, kept: KeptPicture) -> _KeptSchema:
    put(f"{folder}/picture.png", kept.png)
    document = _put_document(put, f"{folder}/document", kept.document)
    return _KeptSchema(f"{folder}/picture.png", document, _put_style(put, f"{folder}/style", kept.style))


def _get_kept(read: Callable[[str], bytes], facts: _KeptSchema) -> KeptPicture:
    return KeptPicture(read(facts.picture), _get_document(read, facts.document), _get_style(read, facts.style))


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

"""OpenRaster (`.ora`): layers that Krita, MyPaint and GIMP open, with the exact class ids in an entry of our own.

Structure after the OpenRaster specification 0.0.6: a zip whose first entry is `mimetype`, with `stack.xml`, the layers'
PNGs, `mergedimage.png` and a thumbnail.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from smis_desktop.document.document import MAX_SIZE, MIN_SIZE, DocumentState
from smis_desktop.document.layers import Layer
from smis_desktop.document.palette import Palette
from smis_desktop.errors import UserError
from smis_desktop.formats.color_map import layer_rgba, nearest_classes
from smis_desktop.formats.project import MAX_LAYERS, Project, decode_project, encode_project
from smis_desktop.formats.registry import Export, Format
from smis_desktop.storage.atomic import write_bytes

_EXACT = "smis/document.smis"
_EXACT_DIGEST = "smis/layers.sha256"
_MAX_ENTRY = 1 << 28
_THUMBNAIL = 256


def write_ora(path: Path, document: DocumentState, preview: np.ndarray | None = None) -> None:
    """Write the layers with their names, and the preview (uint8 [S, S, 3]) as a hidden layer on top.

    Raises UserError when the disk refuses.
    """
    size, palette = document.size, document.palette
    layers: list[tuple[str, np.ndarray, int, int, bool, bool]] = [
        (layer.name, layer_rgba(layer.pixels, palette), layer.left, layer.top, layer.visible, layer.locked)
        for layer in document.layers
    ]
    root = ElementTree.Element("image", w=str(size), h=str(size), version="0.0.6")
    stack = ElementTree.SubElement(root, "stack")
    buffer = io.BytesIO()
    digest = hashlib.sha256()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        _put(archive, "mimetype", b"image/openraster", zipfile.ZIP_STORED)
        if preview is not None:
            picture = np.array(Image.fromarray(preview).resize((size, size), Image.Resampling.LANCZOS))
            opaque = np.full((size, size), 255, np.uint8)
            _put(archive, "data/preview.png", _png(np.dstack((picture, opaque))))
            _describe(stack, "Photograph", "data/preview.png", 0, 0, False, True)
        for number, (name, rgba, left, top, visible, locked) in reversed(list(enumerate(layers))):
            # A PNG cannot be empty: an empty layer is one transparent pixel.
            png = _png(rgba if rgba.size else np.zeros((1, 1, 4), np.uint8))
            digest.update(png)
            _put(archive, f"data/layer{number}.png", png)
            _describe(stack, name, f"data/layer{number}.png", left, top, visible, locked)
        merged = layer_rgba(document.label_map(), palette)
        _put(archive, "stack.xml", ElementTree.tostring(root, "utf-8", xml_declaration=True))
        _put(archive, "mergedimage.png", _png(merged))
        side = min(size, _THUMBNAIL)
        _put(archive, "Thumbnails/thumbnail.png", _png(np.array(Image.fromarray(merged).resize((side, side)))))
        _put(archive, _EXACT, encode_project(Project(document)))
        _put(archive, _EXACT_DIGEST, digest.hexdigest().encode())
    write_bytes(path, buffer.getvalue())


def read_ora(path: Path, palette: Palette) -> DocumentState:
    """Read the layers of an OpenRaster file.

    Ids are exact where the file is as `write_ora` made it; where another program has saved it, pixels take the class of
    `palette` with the nearest colour. Raises UserError for anything that is no such file, is damaged, not square or too
    large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            root = _stack(_get(archive, "stack.xml"))
            found = [(element, _get(archive, element.get("src", ""))) for element in root.iter("layer")]
            if len(found) > MAX_LAYERS:
                raise ValueError("too many layers")
            if _EXACT in names and _EXACT_DIGEST in names:
                ours = [png for element, png in found if element.get("src") != "data/preview.png"]
                if hashlib.sha256(b"".join(ours)).hexdigest().encode() == _get(archive, _EXACT_DIGEST):
                    return decode_project(_get(archive, _EXACT), str(path)).document
            return _from_colors(root, found, palette)
    except (
        zipfile.BadZipFile, zlib.error, LookupError, ValueError, EOFError, NotImplementedError, OSError, MemoryError,
        RuntimeError, SyntaxError, ElementTree.ParseError, RecursionError, Image.DecompressionBombError,
    ) as error:  # fmt: skip
        words = str(error).splitlines()[0].strip("'\"") if str(error) else type(error).__name__
        raise UserError(f"{path} is no OpenRaster file of one square picture ({words}); export it again.") from error


def _from_colors(
    root: ElementTree.Element, found: list[tuple[ElementTree.Element, bytes]], palette: Palette
) -> DocumentState:
    width, height = int(root.get("w", "0")), int(root.get("h", "0"))
    if width != height or not MIN_SIZE <= width <= MAX_SIZE:
        raise ValueError(f"it is {width} × {height}; layouts are square, {MIN_SIZE} to {MAX_SIZE} pixels")
    layers = []
    for number, (element, png) in enumerate(reversed(found), start=1):
        if element.get("src") == "data/preview.png":
            continue
        pixels = nearest_classes(_rgba(png), palette)
        layers.append(
            Layer(
                number,
                element.get("name") or f"Layer {number}",
                element.get("visibility", "visible") == "visible",
                element.get("edit-locked") == "true",
                int(element.get("x", "0")),
                int(element.get("y", "0")),
                pixels,
            ).trimmed()
        )
    if not layers:
        raise ValueError("it has no layers")
    return DocumentState(width, palette, tuple(layers), layers[-1].layer_id)


def _stack(data: bytes) -> ElementTree.Element:
    if len(data) > 1 << 22 or b"<!DOCTYPE" in data[:4096] or b"<!ENTITY" in data:
        raise ValueError("its list of layers is too large or declares entities")
    return ElementTree.fromstring(data)


def _describe(stack: ElementTree.Element, name: str, source: str, x: int, y: int, visible: bool, locked: bool) -> None:
    facts = {"name": name, "src": source, "x": str(x), "y": str(y), "opacity": "1.0", "composite-op": "svg:src-over"}
    facts["visibility"] = "visible" if visible else "hidden"
    if locked:
        facts["edit-locked"] = "true"
    ElementTree.SubElement(stack, "layer", facts)


def _put(archive: zipfile.ZipFile, name: str, data: bytes, how: int = zipfile.ZIP_DEFLATED) -> None:
    archive.writestr(zipfile.ZipInfo(name), data, how)


def _get(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as entry:
        data = entry.read(_MAX_ENTRY + 1)
    if len(data) > _MAX_ENTRY:
        raise ValueError("an entry unpacks to more than 256 MB")
    return data


def _png(rgba: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgba).save(buffer, "PNG")
    return buffer.getvalue()


def _rgba(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        if max(image.size) > 4 * MAX_SIZE:
            raise ValueError("a layer is too large")
        return np.array(image.convert("RGBA"))


def _write(path: Path, export: Export) -> Sequence[Path]:
    write_ora(path, export.document, export.picture)
    return [path]


FORMAT = Format("OpenRaster", "layers", suffixes=(".ora",), order=20, read_document=read_ora, write=_write)

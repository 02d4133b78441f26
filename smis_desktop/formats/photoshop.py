"""Photoshop files (`.psd`): named layers in the classes' colours, the photograph on top, exact ids in a resource."""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from smis_desktop.document.document import MAX_SIZE, MIN_SIZE, DocumentState
from smis_desktop.document.layers import Layer
from smis_desktop.document.palette import Palette
from smis_desktop.errors import UserError
from smis_desktop.formats.color_map import layer_rgba, nearest_classes
from smis_desktop.formats.project import Project, decode_project, encode_project
from smis_desktop.formats.registry import Export, Format
from smis_desktop.storage.atomic import write_bytes

if TYPE_CHECKING:
    from psd_tools import PSDImage
    from psd_tools.api.layers import PixelLayer

PHOTOGRAPH = "Photograph"
_RESOURCE = 4005
"""Photoshop's id of the resource "Plug-in resource 5"."""
_MARK = b"smis"
_DIGEST = 32
_DAMAGED = (
    OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError, EOFError, MemoryError,
    RecursionError, NotImplementedError, SyntaxError, struct.error, Image.DecompressionBombError,
)  # fmt: skip
"""All that psd-tools has been seen to raise on damaged files."""


def write_psd(path: Path, document: DocumentState, preview: np.ndarray | None = None) -> None:
    """Write the layers, from bottom to top, and the preview (uint8 [S, S, 3]) as the top layer.

    Raises UserError when the disk refuses.
    """
    from psd_tools import PSDImage
    from psd_tools.psd.image_resources import ImageResource

    size = document.size
    psd = PSDImage.new("RGB", (size, size), color=255)
    for layer in document.layers:
        rgba = layer_rgba(layer.pixels, document.palette)
        # The format has no empty layers: one transparent pixel stands for nothing.
        image = Image.fromarray(rgba if rgba.size else np.zeros((1, 1, 4), np.uint8))
        made = psd.create_pixel_layer(image, top=layer.top, left=layer.left)
        made.name = layer.name  # set afterwards: only so do names outside Latin script survive
        made.visible = layer.visible
    if preview is not None:
        picture = Image.fromarray(preview).resize((size, size), Image.Resampling.LANCZOS).convert("RGBA")
        psd.create_pixel_layer(picture).name = PHOTOGRAPH
    exact = _MARK + _digest(psd) + encode_project(Project(document))
    psd.image_resources[_RESOURCE] = ImageResource(key=_RESOURCE, data=exact)
    buffer = io.BytesIO()
    psd.save(buffer)
    write_bytes(path, buffer.getvalue())


def read_psd(path: Path, palette: Palette) -> DocumentState:
    """Read the layers of a Photoshop file, except one named "Photograph".

    Ids are exact where its layers are as `write_psd` made them; else pixels take the class of `palette` with the
    nearest colour. Raises UserError for anything that is no such file, is damaged, not square or too large.
    """
    from psd_tools import PSDImage

    try:
        with path.open("rb") as file:
            head = file.read(26)
        if head[:4] != b"8BPS" or len(head) < 26:
            raise ValueError("it does not begin as one")
        height, width = struct.unpack(">II", head[14:22])
        if width != height or not MIN_SIZE <= width <= MAX_SIZE:
            raise ValueError(f"it is {width} × {height}; layouts are square, {MIN_SIZE} to {MAX_SIZE} pixels")
        psd = PSDImage.open(path)
        resource = psd.image_resources.get(_RESOURCE)
        data = bytes(resource.data) if resource is not None and isinstance(resource.data, bytes) else b""
        if data.startswith(_MARK) and data[len(_MARK) : len(_MARK) + _DIGEST] == _digest(psd):
            return decode_project(data[len(_MARK) + _DIGEST :], str(path)).document
        return _from_colors(psd, width, palette)
    except _DAMAGED as error:
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} is no Photoshop file of one square picture ({words}); export it again.") from error


def _from_colors(psd: PSDImage, size: int, palette: Palette) -> DocumentState:
    layers = []
    for number, found in enumerate(_pixel_layers(psd), start=1):
        image = found.topil()
        if found.name == PHOTOGRAPH or image is None:
            continue
        pixels = nearest_classes(np.array(image.convert("RGBA")), palette)
        layers.append(Layer(number, found.name, found.visible, False, found.left, found.top, pixels).trimmed())
    if not layers:
        raise ValueError("it has no layers of pixels")
    return DocumentState(size, palette, tuple(layers), layers[-1].layer_id)


def _pixel_layers(psd: PSDImage) -> list[PixelLayer]:
    from psd_tools.api.layers import PixelLayer

    found = [layer for layer in psd.descendants() if isinstance(layer, PixelLayer)]
    if any(max(layer.width, layer.height) > 4 * MAX_SIZE for layer in found):
        raise ValueError("a layer is too large")
    return found


def _digest(psd: PSDImage) -> bytes:
    """Return a digest of the layers, by which changes since they were written are found."""
    digest = hashlib.sha256()
    for layer in _pixel_layers(psd):
        if layer.name == PHOTOGRAPH:
            continue
        digest.update(f"{layer.name}|{layer.left}|{layer.top}|{layer.visible}|".encode())
        image = layer.topil()
        if image is not None:
            digest.update(np.array(image.convert("RGBA")).tobytes())
    return digest.digest()


def _write(path: Path, export: Export) -> Sequence[Path]:
    write_psd(path, export.document, export.picture)
    return [path]


FORMAT = Format("Photoshop", "layers", suffixes=(".psd",), order=21, read_document=read_psd, write=_write)

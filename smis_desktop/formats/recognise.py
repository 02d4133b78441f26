"""Which kind of layout a file or folder holds: by its content, not its name."""

from __future__ import annotations

from pathlib import Path

from smis_desktop.document.palette import Palette
from smis_desktop.errors import UserError
from smis_desktop.formats.class_masks import propose_masks, subjects
from smis_desktop.formats.color_map import propose_color_map
from smis_desktop.formats.image_file import load_image_file
from smis_desktop.formats.import_proposal import ImportProposal
from smis_desktop.formats.index_image import propose_index_image
from smis_desktop.formats.index_png import read_label_map
from smis_desktop.formats.labelme import propose_labelme


def propose_import(path: Path, palette: Palette) -> ImportProposal:
    """A proposal for whatever layout `path` holds: an index image, a colour map, a labelme file, a folder of masks (or
    one mask of such a folder's first picture). Raises UserError when it is none of these."""
    if path.is_dir():
        found = subjects(path)
        if not found:
            raise UserError(f"{path} holds no masks named PICTURE_PART.png; choose a layout or a folder of masks.")
        return propose_masks(path, found[0], palette)
    head = _head(path)
    if head.lstrip()[:1] == b"{":
        return propose_labelme(path, palette)
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        try:
            read_label_map(path)
        except UserError:
            return propose_color_map(path, palette)
        return propose_index_image(path, palette)
    load_image_file(path)  # says what is wrong with what is no picture at all
    return propose_color_map(path, palette)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(64)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; choose another file.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); choose another file.") from error

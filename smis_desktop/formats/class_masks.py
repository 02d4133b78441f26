"""Class masks: folders with one black and white picture for each class, as CelebAMask-HQ has them."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from smis_desktop.document.palette import Palette
from smis_desktop.errors import UserError
from smis_desktop.formats.image_file import load_image_file
from smis_desktop.formats.import_proposal import ImportProposal, class_named, propose
from smis_desktop.formats.registry import Export, Format, FoundFile
from smis_desktop.storage.atomic import write_bytes

# How masks overlap, lowest first: the order of CelebAMask-HQ's classes (Lee et al. 2020).
_ORDER = (
    "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip", "l_lip", "hair",
    "hat", "ear_r", "neck_l", "neck", "cloth",
)  # fmt: skip
_NAME = re.compile(r"(?P<subject>[^_]+)_(?P<part>.+)\.png", re.IGNORECASE)
_MAX_MASKS = 256


def subjects(folder: Path) -> tuple[str, ...]:
    """Return the pictures for which the folder has masks: the parts of file names before the first underscore."""
    return tuple(sorted({match["subject"] for match in _matches(folder)}))


def propose_masks(folder: Path, subject: str, palette: Palette) -> ImportProposal:
    """Propose a layout from the masks of one picture.

    Masks are laid over each other in CelebAMask-HQ's order, unknown parts last, by name. Raises UserError when there
    are none, or one cannot be read or has another size.
    """
    parts = {match["part"]: folder / match.string for match in _matches(folder) if match["subject"] == subject}
    if not parts:
        raise UserError(f"{folder} holds no masks named {subject}_PART.png; choose another folder.")
    if len(parts) > _MAX_MASKS:
        raise UserError(
            f"{folder} holds {len(parts)} masks of {subject}, more than there are classes; choose another folder."
        )
    ranked = sorted(parts, key=lambda part: (_ORDER.index(part) if part in _ORDER else len(_ORDER), part))
    values: np.ndarray | None = None
    overlaps = 0
    for number, part in enumerate(ranked):
        mask = _mask(parts[part])
        if values is None:
            values = np.full(mask.shape, -1, np.int16)
        if mask.shape != values.shape or mask.shape[0] != mask.shape[1]:
            raise UserError(f"{parts[part]} is not as large as the other masks, or not square; give it their size.")
        overlaps += int((mask & (values >= 0)).sum())
        values[mask] = number
    assert values is not None
    suggestion = {n: found for n, part in enumerate(ranked) if (found := class_named(part, palette)) is not None}
    background = class_named("background", palette)
    if background is not None:
        values[values < 0] = len(ranked)
        suggestion[len(ranked)] = background
    names = {**{n: part.replace("_", " ") for n, part in enumerate(ranked)}, len(ranked): "(no mask)"}
    notes = (
        () if not overlaps else (f"Masks overlap in {overlaps:,} pixels: parts later in the list cover earlier ones.",)
    )
    is_certain = all(n in suggestion for n in range(len(ranked)))
    return propose(f"Masks of {subject}", values, names, {}, suggestion, is_certain=is_certain, notes=notes)


def _matches(folder: Path) -> list[re.Match[str]]:
    try:
        names = sorted(path.name for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise UserError(f"{folder} cannot be read ({error.strerror}); choose another folder.") from error
    return [match for name in names if (match := _NAME.fullmatch(name))]


def _mask(path: Path) -> np.ndarray:
    image = load_image_file(path).image
    if max(image.size) > 4096:
        raise UserError(f"{path} is larger than any mask of a picture that can be painted; make it smaller.")
    if max(image.size) > 2048:
        image = image.resize((2048, 2048), Image.Resampling.NEAREST)
    mask: np.ndarray = np.array(image.convert("L")) >= 128
    return mask


def write_class_masks(folder: Path, stem: str, label_map: np.ndarray, palette: Palette) -> list[Path]:
    """Write one mask for each class of a label map, uint8 [H, H], and return the paths.

    The masks are `STEM_CLASS.png`, white where the class is; `STEM_classes.json` holds ids and colours. The folder is
    made if it is missing. Raises UserError when the disk refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be made ({error.strerror}); choose another folder.") from error
    written, facts, names = [], [], set()
    for semantic_class in palette.classes:
        mask = label_map == semantic_class.class_id
        if not mask.any():
            continue
        name = f"{stem}_{_file_name(semantic_class.name, semantic_class.class_id)}.png"
        if name in names:
            name = f"{stem}_{semantic_class.class_id}.png"
        names.add(name)
        buffer = io.BytesIO()
        Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(buffer, "PNG")
        write_bytes(folder / name, buffer.getvalue())
        written.append(folder / name)
        facts.append(
            {
                "id": semantic_class.class_id,
                "name": semantic_class.name,
                "color": list(semantic_class.color),
                "file": name,
            }
        )
    path = folder / f"{stem}_classes.json"
    write_bytes(path, json.dumps({"classes": facts}, indent=1, ensure_ascii=False).encode())
    return [*written, path]


def _file_name(name: str, class_id: int) -> str:
    """Return the class's name without characters that file systems refuse; its id when nothing is left."""
    return re.sub(r"[^\w-]+", "_", name).strip("_.")[:60] or str(class_id)


def _is_folder(found: FoundFile) -> bool:
    return found.is_folder


def _propose_first(folder: Path, palette: Palette) -> ImportProposal:
    found = subjects(folder)
    if not found:
        raise UserError(f"{folder} holds no masks named PICTURE_PART.png; choose a layout or a folder of masks.")
    return propose_masks(folder, found[0], palette)


def _write(folder: Path, export: Export) -> Sequence[Path]:
    return write_class_masks(folder, export.stem, export.label_map, export.document.palette)


FORMAT = Format(
    "Class masks",
    "layout",
    order=40,
    recognises=_is_folder,
    read_document=_propose_first,
    write=_write,
    menu_id="masks",
    import_text="Import folder of mas&ks…",
    export_text="Export class mas&ks…",
)

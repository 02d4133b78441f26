"""Layouts as one black and white mask for each class, as CelebAMask-HQ and many labelling tools keep them."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
from PIL import Image

from smis_desktop.errors import UserError
from smis_desktop.labels.palette import Palette
from smis_desktop.storage.atomic import write_bytes


def write_class_masks(folder: Path, stem: str, label_map: np.ndarray, palette: Palette) -> list[Path]:
    """Writes `STEM_CLASS.png` (white where the class is) for each class that uint8 `label_map` [H, H] holds, and
    `STEM_classes.json` with ids and colours. The folder is made if need be.

    Returns what was written. Raises UserError when the disk refuses.
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
    """The class's name without what file systems dislike; its id when nothing is left."""
    return re.sub(r"[^\w-]+", "_", name).strip("_.")[:60] or str(class_id)

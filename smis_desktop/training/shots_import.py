"""Importing labelled photos from a shots folder into a workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from smis_desktop.document.palette import EMPTY, UNLABELLED_SPARSE_ID, LabelKind, Palette
from smis_desktop.errors import UserError
from smis_desktop.formats.shots_folder import read_classes, read_shots
from smis_desktop.training.shots import read_generated_pictures
from smis_desktop.training.workspace import Workspace


def import_shots(workspace: Workspace, folder: Path, names: Sequence[str], label_kind: LabelKind) -> tuple[str, ...]:
    """Imports the shots of these names with labels and classes, and returns the names that they got.

    A workspace without labels takes over the folder's classes and kind of labels; otherwise the folder's classes are
    added to its own. Pictures that `generated.json` lists count as the generator's own.

    Args:
        workspace: To import into.
        folder: A shots folder.
        names: Stems of the shots.
        label_kind: Decides what 0 means in the folder's labels.

    Raises:
        UserError: The folder cannot be read, its classes contradict the workspace's, there are too many shots, or the
            disk refuses. Nothing is imported then.
    """
    imported = read_shots(folder, label_kind, names)
    is_first = not any(shot.is_labelled for shot in workspace.shots())
    before = workspace.palette
    palette = imported.palette if is_first else merged_palette(before, imported.palette, folder)
    listed = read_generated_pictures(folder)
    seeds = {} if listed is None else listed.by_name()
    added: dict[str, str] = {}
    try:
        workspace.set_palette(palette)
        for shot in imported.shots:
            own = added[shot.name] = workspace.add_photo(shot.name, shot.picture)
            label_map = shot.label_map
            if label_kind == "sparse":
                label_map = np.where(label_map == UNLABELLED_SPARSE_ID, np.uint8(EMPTY), label_map)
            workspace.set_label(own, label_map)
        if listed is not None:
            own_pictures = tuple(replace(seeds[name], name=own) for name, own in added.items() if name in seeds)
            workspace.mark_generated(replace(listed, pictures=own_pictures))
        if is_first:
            workspace.change(label_kind=label_kind)
    except UserError:
        for own in added.values():
            workspace.remove_shot(own)
        workspace.set_palette(before)
        raise
    return tuple(added.values())


def merged_palette(own: Palette, other: Palette, folder: Path) -> Palette:
    """Returns the classes of both. A class that the folder only numbers becomes the existing class of that number.

    Raises UserError where one number has two names, or one name two numbers: their labels would mix.
    """
    path = folder / "classes.json"
    named = read_classes(path) if path.is_file() else {}
    classes = {c.class_id: c for c in own.classes}
    for semantic_class in other.classes:
        class_id, name = semantic_class.class_id, semantic_class.name
        known = classes.setdefault(class_id, semantic_class)
        if known.name != name and class_id in named:
            raise UserError(
                f"{path} calls class {class_id} {name!r}, but here it is {known.name!r}; give both the same name, or "
                "begin a new model with this folder."
            )
    ids: dict[str, int] = {}
    for class_id, semantic_class in sorted(classes.items()):
        other_id = ids.setdefault(semantic_class.name, class_id)
        if other_id != class_id:
            raise UserError(
                f"{semantic_class.name!r} would be class {other_id} as well as class {class_id} with the labels of "
                f"{folder}; rename one of the two, or begin a new model with this folder."
            )
    return Palette(tuple(classes[class_id] for class_id in sorted(classes)))

"""`classes.json` beside the labels: what the ids are called and how they are shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from smis_desktop.errors import UserError
from smis_desktop.labels.class_colors import default_color
from smis_desktop.labels.palette import SemanticClass

_MAX_BYTES = 1_000_000


class _ClassEntry(msgspec.Struct, forbid_unknown_fields=True):
    id: Annotated[int, msgspec.Meta(ge=0, le=254)]
    name: Annotated[str, msgspec.Meta(pattern=r"^\S(.{0,78}\S)?$")]
    color: Annotated[str, msgspec.Meta(pattern="^#[0-9a-fA-F]{6}$")] | None = None


class _ClassesFile(msgspec.Struct, forbid_unknown_fields=True):
    classes: list[_ClassEntry]


def read_classes(path: Path) -> dict[int, SemanticClass]:
    """Read `{"classes": [{"id": 0, "name": "sky", "color": "#aabbcc"}, …]}` as {id: class}.

    Ids are 0–254, each once, and so are names (1–80 characters); a class without `color` gets its id's default
    colour. Nothing else may stand in the file. Raises UserError when it cannot be read or says anything else.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({(error.strerror or str(error)).lower()}): check the file.") from error
    if len(data) > _MAX_BYTES:
        raise UserError(f"{path} is too large for a list of classes: check the file.")
    try:
        # Some editors put a byte-order mark in front.
        content = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=_ClassesFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(
            f'{path} is not a list of classes ({error}): write {{"classes": [{{"id": 0, "name": "sky", '
            '"color": "#aabbcc"}]}.'
        ) from error
    classes: dict[int, SemanticClass] = {}
    names: set[str] = set()
    for entry in content.classes:
        if entry.id in classes:
            raise UserError(f"{path} names class {entry.id} twice: give every id one name.")
        if entry.name in names:
            raise UserError(f"{path} gives the name {entry.name!r} to two classes: give every class its own.")
        names.add(entry.name)
        red, green, blue = bytes.fromhex(entry.color[1:]) if entry.color else default_color(entry.id)
        classes[entry.id] = SemanticClass(entry.id, entry.name, (red, green, blue))
    return classes

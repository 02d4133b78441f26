"""Operations on the layers and classes of a document: each function returns a new structure or palette.

Structures are never changed; they share the buffers of the layers that stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from smis_desktop.document.document import DocumentStructure, Entry, require_unlocked
from smis_desktop.document.layers import LayerBuffer, united
from smis_desktop.document.palette import EMPTY, Palette, SemanticClass
from smis_desktop.errors import UserError


def with_entry(structure: DocumentStructure, entry: Entry) -> DocumentStructure:
    """Replace the layer of the same id. Raises KeyError when there is none."""
    index = structure.index(entry.layer_id)
    return replace(structure, entries=(*structure.entries[:index], entry, *structure.entries[index + 1 :]))


def add_layer(structure: DocumentStructure, layer_id: int, name: str | None) -> DocumentStructure:
    """Add an empty layer above the active one; it becomes the active one. Without a name it gets the next free
    number."""
    taken = {entry.name for entry in structure.entries}
    number = 1
    while f"Layer {number}" in taken:
        number += 1
    at = structure.index(structure.active_id) + 1
    entry = Entry(layer_id, name or f"Layer {number}", LayerBuffer())
    return replace(structure, entries=(*structure.entries[:at], entry, *structure.entries[at:]), active_id=layer_id)


def delete_layer(structure: DocumentStructure, layer_id: int) -> DocumentStructure | None:
    """Delete a layer; None if it is the only one. The layer below becomes the active one."""
    index = structure.index(layer_id)
    if len(structure.entries) == 1:
        return None
    entries = structure.entries[:index] + structure.entries[index + 1 :]
    active = structure.active_id
    if active == layer_id:
        active = entries[max(index - 1, 0)].layer_id
    return replace(structure, entries=entries, active_id=active)


def duplicate_layer(structure: DocumentStructure, layer_id: int, copy_id: int) -> DocumentStructure:
    """Add a copy directly above the layer; it becomes the active one."""
    index = structure.index(layer_id)
    original = structure.entries[index]
    rect = original.buffer.rect
    buffer = LayerBuffer() if rect is None else LayerBuffer(original.buffer.read(rect), rect.left, rect.top)
    copy = replace(original, layer_id=copy_id, buffer=buffer, name=f"{original.name} copy", locked=False)
    entries = (*structure.entries[: index + 1], copy, *structure.entries[index + 1 :])
    return replace(structure, entries=entries, active_id=copy_id)


def merge_down(structure: DocumentStructure, layer_id: int) -> DocumentStructure | None:
    """Merge a layer into the one below, which keeps its name; None for the bottom layer.

    Raises LayerNotPaintable when either is locked.
    """
    index = structure.index(layer_id)
    if index == 0:
        return None
    upper, lower = structure.entries[index], structure.entries[index - 1]
    for entry in (upper, lower):
        require_unlocked(entry, "merge")
    whole = united((upper.document_rect(), lower.document_rect()))
    buffer = LayerBuffer()
    if whole is not None:
        pixels = lower.buffer.read(whole.shifted(-lower.x, -lower.y))
        over = upper.buffer.read(whole.shifted(-upper.x, -upper.y))
        np.copyto(pixels, over, where=over != EMPTY)
        buffer = LayerBuffer(pixels, whole.left, whole.top)
    merged = replace(lower, buffer=buffer, x=0, y=0)
    entries = (*structure.entries[: index - 1], merged, *structure.entries[index + 1 :])
    return replace(structure, entries=entries, active_id=merged.layer_id)


def reorder_layer(structure: DocumentStructure, layer_id: int, index: int) -> DocumentStructure | None:
    """Move a layer to a position, 0 at the bottom; positions past the top mean the top. None if it is there already."""
    at = structure.index(layer_id)
    rest = structure.entries[:at] + structure.entries[at + 1 :]
    index = min(max(index, 0), len(rest))
    if index == at:
        return None
    return replace(structure, entries=(*rest[:index], structure.entries[at], *rest[index:]))


def clear_layer(structure: DocumentStructure, layer_id: int) -> DocumentStructure | None:
    """Empty a layer; None if it is empty. Raises LayerNotPaintable when it is locked."""
    entry = structure.entries[structure.index(layer_id)]
    require_unlocked(entry, "clear")
    if entry.document_rect() is None:
        return None
    return with_entry(structure, replace(entry, buffer=LayerBuffer(), x=0, y=0))


def flip_layer(structure: DocumentStructure, layer_id: int, size: int) -> DocumentStructure | None:
    """Mirror a layer about the middle of a document `size` pixels wide, left to right; None if it is empty.

    Raises LayerNotPaintable when it is locked.
    """
    entry = structure.entries[structure.index(layer_id)]
    require_unlocked(entry, "flip")
    rect = entry.document_rect()
    if rect is None:
        return None
    pixels = entry.buffer.read(rect.shifted(-entry.x, -entry.y))[:, ::-1]
    buffer = LayerBuffer(pixels, size - rect.right, rect.top)
    return with_entry(structure, replace(entry, buffer=buffer, x=0, y=0))


def add_class(palette: Palette, name: str, color: tuple[int, int, int]) -> Palette:
    """Add a class with the lowest id above all others (or the lowest that is free).

    Raises UserError when all 255 ids are taken.
    """
    taken = set(palette.class_ids)
    above = max(taken, default=-1) + 1
    free = above if above < EMPTY else next((i for i in range(EMPTY) if i not in taken), None)
    if free is None:
        raise UserError("The palette is full: it holds 255 classes already.")
    return Palette(tuple(sorted((*palette.classes, SemanticClass(free, name, color)), key=lambda c: c.class_id)))


def change_class(palette: Palette, class_id: int, change: Callable[[SemanticClass], SemanticClass]) -> Palette:
    """Change the name or colour of a class. Raises KeyError when the palette has no such class."""
    old = palette.by_id(class_id)
    return Palette(tuple(change(c) if c is old else c for c in palette.classes))

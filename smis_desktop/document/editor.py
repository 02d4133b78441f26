"""A document, its history and the stroke in hand: everything that can be done to a layout, and undone again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from smis_desktop.document import shapes
from smis_desktop.document import shapes as flood
from smis_desktop.document.brush import Brush, PenPoint, Point, Stabilizer, StrokePath
from smis_desktop.document.document import Document, DocumentStructure, Entry
from smis_desktop.document.geometry import MirrorAxis, Rect, united
from smis_desktop.document.history import Change, History, StructureEdit, take
from smis_desktop.document.layers import LayerBuffer
from smis_desktop.document.painting import ClassPainter
from smis_desktop.document.palette import EMPTY, Palette, SemanticClass
from smis_desktop.errors import UserError


class LayerNotPaintable(UserError):
    """The active layer cannot be painted on: it is locked or hidden."""


class DocumentEditor:
    """Every change of the document goes through here, so that it can be undone.

    Each operation returns what it changed, or None if it changed nothing (then there is no step in the history either).
    While a stroke or a shift is in hand only its own calls, `undo` (which cancels it) and reading are allowed; others
    raise RuntimeError. Painting raises LayerClosed on a locked or hidden layer, ValueError for a class that the palette
    lacks.
    """

    def __init__(self, document: Document, history: History | None = None) -> None:
        self.document = document
        self.mirror: MirrorAxis | None = None
        """Painting is repeated on the other side of this axis."""
        self.preserved: frozenset[int] = frozenset()
        """Classes that nothing is painted over while they show; 255: nothing is painted where nothing shows."""
        self._history = history or History(min_steps=200)
        self._saved: object = self._history.mark
        self._stroke: _Stroke | None = None
        self._shift: _Shift | None = None

    # History

    @property
    def can_undo(self) -> bool:
        return self._history.undo_name is not None

    @property
    def can_redo(self) -> bool:
        return self._history.redo_name is not None

    @property
    def undo_name(self) -> str | None:
        """What undo would take back, for people."""
        return self._history.undo_name

    @property
    def redo_name(self) -> str | None:
        """What redo would make again, for people."""
        return self._history.redo_name

    @property
    def is_dirty(self) -> bool:
        """Whether the document differs from the one that was saved; undone back to it, it is clean again."""
        return self._stroke is not None or self._shift is not None or self._history.mark is not self._saved

    def mark_saved(self) -> None:
        """The document is in a file as it is now."""
        self._saved = self._history.mark

    def mark_unsaved(self) -> None:
        """The document is in no file, although nothing was done to it yet: it was recovered, or imported."""
        self._saved = _NEVER

    def undo(self) -> Change | None:
        """One step back; with a stroke or shift in hand, that."""
        if self.is_painting:
            return self.cancel_stroke()
        if self._shift is not None:
            return self.cancel_shift()
        return self._history.undo(self.document)

    def redo(self) -> Change | None:
        """One step forward again; nothing while a stroke or shift is in hand."""
        if self.is_painting or self._shift is not None:
            return None
        return self._history.redo(self.document)

    # Painting

    @property
    def is_painting(self) -> bool:
        """Whether a stroke is in hand."""
        return self._stroke is not None

    @property
    def is_shifting(self) -> bool:
        """Whether a layer is being moved."""
        return self._shift is not None

    def begin_stroke(
        self, brush: Brush, class_id: int, point: Point, pressure: float = 1.0, stabilizer: float = 0.0
    ) -> Change | None:
        """Set the brush down on the active layer. class_id 255 erases; stabilizer: 0 off – 1 strongest."""
        self._require_idle()
        self._require_paintable(class_id)
        path = StrokePath(brush, self.document.size, Stabilizer(stabilizer))
        name = "Erase" if class_id == EMPTY else "Brush stroke"
        self._stroke = _Stroke(name, path, self._painting(class_id))
        return self._stroke.painting.apply(path.to(PenPoint(point, pressure)))

    def extend_stroke(self, point: Point, pressure: float = 1.0) -> Change | None:
        """Draw on to `point`, smoothly and without a gap."""
        if self._stroke is None:
            raise RuntimeError("no stroke has begun")
        return self._stroke.painting.apply(self._stroke.path.to(PenPoint(point, pressure)))

    def end_stroke(self) -> Change | None:
        """Lift the brush: the stroke becomes one step. Returns what the very end of it changed, and that thumbnails
        did; None if the whole stroke changed nothing."""
        if self._stroke is None:
            raise RuntimeError("no stroke has begun")
        stroke = self._stroke
        last = stroke.painting.apply(stroke.path.finish())
        self._stroke = None
        edit = stroke.painting.edit(stroke.name)
        if edit is None:
            return last
        self._history.push(edit)
        return Change(None if last is None else last.rect, layers=True)

    def cancel_stroke(self) -> Change | None:
        """Take back what the stroke in hand painted."""
        if self._stroke is None:
            raise RuntimeError("no stroke has begun")
        stroke, self._stroke = self._stroke, None
        return stroke.painting.take_back()

    def draw_line(self, brush: Brush, class_id: int, start: Point, end: Point) -> Change | None:
        """A straight line from `start` to `end`."""
        path = StrokePath(brush, self.document.size, Stabilizer(0.0))
        name = "Erase" if class_id == EMPTY else "Line"
        masks = [*path.to(PenPoint(start)), *path.to(PenPoint(end))]
        return self._paint_at_once(masks, class_id, name)

    def fill_mask(self, rect: Rect, mask: np.ndarray, class_id: int, name: str) -> Change | None:
        """Paint the pixels of bool `mask` [rect.height, rect.width]; what lies outside the document is left out."""
        inside = rect.common(self.document.rect)
        if inside is None:
            return None
        return self._paint_at_once([(inside, mask[inside.shifted(-rect.left, -rect.top).slices])], class_id, name)

    def fill_rectangle(self, start: Point, end: Point, class_id: int) -> Change | None:
        return self._fill_shape(shapes.rectangle(start, end, self.document.size), class_id, "Rectangle")

    def fill_ellipse(self, start: Point, end: Point, class_id: int) -> Change | None:
        return self._fill_shape(shapes.ellipse(start, end, self.document.size), class_id, "Ellipse")

    def fill_polygon(self, points: Sequence[Point], class_id: int) -> Change | None:
        return self._fill_shape(shapes.polygon(points, self.document.size), class_id, "Polygon")

    def bucket(
        self, point: Point, class_id: int, contiguous: bool = True, all_layers: bool = False, gap: int = 0
    ) -> Change | None:
        """Fill the region under `point` on the active layer. all_layers: the region is looked for in what shows, else
        on the active layer alone; contiguous and gap as in `flood.region`."""
        self._require_idle()
        self._require_paintable(class_id)
        if all_layers:
            pixels = self.document.label_map
        else:
            entry = self.document.entry(self.document.active_id)
            pixels = entry.sheet.read(self.document.rect.shifted(-entry.x, -entry.y))
        return self._fill_shape(flood.region(pixels, point, contiguous, gap), class_id, "Fill")

    def pick(self, point: Point, active_only: bool = False) -> int:
        """The class id under `point`, of what shows or of the active layer alone; 255 for nothing and outside."""
        column, row = int(np.floor(point[0])), int(np.floor(point[1]))
        if not (0 <= column < self.document.size and 0 <= row < self.document.size):
            return EMPTY
        if not active_only:
            return int(self.document.label_map[row, column])
        entry = self.document.entry(self.document.active_id)
        return int(entry.sheet.read(Rect(column, row, column + 1, row + 1).shifted(-entry.x, -entry.y))[0, 0])

    # Layers

    @property
    def active_id(self) -> int:
        """The layer that is painted on; choosing one is no step of the history."""
        return self.document.active_id

    @active_id.setter
    def active_id(self, layer_id: int) -> None:
        self._require_idle()
        self.document.active_id = layer_id

    def shift_layer(self, layer_id: int, dx: int, dy: int) -> Change | None:
        """Move a layer by whole pixels. Raises LayerClosed when it is locked."""
        self.begin_shift(layer_id)
        self.extend_shift(dx, dy)
        return self.end_shift()

    def begin_shift(self, layer_id: int) -> None:
        """Take hold of a layer to move it. Raises LayerClosed when it is locked."""
        self._require_idle()
        entry = self.document.entry(layer_id)
        if entry.locked:
            raise LayerNotPaintable(f"The layer “{entry.name}” is locked; unlock it to move it.")
        self._shift = _Shift(layer_id, self.document.structure)

    def extend_shift(self, dx: int, dy: int) -> Change | None:
        """Move it to (dx, dy) from where it was when it was taken."""
        if self._shift is None:
            raise RuntimeError("no layer is being moved")
        structure, index = self._shift.before, self._shift.before.index(self._shift.layer_id)
        entry = structure.entries[index]
        moved = _with_entry(structure, index, replace(entry, x=entry.x + dx, y=entry.y + dy))
        old, new = self.document.entry(entry.layer_id), moved.entries[index]
        return None if (old.x, old.y) == (new.x, new.y) else take(self.document, moved)

    def end_shift(self) -> Change | None:
        """Let it go: the whole move is one step."""
        if self._shift is None:
            raise RuntimeError("no layer is being moved")
        shift, self._shift = self._shift, None
        before, after = shift.before, self.document.structure
        was, now = before.entries[before.index(shift.layer_id)], after.entries[after.index(shift.layer_id)]
        if (was.x, was.y) == (now.x, now.y):
            return None
        self._history.push(StructureEdit("Move layer", before, after))
        return Change(united((was.document_rect(), now.document_rect())), layers=True)

    def cancel_shift(self) -> Change | None:
        """Put it back where it was."""
        if self._shift is None:
            raise RuntimeError("no layer is being moved")
        shift, self._shift = self._shift, None
        return take(self.document, shift.before)

    def add_layer(self, name: str | None = None) -> Change | None:
        """A new, empty layer above the active one; it becomes the active one."""
        layer_id = self.document.new_layer_id()
        entry = Entry(layer_id, name or self._free_name("Layer"), LayerBuffer())
        return self._insert_above_active(entry, "Add layer")

    def delete_layer(self, layer_id: int) -> Change | None:
        """The last layer that is left cannot be deleted."""
        structure = self.document.structure
        index = structure.index(layer_id)
        if len(structure.entries) == 1:
            return None
        entries = structure.entries[:index] + structure.entries[index + 1 :]
        active = structure.active_id
        if active == layer_id:
            active = entries[max(index - 1, 0)].layer_id
        return self._restructure("Delete layer", replace(structure, entries=entries, active_id=active))

    def duplicate_layer(self, layer_id: int) -> Change | None:
        """A copy right above; it becomes the active one."""
        structure = self.document.structure
        index = structure.index(layer_id)
        original = structure.entries[index]
        rect = original.sheet.rect
        sheet = LayerBuffer() if rect is None else LayerBuffer(original.sheet.read(rect), rect.left, rect.top)
        copy = replace(
            original, layer_id=self.document.new_layer_id(), sheet=sheet, name=f"{original.name} copy", locked=False
        )
        entries = (*structure.entries[: index + 1], copy, *structure.entries[index + 1 :])
        return self._restructure("Duplicate layer", replace(structure, entries=entries, active_id=copy.layer_id))

    def merge_down(self, layer_id: int) -> Change | None:
        """Lay the layer onto the one below, which keeps its name; None for the bottom layer.

        Raises LayerClosed when either is locked.
        """
        structure = self.document.structure
        index = structure.index(layer_id)
        if index == 0:
            return None
        upper, lower = structure.entries[index], structure.entries[index - 1]
        for entry in (upper, lower):
            if entry.locked:
                raise LayerNotPaintable(f"The layer “{entry.name}” is locked; unlock it to merge it.")
        whole = united((upper.document_rect(), lower.document_rect()))
        sheet = LayerBuffer()
        if whole is not None:
            pixels = lower.sheet.read(whole.shifted(-lower.x, -lower.y))
            over = upper.sheet.read(whole.shifted(-upper.x, -upper.y))
            np.copyto(pixels, over, where=over != EMPTY)
            sheet = LayerBuffer(pixels, whole.left, whole.top)
        merged = replace(lower, sheet=sheet, x=0, y=0)
        entries = (*structure.entries[: index - 1], merged, *structure.entries[index + 1 :])
        return self._restructure("Merge down", replace(structure, entries=entries, active_id=merged.layer_id))

    def reorder_layer(self, layer_id: int, index: int) -> Change | None:
        """Put a layer at that position, 0 at the bottom; positions past the top mean the top."""
        structure = self.document.structure
        at = structure.index(layer_id)
        rest = structure.entries[:at] + structure.entries[at + 1 :]
        index = min(max(index, 0), len(rest))
        if index == at:
            return None
        entries = (*rest[:index], structure.entries[at], *rest[index:])
        return self._restructure("Reorder layers", replace(structure, entries=entries))

    def rename_layer(self, layer_id: int, name: str) -> Change | None:
        """Empty names change nothing."""
        name = name.strip()
        return self._modify(layer_id, "Rename layer", lambda e: replace(e, name=name)) if name else None

    def set_visible(self, layer_id: int, visible: bool) -> Change | None:
        name = "Show layer" if visible else "Hide layer"
        return self._modify(layer_id, name, lambda e: replace(e, visible=visible))

    def set_locked(self, layer_id: int, locked: bool) -> Change | None:
        name = "Lock layer" if locked else "Unlock layer"
        return self._modify(layer_id, name, lambda e: replace(e, locked=locked))

    def clear_layer(self, layer_id: int) -> Change | None:
        """Empty a layer. Raises LayerClosed when it is locked."""
        return self._new_sheet(layer_id, "Clear layer", "clear", lambda pixels: None)

    def flip_layer(self, layer_id: int) -> Change | None:
        """Swap left and right, about the document's middle. Raises LayerClosed when it is locked."""
        return self._new_sheet(layer_id, "Flip layer", "flip", lambda pixels: pixels[:, ::-1])

    # Classes

    def add_class(self, name: str, color: tuple[int, int, int]) -> Change | None:
        """A further class, with the lowest id above all others (or the lowest that is free).

        Raises UserError when all 255 ids are taken.
        """
        palette = self.document.palette
        taken = set(palette.class_ids)
        above = max(taken, default=-1) + 1
        free = above if above < EMPTY else next((i for i in range(EMPTY) if i not in taken), None)
        if free is None:
            raise UserError("The palette is full: it holds 255 classes already.")
        classes = sorted((*palette.classes, SemanticClass(free, name, color)), key=lambda c: c.class_id)
        return self._set_palette("Add class", Palette(tuple(classes)))

    def rename_class(self, class_id: int, name: str) -> Change | None:
        """Empty names change nothing."""
        name = name.strip()
        return self._modify_class(class_id, "Rename class", lambda c: replace(c, name=name)) if name else None

    def recolor_class(self, class_id: int, color: tuple[int, int, int]) -> Change | None:
        return self._modify_class(class_id, "Recolour class", lambda c: replace(c, color=color))

    def set_palette(self, palette: Palette) -> Change | None:
        """The same layout in other classes. Ids stay what they are; those that the palette lacks are shown grey."""
        return self._set_palette("Change classes", palette)

    # Inside

    def _require_idle(self) -> None:
        if self._stroke is not None or self._shift is not None:
            raise RuntimeError("a stroke or a shift is in hand")

    def _require_paintable(self, class_id: int) -> None:
        if class_id != EMPTY and class_id not in self.document.palette.class_ids:
            raise ValueError(f"the palette has no class {class_id}")
        entry = self.document.entry(self.document.active_id)
        if entry.locked:
            raise LayerNotPaintable(f"The layer “{entry.name}” is locked; unlock it to paint on it.")
        if not entry.visible:
            raise LayerNotPaintable(f"The layer “{entry.name}” is hidden; show it to paint on it.")

    def _painting(self, class_id: int) -> ClassPainter:
        entry = self.document.entry(self.document.active_id)
        return ClassPainter(self.document, entry, class_id, self.mirror, self.preserved)

    def _paint_at_once(self, masks: Iterable[tuple[Rect, np.ndarray]], class_id: int, name: str) -> Change | None:
        self._require_idle()
        self._require_paintable(class_id)
        painting = self._painting(class_id)
        change = painting.apply(masks)
        edit = painting.edit(name)
        if edit is None:
            return None
        self._history.push(edit)
        return Change(None if change is None else change.rect, layers=True)

    def _fill_shape(self, shape: shapes.Shape | None, class_id: int, name: str) -> Change | None:
        return None if shape is None else self._paint_at_once([shape], class_id, name)

    def _insert_above_active(self, entry: Entry, name: str) -> Change | None:
        structure = self.document.structure
        at = structure.index(structure.active_id) + 1
        entries = (*structure.entries[:at], entry, *structure.entries[at:])
        return self._restructure(name, replace(structure, entries=entries, active_id=entry.layer_id))

    def _modify(self, layer_id: int, name: str, change: Callable[[Entry], Entry]) -> Change | None:
        structure = self.document.structure
        index = structure.index(layer_id)
        old = structure.entries[index]
        new = change(old)
        if (old.name, old.visible, old.locked) == (new.name, new.visible, new.locked):
            return None
        return self._restructure(name, _with_entry(structure, index, new))

    def _new_sheet(
        self, layer_id: int, name: str, verb: str, change: Callable[[np.ndarray], np.ndarray | None]
    ) -> Change | None:
        """Replace a layer's pixels, as they lie in the document; None from `change`: by nothing."""
        structure = self.document.structure
        index = structure.index(layer_id)
        entry = structure.entries[index]
        if entry.locked:
            raise LayerNotPaintable(f"The layer “{entry.name}” is locked; unlock it to {verb} it.")
        rect = entry.document_rect()
        if rect is None:
            return None
        pixels = change(entry.sheet.read(rect.shifted(-entry.x, -entry.y)))
        sheet = LayerBuffer() if pixels is None else LayerBuffer(pixels, self.document.size - rect.right, rect.top)
        return self._restructure(name, _with_entry(structure, index, replace(entry, sheet=sheet, x=0, y=0)))

    def _modify_class(
        self, class_id: int, name: str, change: Callable[[SemanticClass], SemanticClass]
    ) -> Change | None:
        """Raises KeyError when the palette has no such class."""
        palette = self.document.palette
        old = palette.by_id(class_id)
        return self._set_palette(name, Palette(tuple(change(c) if c is old else c for c in palette.classes)))

    def _set_palette(self, name: str, palette: Palette) -> Change | None:
        structure = self.document.structure
        return None if palette == structure.palette else self._restructure(name, replace(structure, palette=palette))

    def _restructure(self, name: str, after: DocumentStructure) -> Change:
        self._require_idle()
        edit = StructureEdit(name, self.document.structure, after)
        change = edit.redo(self.document)
        self._history.push(edit)
        return change

    def _free_name(self, stem: str) -> str:
        taken = {entry.name for entry in self.document.structure.entries}
        number = 1
        while f"{stem} {number}" in taken:
            number += 1
        return f"{stem} {number}"


class _Stroke:
    def __init__(self, name: str, path: StrokePath, painting: ClassPainter) -> None:
        self.name, self.path, self.painting = name, path, painting


class _Shift:
    def __init__(self, layer_id: int, before: DocumentStructure) -> None:
        self.layer_id, self.before = layer_id, before


def _with_entry(structure: DocumentStructure, index: int, entry: Entry) -> DocumentStructure:
    return replace(structure, entries=(*structure.entries[:index], entry, *structure.entries[index + 1 :]))


_NEVER = object()

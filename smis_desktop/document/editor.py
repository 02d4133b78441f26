"""The editor of a document: strokes, shapes, layers and classes, each an edit that can be undone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from smis_desktop.document import layer_operations, shapes
from smis_desktop.document.brush import Brush, MirrorAxis, PenPoint, Point, Stabilizer, StrokePath
from smis_desktop.document.document import Document, DocumentStructure, Entry, LayerNotPaintable, require_unlocked
from smis_desktop.document.history import Change, ClassPainter, History, PictureEdit, StructureEdit, take
from smis_desktop.document.layer_operations import with_entry
from smis_desktop.document.layers import Rect, united
from smis_desktop.document.palette import EMPTY, Palette


class DocumentEditor:
    """Makes every change of a document as an edit that can be undone.

    Each operation returns what it changed, or None if it changed nothing; then the history gets no step either.
    During a stroke or the move of a layer only its own calls, `undo` (which cancels it) and reading are allowed; others
    raise RuntimeError. Painting raises LayerNotPaintable on a locked or hidden layer, ValueError for a class that the
    palette lacks.
    """

    def __init__(self, document: Document, history: History | None = None) -> None:
        self.document = document
        self.mirror: MirrorAxis | None = None
        """Painting is repeated on the other side of this axis."""
        self.preserved: frozenset[int] = frozenset()
        """Classes that are not painted over where they show; with 255, pixels that show no class stay empty too."""
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
        """The name of the step that `undo` reverts."""
        return self._history.undo_name

    @property
    def mark(self) -> object:
        """A mark of the document's state: the same object again after undo or redo back to that state."""
        return self._history.mark

    def change_picture(self, name: str) -> Change:
        """Make a step after which the same layout has another picture."""
        self._require_idle()
        self._history.push(PictureEdit(name))
        return Change(picture=True)

    @property
    def is_dirty(self) -> bool:
        """Whether the document differs from the saved one; undoing back to that state makes it clean again."""
        return self._stroke is not None or self._shift is not None or self._history.mark is not self._saved

    def mark_saved(self) -> None:
        """Record that the document has been saved in its present state."""
        self._saved = self._history.mark

    def mark_unsaved(self) -> None:
        """Record that no file holds the document, although it has not been edited: it was recovered or imported."""
        self._saved = _NEVER

    def undo(self) -> Change | None:
        """Undo one step; during a stroke or a move, cancel that instead."""
        if self.is_painting:
            return self.cancel_stroke()
        if self._shift is not None:
            return self.cancel_shift()
        return self._history.undo(self.document)

    def redo(self) -> Change | None:
        """Redo one step; during a stroke or a move, do nothing."""
        if self.is_painting or self._shift is not None:
            return None
        return self._history.redo(self.document)

    # Painting

    @property
    def is_painting(self) -> bool:
        """Whether a stroke has begun and not ended."""
        return self._stroke is not None

    @property
    def is_shifting(self) -> bool:
        """Whether a layer is being moved."""
        return self._shift is not None

    def begin_stroke(
        self, brush: Brush, class_id: int, point: Point, pressure: float = 1.0, stabilizer: float = 0.0
    ) -> Change | None:
        """Begin a stroke on the active layer. class_id 255 erases; stabilizer: 0 (off) to 1 (strongest)."""
        self._require_idle()
        self._require_paintable(class_id)
        path = StrokePath(brush, self.document.size, Stabilizer(stabilizer))
        name = "Erase" if class_id == EMPTY else "Brush stroke"
        self._stroke = _Stroke(name, path, self._painting(class_id))
        return self._stroke.painting.apply(path.to(PenPoint(point, pressure)))

    def extend_stroke(self, point: Point, pressure: float = 1.0) -> Change | None:
        """Continue the stroke to `point`, smoothly and without a gap."""
        if self._stroke is None:
            raise RuntimeError("no stroke has begun")
        return self._stroke.painting.apply(self._stroke.path.to(PenPoint(point, pressure)))

    def end_stroke(self) -> Change | None:
        """End the stroke, which becomes one step.

        Returns the change of its last piece, with the thumbnails; None if the whole stroke changed nothing.
        """
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
        """Cancel the stroke and restore what it painted over."""
        if self._stroke is None:
            raise RuntimeError("no stroke has begun")
        stroke, self._stroke = self._stroke, None
        return stroke.painting.restore()

    def draw_line(self, brush: Brush, class_id: int, start: Point, end: Point) -> Change | None:
        """Draw a straight line from `start` to `end`."""
        path = StrokePath(brush, self.document.size, Stabilizer(0.0))
        name = "Erase" if class_id == EMPTY else "Line"
        masks = [*path.to(PenPoint(start)), *path.to(PenPoint(end))]
        return self._paint_at_once(masks, class_id, name)

    def fill_rectangle(self, start: Point, end: Point, class_id: int) -> Change | None:
        return self._fill_shape(shapes.rectangle(start, end, self.document.size), class_id, "Rectangle")

    def fill_ellipse(self, start: Point, end: Point, class_id: int) -> Change | None:
        return self._fill_shape(shapes.ellipse(start, end, self.document.size), class_id, "Ellipse")

    def fill_polygon(self, points: Sequence[Point], class_id: int) -> Change | None:
        return self._fill_shape(shapes.polygon(points, self.document.size), class_id, "Polygon")

    def bucket(
        self, point: Point, class_id: int, contiguous: bool = True, all_layers: bool = False, gap: int = 0
    ) -> Change | None:
        """Fill the region around `point` on the active layer. all_layers: the region is taken from the composite, else
        from the active layer alone; contiguous and gap as in `shapes.region`."""
        self._require_idle()
        self._require_paintable(class_id)
        if all_layers:
            pixels = self.document.label_map
        else:
            entry = self.document.entry(self.document.active_id)
            pixels = entry.buffer.read(self.document.rect.shifted(-entry.x, -entry.y))
        return self._fill_shape(shapes.region(pixels, point, contiguous, gap), class_id, "Fill")

    def pick(self, point: Point, active_only: bool = False) -> int:
        """Return the class id at `point`, of the composite or of the active layer; 255 where empty or outside."""
        column, row = int(np.floor(point[0])), int(np.floor(point[1]))
        if not (0 <= column < self.document.size and 0 <= row < self.document.size):
            return EMPTY
        if not active_only:
            return int(self.document.label_map[row, column])
        entry = self.document.entry(self.document.active_id)
        return int(entry.buffer.read(Rect(column, row, column + 1, row + 1).shifted(-entry.x, -entry.y))[0, 0])

    # Layers

    @property
    def active_id(self) -> int:
        """The layer that is painted on; choosing another is not a step of the history."""
        return self.document.active_id

    @active_id.setter
    def active_id(self, layer_id: int) -> None:
        self._require_idle()
        self.document.active_id = layer_id

    def shift_layer(self, layer_id: int, dx: int, dy: int) -> Change | None:
        """Move a layer by whole pixels. Raises LayerNotPaintable when it is locked."""
        self.begin_shift(layer_id)
        self.extend_shift(dx, dy)
        return self.end_shift()

    def begin_shift(self, layer_id: int) -> None:
        """Begin to move a layer. Raises LayerNotPaintable when it is locked."""
        self._require_idle()
        require_unlocked(self.document.entry(layer_id), "move")
        self._shift = _Shift(layer_id, self.document.structure)

    def extend_shift(self, dx: int, dy: int) -> Change | None:
        """Move the layer to (dx, dy) from where the move began."""
        if self._shift is None:
            raise RuntimeError("no layer is being moved")
        structure, index = self._shift.before, self._shift.before.index(self._shift.layer_id)
        entry = structure.entries[index]
        moved = with_entry(structure, replace(entry, x=entry.x + dx, y=entry.y + dy))
        old, new = self.document.entry(entry.layer_id), moved.entries[index]
        return None if (old.x, old.y) == (new.x, new.y) else take(self.document, moved)

    def end_shift(self) -> Change | None:
        """End the move, which becomes one step."""
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
        """Cancel the move and put the layer back."""
        if self._shift is None:
            raise RuntimeError("no layer is being moved")
        shift, self._shift = self._shift, None
        return take(self.document, shift.before)

    def add_layer(self, name: str | None = None) -> Change | None:
        """Add an empty layer above the active one; it becomes the active one."""
        layer_id = self.document.new_layer_id()
        return self._restructure("Add layer", layer_operations.add_layer(self._structure, layer_id, name))

    def delete_layer(self, layer_id: int) -> Change | None:
        """Delete a layer, unless it is the only one."""
        return self._restructure("Delete layer", layer_operations.delete_layer(self._structure, layer_id))

    def duplicate_layer(self, layer_id: int) -> Change | None:
        """Add a copy directly above the layer; it becomes the active one."""
        copy_id = self.document.new_layer_id()
        return self._restructure(
            "Duplicate layer", layer_operations.duplicate_layer(self._structure, layer_id, copy_id)
        )

    def merge_down(self, layer_id: int) -> Change | None:
        """Merge a layer into the one below. Raises LayerNotPaintable when either is locked."""
        return self._restructure("Merge down", layer_operations.merge_down(self._structure, layer_id))

    def reorder_layer(self, layer_id: int, index: int) -> Change | None:
        """Move a layer to a position, 0 at the bottom; a position past the top means the top."""
        return self._restructure("Reorder layers", layer_operations.reorder_layer(self._structure, layer_id, index))

    def rename_layer(self, layer_id: int, name: str) -> Change | None:
        """Rename a layer; an empty name changes nothing."""
        entry, name = self.document.entry(layer_id), name.strip()
        return self._replace_entry("Rename layer", entry, replace(entry, name=name)) if name else None

    def set_visible(self, layer_id: int, visible: bool) -> Change | None:
        entry = self.document.entry(layer_id)
        return self._replace_entry("Show layer" if visible else "Hide layer", entry, replace(entry, visible=visible))

    def set_locked(self, layer_id: int, locked: bool) -> Change | None:
        entry = self.document.entry(layer_id)
        return self._replace_entry("Lock layer" if locked else "Unlock layer", entry, replace(entry, locked=locked))

    def clear_layer(self, layer_id: int) -> Change | None:
        """Empty a layer. Raises LayerNotPaintable when it is locked."""
        return self._restructure("Clear layer", layer_operations.clear_layer(self._structure, layer_id))

    def flip_layer(self, layer_id: int) -> Change | None:
        """Mirror a layer about the document's middle, left to right. Raises LayerNotPaintable when it is locked."""
        after = layer_operations.flip_layer(self._structure, layer_id, self.document.size)
        return self._restructure("Flip layer", after)

    # Classes

    def add_class(self, name: str, color: tuple[int, int, int]) -> Change | None:
        """Add a class with the next free id. Raises UserError when all 255 ids are taken."""
        return self._set_palette("Add class", layer_operations.add_class(self.document.palette, name, color))

    def rename_class(self, class_id: int, name: str) -> Change | None:
        """Rename a class; an empty name changes nothing. Raises KeyError when the palette has no such class."""
        name = name.strip()
        if not name:
            return None
        palette = layer_operations.change_class(self.document.palette, class_id, lambda c: replace(c, name=name))
        return self._set_palette("Rename class", palette)

    def recolor_class(self, class_id: int, color: tuple[int, int, int]) -> Change | None:
        palette = layer_operations.change_class(self.document.palette, class_id, lambda c: replace(c, color=color))
        return self._set_palette("Recolour class", palette)

    def set_palette(self, palette: Palette) -> Change | None:
        """Show the same layout in other classes. Ids stay; those that the palette lacks are shown grey."""
        return self._set_palette("Change classes", palette)

    # Inside

    def _require_idle(self) -> None:
        if self._stroke is not None or self._shift is not None:
            raise RuntimeError("a stroke or the move of a layer has not ended")

    def _require_paintable(self, class_id: int) -> None:
        if class_id != EMPTY and class_id not in self.document.palette.class_ids:
            raise ValueError(f"the palette has no class {class_id}")
        entry = self.document.entry(self.document.active_id)
        require_unlocked(entry, "paint on")
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

    @property
    def _structure(self) -> DocumentStructure:
        return self.document.structure

    def _replace_entry(self, name: str, old: Entry, new: Entry) -> Change | None:
        same = (old.name, old.visible, old.locked) == (new.name, new.visible, new.locked)
        return self._restructure(name, None if same else with_entry(self._structure, new))

    def _set_palette(self, name: str, palette: Palette) -> Change | None:
        structure = self._structure
        return self._restructure(name, None if palette == structure.palette else replace(structure, palette=palette))

    def _restructure(self, name: str, after: DocumentStructure | None) -> Change | None:
        if after is None:
            return None
        self._require_idle()
        edit = StructureEdit(name, self.document.structure, after)
        change = edit.redo(self.document)
        self._history.push(edit)
        return change


@dataclass(frozen=True)
class _Stroke:
    name: str
    path: StrokePath
    painting: ClassPainter


@dataclass(frozen=True)
class _Shift:
    layer_id: int
    before: DocumentStructure


_NEVER = object()
"""The mark of a state that was never saved: no history has it."""

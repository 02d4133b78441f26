"""The document being painted, its history, and the stroke in hand: what every view of it agrees on."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QObject, Signal

from smis_desktop.labels.brush import Brush, Point
from smis_desktop.labels.document import MAX_SIZE, MIN_SIZE, Document
from smis_desktop.labels.history import Edit, History
from smis_desktop.labels.index_png import EMPTY
from smis_desktop.labels.palette import Palette
from smis_desktop.labels.rect import Rect
from smis_desktop.labels.reduce import reduce_label_map
from smis_desktop.labels.strokes import Stroke


class Easel(QObject):
    """Everything that changes the document goes through here, so that history and views never miss it."""

    replaced = Signal()
    """Another document, or other classes for it: look at everything anew."""
    painted = Signal(Rect)
    """The document's pixels have changed in that rectangle."""
    stroke_ended = Signal()
    """The stroke in hand was finished or cancelled."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document: Document | None = None
        self._history = History()
        self._stroke: Stroke | None = None

    @property
    def document(self) -> Document | None:
        """What is being painted; None as long as nothing is."""
        return self._document

    @property
    def can_undo(self) -> bool:
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        return self._history.can_redo

    @property
    def is_painting(self) -> bool:
        """Whether a stroke is in hand."""
        return self._stroke is not None

    @property
    def ground_id(self) -> int:
        """What erasing paints: the palette's first class."""
        classes = self._document.palette.classes if self._document else ()
        return classes[0].class_id if classes else EMPTY

    def place(self, label_map: np.ndarray, palette: Palette) -> None:
        """Begin with another layout, uint8 [H, H], brought to a size that can be painted; the history is forgotten."""
        self._give_up_stroke()
        self._document = Document(paintable_size(label_map), palette)
        self._history.clear()
        self.replaced.emit()

    def set_palette(self, palette: Palette) -> None:
        """The same layout in other classes. Ids stay what they are; those that the palette lacks are shown grey."""
        if self._document is not None:
            self._give_up_stroke()
            self._document.palette = palette
            self.replaced.emit()

    def begin_stroke(self, point: Point, diameter: int, class_id: int) -> None:
        """Set the brush down at `point` (x, y in layout pixels)."""
        if self._document is None or self._stroke is not None:
            return
        self._stroke = Stroke(self._document, Brush(diameter), class_id)
        self._tell(self._stroke.begin(point))

    def extend_stroke(self, point: Point) -> None:
        """Draw on to `point`; nothing happens without a stroke in hand."""
        if self._stroke is not None:
            self._tell(self._stroke.extend(point))

    def end_stroke(self) -> None:
        """Lift the brush: the stroke becomes one step of the history."""
        if self._stroke is not None:
            edit = self._stroke.end()
            self._stroke = None
            if isinstance(edit, Edit):
                self._history.push(edit)
            self.stroke_ended.emit()

    def cancel_stroke(self) -> None:
        """Take the stroke in hand back, without a trace in the history."""
        if self._stroke is not None:
            rect = self._stroke.cancel()
            self._stroke = None
            self._tell(rect)
            self.stroke_ended.emit()

    def undo(self) -> None:
        """One step back; with a stroke in hand, that stroke."""
        if self._stroke is not None:
            self.cancel_stroke()
        elif self._document is not None:
            self._tell(self._history.undo(self._document))

    def redo(self) -> None:
        """One step forward again."""
        if self._stroke is None and self._document is not None:
            self._tell(self._history.redo(self._document))

    def _tell(self, rect: Rect | None) -> None:
        if rect is not None:
            self.painted.emit(rect)

    def _give_up_stroke(self) -> None:
        if self._stroke is not None:
            self.cancel_stroke()


def paintable_size(label_map: np.ndarray) -> np.ndarray:
    """uint8 [H, H] of any size → the same layout within 64² to 2048² pixels; ids are kept, never blended."""
    side = label_map.shape[0]
    if side < MIN_SIZE:
        times = -(-MIN_SIZE // side)
        return np.repeat(np.repeat(label_map, times, axis=0), times, axis=1)
    return reduce_label_map(label_map, MAX_SIZE) if side > MAX_SIZE else label_map

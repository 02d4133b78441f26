"""The document being painted, for the window: one editor, and a signal for each thing that changes on it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QObject, Signal

from smis_desktop.document.brush import Brush, Point
from smis_desktop.document.document import MAX_SIZE, MIN_SIZE, Document
from smis_desktop.document.editor import DocumentEditor
from smis_desktop.document.history import Change
from smis_desktop.document.layer_operations import LayerNotPaintable
from smis_desktop.document.layers import Rect
from smis_desktop.document.palette import Palette
from smis_desktop.document.reduction import reduce_label_map

Operation = Callable[[DocumentEditor], Change | None]


class DocumentController(QObject):
    """Everything that changes the document goes through here, so that no view misses it."""

    replaced = Signal()
    """Another document: look at everything anew."""
    painted = Signal(Rect)
    """The composite's pixels have changed in that rectangle."""
    layers_changed = Signal()
    """Layers were added, moved or renamed, another is active, or what they show in thumbnails changed."""
    palette_changed = Signal()
    """The classes have changed."""
    stroke_ended = Signal()
    """The stroke in hand was finished or cancelled."""
    history_changed = Signal()
    """What can be undone, redone or saved may have changed."""
    can_undo_changed = Signal(bool)
    """Undo takes back a step or, while one paints, the stroke."""
    can_redo_changed = Signal(bool)
    undo_text_changed = Signal(str)
    """The words of the undo command, with its mnemonic and the step's name."""
    settings_changed = Signal()
    """Mirror axis or preserved classes."""
    refused = Signal(str)
    """A sentence: the layer is locked or hidden, and nothing was painted."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._editor: DocumentEditor | None = None
        self._told = (False, False, "")

    @property
    def editor(self) -> DocumentEditor | None:
        """To look at; to change something, `do` it."""
        return self._editor

    @property
    def document(self) -> Document | None:
        """What is being painted; None as long as nothing is."""
        return self._editor.document if self._editor else None

    @property
    def can_undo(self) -> bool:
        return self._editor is not None and self._editor.can_undo

    @property
    def can_redo(self) -> bool:
        return self._editor is not None and self._editor.can_redo

    @property
    def is_painting(self) -> bool:
        """Whether a stroke is in hand, or a layer is being moved."""
        return self._editor is not None and (self._editor.is_painting or self._editor.is_shifting)

    @property
    def is_dirty(self) -> bool:
        """Whether there is something that no project file holds."""
        return self._editor is not None and self._editor.is_dirty

    def place(self, document: Document) -> None:
        """Begin with another document; the history is forgotten."""
        self._give_up_stroke()
        settings = self._editor
        self._editor = DocumentEditor(document)
        if settings is not None:
            self._editor.preserved = settings.preserved & {*document.palette.class_ids, 255}
        self.replaced.emit()
        self._tell_history()
        self.settings_changed.emit()

    def do(self, operation: Operation) -> Change | None:
        """Do something to the document: `controller.do(lambda w: w.add_layer())`. Nothing without one.

        A layer that is closed is told with `refused`.
        """
        if self._editor is None or self.is_painting:
            return None
        try:
            change = operation(self._editor)
        except LayerNotPaintable as error:
            self.refused.emit(str(error))
            return None
        self._tell(change)
        return change

    def set_palette(self, palette: Palette) -> None:
        """The same layout in other classes. Ids stay what they are; those that the palette lacks are shown grey."""
        self._give_up_stroke()
        self.do(lambda editor: editor.set_palette(palette))

    def set_mirror(self, axis: object) -> None:
        """A MirrorAxis to paint on both sides of, or None."""
        if self._editor is not None:
            self._editor.mirror = axis  # type: ignore[assignment]
            self.settings_changed.emit()

    def set_preserved(self, class_ids: frozenset[int]) -> None:
        """Classes that nothing is painted over."""
        if self._editor is not None:
            self._editor.preserved = class_ids
            self.settings_changed.emit()

    def activate_layer(self, layer_id: int) -> None:
        """Paint on that layer from now on."""
        if self._editor is not None and not self.is_painting and layer_id != self._editor.active_id:
            self._editor.active_id = layer_id
            self.layers_changed.emit()

    def mark_saved(self) -> None:
        """A project file holds the document as it is."""
        if self._editor is not None:
            self._editor.mark_saved()
            self._tell_history()

    # The stroke in hand

    def begin_stroke(self, brush: Brush, class_id: int, point: Point, pressure: float, stabilizer: float) -> None:
        """Set the brush down at `point` (x, y in layout pixels)."""
        self.do(lambda editor: editor.begin_stroke(brush, class_id, point, pressure, stabilizer))

    def extend_stroke(self, point: Point, pressure: float = 1.0) -> None:
        """Draw on to `point`; nothing happens without a stroke in hand."""
        if self._editor is not None and self._editor.is_painting:
            self._tell(self._editor.extend_stroke(point, pressure))

    def end_stroke(self) -> None:
        """Lift the brush: the stroke becomes one step of the history."""
        if self._editor is not None and self._editor.is_painting:
            self._tell(self._editor.end_stroke())
            self._tell_end()

    def cancel_stroke(self) -> None:
        """Take the stroke in hand back, without a trace in the history; likewise a layer that is being moved."""
        if self._editor is None or not self.is_painting:
            return
        self._tell(self._editor.cancel_stroke() if self._editor.is_painting else self._editor.cancel_shift())
        self._tell_end()

    # A layer that is being moved

    def begin_shift(self) -> None:
        """Take hold of the active layer."""

        def begin(editor: DocumentEditor) -> None:
            editor.begin_shift(editor.active_id)

        self.do(begin)

    def extend_shift(self, dx: int, dy: int) -> None:
        """Move it there from where it was taken."""
        if self._editor is not None and self._editor.is_shifting:
            self._tell(self._editor.extend_shift(dx, dy))

    def end_shift(self) -> None:
        """Let it go."""
        if self._editor is not None and self._editor.is_shifting:
            self._tell(self._editor.end_shift())
            self._tell_end()

    # History

    def undo(self) -> None:
        """One step back; with a stroke in hand, that stroke."""
        if self.is_painting:
            self.cancel_stroke()
        elif self._editor is not None:
            self._tell(self._editor.undo())

    def redo(self) -> None:
        """One step forward again."""
        if self._editor is not None and not self.is_painting:
            self._tell(self._editor.redo())

    def _tell(self, change: Change | None) -> None:
        if change is None:
            return
        if change.palette:
            self.palette_changed.emit()
        if change.rect is not None:
            self.painted.emit(change.rect)
        if change.layers:
            self.layers_changed.emit()
        self._tell_history()

    def _tell_end(self) -> None:
        self.stroke_ended.emit()
        self._tell_history()

    def _tell_history(self) -> None:
        assert self._editor is not None, "there is a document"
        name = self._editor.undo_name
        words = self.tr("&Undo {what}").format(what=name.lower()) if name else self.tr("&Undo")
        before, self._told = self._told, (self.can_undo or self.is_painting, self.can_redo, words)
        for signal, old, new in zip(
            (self.can_undo_changed, self.can_redo_changed, self.undo_text_changed), before, self._told, strict=True
        ):
            if new != old:
                signal.emit(new)
        if not self.is_painting:
            self.history_changed.emit()

    def _give_up_stroke(self) -> None:
        if self.is_painting:
            self.cancel_stroke()


def paintable_size(label_map: np.ndarray) -> np.ndarray:
    """uint8 [H, H] of any size → the same layout within 64² to 2048² pixels; ids are kept, never blended."""
    side = label_map.shape[0]
    if side < MIN_SIZE:
        times = -(-MIN_SIZE // side)
        return np.repeat(np.repeat(label_map, times, axis=0), times, axis=1)
    return reduce_label_map(label_map, MAX_SIZE) if side > MAX_SIZE else label_map

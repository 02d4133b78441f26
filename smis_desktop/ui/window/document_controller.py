"""The document in the window: one editor, and a signal for each kind of change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from smis_desktop.document.brush import Brush, Point
from smis_desktop.document.document import Document, LayerNotPaintable
from smis_desktop.document.editor import DocumentEditor
from smis_desktop.document.history import Change
from smis_desktop.document.layers import Rect
from smis_desktop.document.palette import Palette

Operation = Callable[[DocumentEditor], Change | None]


class DocumentController(QObject):
    """Makes every change to the document, and emits a signal for each kind of change."""

    replaced = Signal()
    """Another document was placed: everything has changed."""
    painted = Signal(Rect)
    """Pixels of the composite have changed, in that rectangle."""
    layers_changed = Signal()
    """Layers were added, moved or renamed, another is active, or their thumbnails have changed."""
    palette_changed = Signal()
    """The classes have changed."""
    picture_changed = Signal()
    """The same layout has another picture: by undo or redo of such a step."""
    stroke_ended = Signal()
    """A stroke, or the move of a layer, was finished or cancelled."""
    history_changed = Signal()
    """What can be undone, redone or saved may have changed."""
    can_undo_changed = Signal(bool)
    """Whether undo would take back a step or the stroke under way."""
    can_redo_changed = Signal(bool)
    dirty_changed = Signal(bool)
    """Whether there is something that no project file holds."""
    undo_text_changed = Signal(str)
    """The text of the undo command, with its mnemonic and the step's name."""
    settings_changed = Signal()
    """Mirror axis or preserved classes have changed."""
    refused = Signal(str)
    """Nothing was painted because the layer is locked or hidden: a sentence for the status bar."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._editor: DocumentEditor | None = None
        self.num_changes = 0
        """Counts changes, saving and undoing too; a stroke or move counts when it has ended."""
        self._last_emitted = (False, False, False, "")

    @property
    def editor(self) -> DocumentEditor | None:
        """The editor, to read from; changes go through `do`."""
        return self._editor

    @property
    def document(self) -> Document | None:
        """The document that is painted on; None before there is one."""
        return self._editor.document if self._editor else None

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return self._editor is not None and self._editor.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to redo."""
        return self._editor is not None and self._editor.can_redo

    @property
    def is_painting(self) -> bool:
        """Whether a stroke or the move of a layer is in progress."""
        return self._editor is not None and (self._editor.is_painting or self._editor.is_shifting)

    @property
    def is_dirty(self) -> bool:
        """Whether there are changes that no project file holds."""
        return self._editor is not None and self._editor.is_dirty

    def place(self, document: Document) -> None:
        """Replace the document; the history is cleared."""
        self._cancel_any_stroke()
        settings = self._editor
        self._editor = DocumentEditor(document)
        if settings is not None:
            self._editor.preserved = settings.preserved & {*document.palette.class_ids, 255}
        self.replaced.emit()
        self._emit_history()
        self.settings_changed.emit()

    def do(self, operation: Operation) -> Change | None:
        """Change the document, for example `controller.do(lambda editor: editor.add_layer())`.

        Does nothing without a document or during a stroke; emits `refused` if the layer is locked or hidden.

        Returns:
            What has changed; None if nothing has.
        """
        if self._editor is None or self.is_painting:
            return None
        try:
            change = operation(self._editor)
        except LayerNotPaintable as error:
            self.refused.emit(str(error))
            return None
        self._emit(change)
        return change

    def set_palette(self, palette: Palette) -> None:
        """Replace the classes. Ids in the layout stay; those that the palette lacks are shown grey."""
        self._cancel_any_stroke()
        self.do(lambda editor: editor.set_palette(palette))

    def set_mirror(self, axis: object) -> None:
        """Set the MirrorAxis that strokes are mirrored at, or None."""
        if self._editor is not None:
            self._editor.mirror = axis  # type: ignore[assignment]
            self.settings_changed.emit()

    def set_preserved(self, class_ids: frozenset[int]) -> None:
        """Set the classes that are not painted over."""
        if self._editor is not None:
            self._editor.preserved = class_ids
            self.settings_changed.emit()

    def activate_layer(self, layer_id: int) -> None:
        """Make a layer the one that is painted on."""
        if self._editor is not None and not self.is_painting and layer_id != self._editor.active_id:
            self._editor.active_id = layer_id
            self.layers_changed.emit()

    def mark_saved(self) -> None:
        """Note that a project file holds the document as it is."""
        if self._editor is not None:
            self._editor.mark_saved()
            self._emit_history()

    def mark_unsaved(self) -> None:
        """Record that no project file holds what belongs to the document, even if everything is undone."""
        if self._editor is not None:
            self._editor.mark_unsaved()
            self._emit_history()

    # Strokes

    def begin_stroke(self, brush: Brush, class_id: int, point: Point, pressure: float, stabilizer: float) -> None:
        """Start a stroke at `point` (x, y in layout pixels)."""
        self.do(lambda editor: editor.begin_stroke(brush, class_id, point, pressure, stabilizer))

    def extend_stroke(self, point: Point, pressure: float = 1.0) -> None:
        """Continue the stroke to `point`; does nothing without a stroke."""
        if self._editor is not None and self._editor.is_painting:
            self._emit(self._editor.extend_stroke(point, pressure))

    def end_stroke(self) -> None:
        """Finish the stroke: it becomes one step of the history."""
        if self._editor is not None and self._editor.is_painting:
            change = self._editor.end_stroke()
            # Of the layers only a thumbnail changed, which follows the end of the stroke.
            self._emit(None if change is None else replace(change, layers=False))
            self._emit_stroke_end()

    def cancel_stroke(self) -> None:
        """Cancel the stroke, or the move of a layer, without a step in the history."""
        if self._editor is None or not self.is_painting:
            return
        self._emit(self._editor.cancel_stroke() if self._editor.is_painting else self._editor.cancel_shift())
        self._emit_stroke_end()

    # Moving a layer

    def begin_shift(self) -> None:
        """Start moving the active layer."""

        def begin(editor: DocumentEditor) -> None:
            editor.begin_shift(editor.active_id)

        self.do(begin)

    def extend_shift(self, dx: int, dy: int) -> None:
        """Move the layer to this offset from where it was."""
        if self._editor is not None and self._editor.is_shifting:
            self._emit(self._editor.extend_shift(dx, dy))

    def end_shift(self) -> None:
        """Finish moving the layer."""
        if self._editor is not None and self._editor.is_shifting:
            self._emit(self._editor.end_shift())
            self._emit_stroke_end()

    # History

    def undo(self) -> None:
        """Undo one step, or cancel the stroke in progress."""
        if self.is_painting:
            self.cancel_stroke()
        elif self._editor is not None:
            self._emit(self._editor.undo())

    def redo(self) -> None:
        """Redo one step."""
        if self._editor is not None and not self.is_painting:
            self._emit(self._editor.redo())

    def _emit(self, change: Change | None) -> None:
        if change is None:
            return
        if change.palette:
            self.palette_changed.emit()
        if change.rect is not None:
            self.painted.emit(change.rect)
        if change.picture:
            self.picture_changed.emit()
        if change.layers:
            self.layers_changed.emit()
        self._emit_history()

    def _emit_stroke_end(self) -> None:
        self.stroke_ended.emit()
        self._emit_history()

    def _emit_history(self) -> None:
        assert self._editor is not None, "only a document has a history"
        name = self._editor.undo_name
        words = self.tr("&Undo {what}").format(what=name.lower()) if name else self.tr("&Undo")
        now = self.can_undo or self.is_painting, self.can_redo, self.is_dirty, words
        before, self._last_emitted = self._last_emitted, now
        for signal, old, new in zip(
            (self.can_undo_changed, self.can_redo_changed, self.dirty_changed, self.undo_text_changed),
            before,
            self._last_emitted,
            strict=True,
        ):
            if new != old:
                signal.emit(new)
        if not self.is_painting:
            self.num_changes += 1
            self.history_changed.emit()

    def _cancel_any_stroke(self) -> None:
        if self.is_painting:
            self.cancel_stroke()

"""The project in the window: document, style, photo, kept pictures and model, collected and restored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from smis_desktop.document.document import Document
from smis_desktop.document.style import Anchor, Look, Style
from smis_desktop.formats.project import ANCHOR_KEY, KeptPicture, KeptStyle, Project, anchor_from_json, anchor_to_json
from smis_desktop.ui.panels.preview_history import PreviewHistory
from smis_desktop.ui.window.active_model import ActiveModel
from smis_desktop.ui.window.document_controller import DocumentController
from smis_desktop.ui.window.preview_controller import PreviewController
from smis_desktop.ui.window.style_model import StyleModel


class ProjectState(QObject):
    """Collects a project from the parts of the window, and passes an opened one to them."""

    message = Signal(str)
    """A short message for the status bar."""

    def __init__(
        self,
        controller: DocumentController,
        style_model: StyleModel,
        history: PreviewHistory,
        preview: PreviewController,
        model: ActiveModel,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._controller, self._style_model, self._history = controller, style_model, history
        self._preview, self._model = preview, model

    def project(self) -> Project:
        """Return the painting as it is now."""
        document = self._controller.document
        assert document is not None, "there is nothing to save"
        return Project(
            document.state(),
            replace(self.style(), pins=self._style_model.pins),
            self._model.name,
            None,
            None if self._model.path is None else str(self._model.path.absolute()),
            self._history.kept,
        )

    def style(self) -> KeptStyle:
        """Return the style in the form that kept pictures and projects store."""
        anchor = self._preview.anchor
        extras = {} if anchor is None else {ANCHOR_KEY: anchor_to_json(anchor)}
        return KeptStyle(self._style_model.style, extras, self._preview.shown_ws)

    def take(self, project: Project) -> None:
        """Restore everything but the document, which is in place already: style, photo, kept pictures, and the
        model."""
        facts = project.style.extras.get(ANCHOR_KEY)
        self._preview.set_anchor(anchor_from_json(facts) if isinstance(facts, dict) else None)
        self._history.show_kept(project.kept)
        self._style_model.load(project.style.style)
        self._style_model.set_pins(project.style.pins)
        known = Path(project.model_path) if project.model_path else None
        if self._model.name is not None and project.model_name not in (None, self._model.name):
            if known is not None and known.is_file():
                self._model.open(known)
            else:
                words = self.tr("This was painted with the model “{name}”, which was not found.")
                self.message.emit(words.format(name=project.model_name))

    def take_photo(self, anchor: Anchor) -> None:
        """Start from a photo whose layout has become the document."""
        self._preview.set_anchor(anchor)
        self._style_model.set_style(Style(Look.of_latents(anchor.ws, anchor.name)))
        self._preview.refresh()

    def take_kept(self, kept: KeptPicture, pictures: tuple[KeptPicture, ...]) -> None:
        """Restore the style of a kept picture whose document is in place already."""
        self._history.show_kept(pictures)
        self._style_model.load(kept.style.style)

    def is_kept(self, document: Document) -> bool:
        """Return whether a picture of this very document is kept."""
        return any(document.state().equals(kept.document) for kept in self._history.kept)

"""The painting as a whole, layout, style, photo and kept pictures: taken together for a project, and apart again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from smis_desktop.document.document import Document
from smis_desktop.document.style import Anchor, Look, Style
from smis_desktop.formats.project import KEY, KeptPicture, KeptStyle, Project, anchor_facts, anchor_from_facts
from smis_desktop.ui.panels.preview_history import PreviewHistory
from smis_desktop.ui.window.active_model import ActiveModel
from smis_desktop.ui.window.document_controller import DocumentController
from smis_desktop.ui.window.preview_controller import PreviewController
from smis_desktop.ui.window.style_model import StyleModel


class ProjectState(QObject):
    """Whatever of the painting is not on the controller hangs together here."""

    told = Signal(str)

    def __init__(
        self,
        controller: DocumentController,
        chosen: StyleModel,
        history: PreviewHistory,
        preview: PreviewController,
        model: ActiveModel,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._controller, self._chosen, self._history = controller, chosen, history
        self._preview, self._model = preview, model

    def project(self) -> Project:
        """The painting as it is now."""
        document = self._controller.document
        assert document is not None, "there is nothing to save"
        return Project(
            document.state(),
            replace(self.style(), pins=self._chosen.pins),
            self._model.name,
            None,
            None if self._model.path is None else str(self._model.path.absolute()),
            self._history.kept,
        )

    def style(self) -> KeptStyle:
        """As a kept picture remembers it."""
        anchor = self._preview.anchor
        extras = {} if anchor is None else {KEY: anchor_facts(anchor)}
        return KeptStyle(self._chosen.style, extras, self._preview.shown_ws)

    def take(self, project: Project) -> None:
        """Its document is on the controller already; here comes the rest, and the model, if it was another."""
        facts = project.style.extras.get(KEY)
        self._preview.set_anchor(anchor_from_facts(facts) if isinstance(facts, dict) else None)
        self._history.show_kept(project.kept)
        self._chosen.follow(project.style.style)
        self._chosen.set_pins(project.style.pins)
        known = Path(project.model_path) if project.model_path else None
        if self._model.name is not None and project.model_name not in (None, self._model.name):
            if known is not None and known.is_file():
                self._model.open(known)
            else:
                words = self.tr("This was painted with the model “{name}”, which is not here.")
                self.told.emit(words.format(name=project.model_name))

    def take_photo(self, anchor: Anchor) -> None:
        """The document on the controller was read off a photo."""
        self._preview.set_anchor(anchor)
        self._chosen.set_style(Style(Look.of_latents(anchor.ws, anchor.name)))
        self._preview.refresh()

    def take_kept(self, kept: KeptPicture, pictures: tuple[KeptPicture, ...]) -> None:
        """The document on the controller is that of a kept picture, one of `pictures`."""
        self._history.show_kept(pictures)
        self._chosen.follow(kept.style.style)

    def is_kept(self, document: Document) -> bool:
        """Whether some picture was kept of just this layout."""
        return any(document.state().equals(kept.document) for kept in self._history.kept)

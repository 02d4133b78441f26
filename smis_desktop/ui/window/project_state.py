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
from smis_desktop.ui.window.repainting import Beginning
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
        beginning = self._preview.beginning
        extras = {} if beginning.anchor is None else {ANCHOR_KEY: anchor_to_json(beginning.anchor)}
        return KeptStyle(
            self._style_model.style, extras, self._preview.shown_ws, composition=beginning.composition,
            refined=beginning.refined, generator=self._preview.generator_name,
        )  # fmt: skip

    def take(self, project: Project) -> None:
        """Restore everything but the document, which is in place already: style, photo, kept pictures, and the
        model."""
        known = Path(project.model_path) if project.model_path else None
        is_others = self._model.name is not None and project.model_name not in (None, self._model.name)
        opens_model = is_others and known is not None and known.is_file()
        self._begin(project.style, expects_model=opens_model)
        self._history.show_kept(project.kept)
        self._style_model.load(project.style.style)
        self._style_model.set_pins(project.style.pins)
        if opens_model and known is not None:
            self._model.open(known)
        elif is_others:
            words = self.tr("This was painted with the model “{name}”, which was not found.")
            self.message.emit(words.format(name=project.model_name))
        self._preview.refresh()

    def take_photo(self, anchor: Anchor) -> None:
        """Start from a photo whose layout has become the document."""
        self._preview.begin(Beginning(anchor))
        self._style_model.set_style(Style(Look.of_latents(anchor.ws, anchor.name)))
        self._preview.refresh()

    def take_kept(self, kept: KeptPicture, pictures: tuple[KeptPicture, ...]) -> None:
        """Restore the style of a kept picture whose document is in place already."""
        self._history.show_kept(pictures)
        self._begin(kept.style)
        self._style_model.load(kept.style.style)
        self._preview.refresh()

    def _begin(self, style: KeptStyle, expects_model: bool = False) -> None:
        """Let the picture of the document begin with what is stored of it."""
        facts, composition, generator = style.extras.get(ANCHOR_KEY), style.composition, self._preview.generator_name
        anchor = anchor_from_json(facts) if isinstance(facts, dict) else None
        if composition is not None and generator is not None and not expects_model:
            composition = style.composition_for(generator)
            if composition is None:
                words = self.tr("The picture was made by the generator “{name}”, and is made anew.")
                self.message.emit(words.format(name=style.generator))
        self._preview.begin(Beginning(anchor, composition, style.refined, style.generator), expects_model)

    def is_kept(self, document: Document) -> bool:
        """Return whether a picture of this very document is kept."""
        return any(document.state().equals(kept.document) for kept in self._history.kept)

"""The painting as a whole, layout, style, photo and kept pictures: taken together for a project, and apart again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from smis_desktop.labels.document import Document
from smis_desktop.storage.anchor import KEY, anchor_facts, anchor_from_facts
from smis_desktop.storage.project_file import KeptPicture, KeptStyle, Project
from smis_desktop.style import Anchor, Look, Style
from smis_desktop.ui.chosen_style import ChosenStyle
from smis_desktop.ui.easel import Easel
from smis_desktop.ui.live_preview import LivePreview
from smis_desktop.ui.model_in_use import ModelInUse
from smis_desktop.ui.preview_history import PreviewHistory


class WholePainting(QObject):
    """Whatever of the painting is not on the easel hangs together here."""

    told = Signal(str)

    def __init__(
        self,
        easel: Easel,
        chosen: ChosenStyle,
        history: PreviewHistory,
        preview: LivePreview,
        model: ModelInUse,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._easel, self._chosen, self._history = easel, chosen, history
        self._preview, self._model = preview, model

    def project(self) -> Project:
        """The painting as it is now."""
        document = self._easel.document
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
        """Its document is on the easel already; here comes the rest, and the model, if it was another."""
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
        """The document on the easel was read off a photo."""
        self._preview.set_anchor(anchor)
        self._chosen.set_style(Style(Look.of_latents(anchor.ws, anchor.name)))

    def take_kept(self, kept: KeptPicture, pictures: tuple[KeptPicture, ...]) -> None:
        """The document on the easel is that of a kept picture, one of `pictures`."""
        self._history.show_kept(pictures)
        self._chosen.follow(kept.style.style)

    def is_kept(self, document: Document) -> bool:
        """Whether some picture was kept of just this layout."""
        return any(document.state().equals(kept.document) for kept in self._history.kept)

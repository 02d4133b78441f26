"""Gives the document the classes of the active model, unless its own classes fit the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject

from smis_desktop.document.document import DocumentState
from smis_desktop.document.palette import Palette
from smis_desktop.formats.project import Project
from smis_desktop.ui.panels.palette_dock import PaletteDock
from smis_desktop.ui.window.active_model import ActiveModel
from smis_desktop.ui.window.document_controller import DocumentController
from smis_desktop.ui.window.document_files import DocumentFiles


class ModelPalette(QObject):
    """Delays two things: a layout until its classes are known, and classes until a stroke has ended."""

    def __init__(
        self,
        controller: DocumentController,
        model: ActiveModel,
        files: DocumentFiles,
        classes: PaletteDock,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._controller, self._model, self._files, self._classes = controller, model, files, classes
        self._waiting_layout: Path | None = None
        self._waiting_palette: Palette | None = None
        self._project_model: Path | None = None
        controller.replaced.connect(self._forget)
        model.palette_known.connect(self._take)
        model.opened.connect(self._forget_project)

    def open_layout(self, path: Path) -> None:
        """Open a layout, once the model's classes are known."""
        if self._model.palette is None:
            self._waiting_layout = path
        else:
            self._files.open_without_asking(path)

    def expect_model_of(self, project: Project) -> None:
        """Keep the project's own class names when the model that it was painted with opens."""
        if project.model_path is not None and project.model_name != self._model.name:
            self._project_model = Path(project.model_path).absolute()

    def with_classes(self, state: DocumentState) -> DocumentState:
        """Return the state in the present classes, if it was kept with another model."""
        document, palette = self._controller.document, self._model.palette
        if document is None or palette is None or _has_classes_of(palette, state.palette):
            return state
        return replace(state, palette=document.palette)

    def _forget(self) -> None:
        self._stop_waiting()
        self._project_model = None

    def _forget_project(self) -> None:
        self._project_model = None  # the next model is not the project's

    def _take(self, palette: Palette) -> None:
        self._files.fallback_palette = palette
        document = self._controller.document
        if document is None:
            self._classes.set_palette(palette)
            if self._waiting_layout is not None:
                layout, self._waiting_layout = self._waiting_layout, None
                self._files.open_without_asking(layout)
            return
        self._stop_waiting()
        if self._can_stay(document.palette, palette):
            return
        if self._controller.is_painting:  # other classes would cancel the stroke
            self._waiting_palette = palette
            self._controller.stroke_ended.connect(self._set_waiting)
        else:
            self._controller.set_palette(palette)

    def _can_stay(self, own: Palette, palette: Palette) -> bool:
        """Return whether the document's own classes fit the model."""
        path = self._model.path
        if path is not None and path.absolute() == self._project_model:
            return set(palette.class_ids) <= set(own.class_ids)
        return _has_classes_of(palette, own)

    def _set_waiting(self) -> None:
        palette = self._waiting_palette
        self._stop_waiting()
        if palette is not None:
            self._controller.set_palette(palette)

    def _stop_waiting(self) -> None:
        if self._waiting_palette is not None:
            self._waiting_palette = None
            self._controller.stroke_ended.disconnect(self._set_waiting)


def _has_classes_of(model: Palette, own: Palette) -> bool:
    """Return whether `own` holds all classes of the model unchanged. Ids alone do not identify a class: 1 may be skin
    or ground."""
    return set(model.classes) <= set(own.classes)

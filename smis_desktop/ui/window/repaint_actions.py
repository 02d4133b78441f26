"""Repainting in the window: what stays, other looks for a region or for classes, frozen classes, meter and outline."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, QSettings, Signal
from PySide6.QtWidgets import QMenu

from smis_desktop.document.composition import EDGE, MAX_EDGE, Composition
from smis_desktop.document.fidelity import LayoutFidelity
from smis_desktop.ui.panels.palette_dock import PaletteDock
from smis_desktop.ui.panels.preview_panel import PreviewPanel
from smis_desktop.ui.panels.region_outline import region_outline
from smis_desktop.ui.panels.repaint_bar import MIN_EDGE, RepaintBar
from smis_desktop.ui.window.actions import CommandActions
from smis_desktop.ui.window.document_controller import DocumentController
from smis_desktop.ui.window.preview_controller import PreviewController
from smis_desktop.ui.window.rest_meter import FullPicture, RestMeter
from smis_desktop.ui.window.status import StatusBar
from smis_desktop.ui.window.style_controller import StyleController
from smis_desktop.workers.preview_jobs import PicturePainted

_KEEPS, _EDGE, _REGION = "picture/keeps_rest", "picture/edge", "view/region"
"""Names in the settings."""


class RepaintActions(QObject):
    """The commands that decide what a change of the layout does to the picture, and the views that show it."""

    message = Signal(str)
    """A short message for the status bar."""

    def __init__(
        self,
        preview: PreviewController,
        controller: DocumentController,
        style: StyleController,
        classes: PaletteDock,
        views: tuple[PreviewPanel, StatusBar],
        commands: CommandActions,
        settings: QSettings,
        parent: QObject,
    ) -> None:
        """style: where random looks come from. views: those of the picture, and of the figures about it."""
        super().__init__(parent)
        self._preview, self._controller, self._style, self._classes = preview, controller, style, classes
        (self._panel, self._status), self._commands, self._settings = views, commands, settings
        self._restore_settings()
        self.bar = RepaintBar(commands)
        self.bar.edge.show_fraction(preview.repainting.edge)
        self.bar.edge_chosen.connect(self._take_edge)
        self._meter = RestMeter()
        self._composition: Composition | None = None
        self._overall: float | None = None
        self._classes.list.selects_several = True
        self._classes.list.frozen_clicked.connect(lambda class_id: self.freeze(frozenset({class_id}), False))
        self._classes.menu_opened.connect(self._add_to_menu)
        self._preview.fidelity_measured.connect(self._take_fidelity)
        self._preview.completed.connect(self._take_picture)
        if commands["view.region"].isChecked():
            self._preview.painted.connect(self._outline)
        self._controller.replaced.connect(self._forget_pictures)
        self._preview.ready.connect(self._forget_pictures)

    # What stays

    def keep_rest(self, is_on: bool) -> None:
        """Let what is not repainted stay from the next change on, or let the whole picture follow."""
        self._preview.repainting.keeps_rest = is_on
        self._settings.setValue(_KEEPS, is_on)

    def follow_as_a_whole(self) -> None:
        """Make the whole picture anew, as a step that can be undone."""
        self._preview.change_picture(
            self.tr("Let the whole picture follow"), self._preview.repainting.follow_as_a_whole
        )

    def _restore_settings(self) -> None:
        """Restore what the settings hold. The commands are not connected yet, so that nothing else happens."""
        settings, repainting = self._settings, self._preview.repainting
        repainting.keeps_rest = bool(settings.value(_KEEPS, True, type=bool))
        self._commands["picture.keep_rest"].setChecked(repainting.keeps_rest)
        self._commands["view.region"].setChecked(bool(settings.value(_REGION, False, type=bool)))
        stored = str(settings.value(_EDGE, ""))
        edge = int(stored) / 100 if stored.isdecimal() else EDGE
        repainting.edge = min(max(edge, MIN_EDGE), MAX_EDGE)

    def _take_edge(self, edge: float) -> None:
        self._preview.repainting.edge = edge
        self._settings.setValue(_EDGE, round(100 * edge))

    # Other looks

    def change_look_of_last_change(self) -> None:
        """Give what was repainted last another random look."""
        repainting = self._preview.repainting
        if not self._is_rendered():
            return
        if not repainting.has_change:
            self.message.emit(self.tr("Repaint something first: this tries other looks for what you repainted last."))
            return
        look = self._style.random_look()
        self._preview.change_picture(
            self.tr("Another look for the last change"), lambda mark: repainting.take_look_of_last_change(mark, look)
        )

    def change_look_of_classes(self) -> None:
        """Give the places of the chosen classes another random look."""
        repainting, class_ids = self._preview.repainting, self._classes.list.chosen_ids
        if not self._is_rendered() or not class_ids:
            return
        names = self._names(class_ids)
        if class_ids <= repainting.locked_classes:
            words = self.tr("Frozen, so its look stays: {names}. Unfreeze it in the menu of its row first.")
            self.message.emit(words.format(names=names))
            return
        if not repainting.shows(class_ids):
            self.message.emit(self.tr("The layout shows no {names}: paint it first.").format(names=names))
            return
        look = self._style.random_look()
        self._preview.change_picture(
            self.tr("Another look for {names}").format(names=names),
            lambda mark: repainting.take_look_of_classes(mark, class_ids, look),
        )

    def freeze(self, class_ids: frozenset[int], is_frozen: bool) -> None:
        """Let the photograph never change the look that these classes have now, or let it change again."""
        repainting, editor = self._preview.repainting, self._controller.editor
        if editor is None or self._controller.is_painting or not self._is_rendered():
            return
        style, frozen = self._style.style_model.style, repainting.locked_classes
        if is_frozen and not repainting.shows(class_ids):
            words = self.tr("The layout shows no {names}, so there is no look to freeze: paint it first.")
            self.message.emit(words.format(names=self._names(class_ids)))
        elif is_frozen and not repainting.can_lock_more(style):
            words = self.tr("Frozen in another picture: {names}. Unfreeze that first, then freeze all of it together.")
            self.message.emit(words.format(names=self._names(frozen)))
        else:
            frozen = frozen | class_ids if is_frozen else frozen - class_ids
            repainting.lock_classes(editor.mark, frozen, style)
            self._preview.refresh()
            self._classes.show_frozen(repainting.locked_classes)
            self._controller.mark_unsaved()  # it belongs to the project, and is no step of the history

    def _is_rendered(self) -> bool:
        """Return whether the present state has its picture; say so if not."""
        if self._preview.layout is not None and self._preview.repainting.is_rendered:
            return True
        self.message.emit(self.tr("There is no photograph of this yet: try again in a moment."))
        return False

    def _add_to_menu(self, menu: QMenu, class_ids: frozenset[int]) -> None:
        """Add what concerns the looks of the chosen classes to their menu."""
        menu.addSeparator()
        menu.addAction(self._commands["picture.class_look"])
        is_frozen = class_ids <= self._preview.repainting.locked_classes
        freeze = menu.addAction(
            self.tr("Freeze its look (never change how it looks)"), partial(self.freeze, class_ids, not is_frozen)
        )
        freeze.setCheckable(True)
        freeze.setChecked(is_frozen)

    def _names(self, class_ids: frozenset[int]) -> str:
        document = self._controller.document
        assert document is not None, "classes are those of a document"
        return ", ".join(c.name for c in document.palette.classes if c.class_id in class_ids)

    # What is shown

    def show_region(self, is_shown: bool) -> None:
        """Outline the region that was repainted last on the photograph, or stop doing so."""
        self._settings.setValue(_REGION, is_shown)
        if is_shown:
            self._preview.painted.connect(self._outline)
        else:
            self._preview.painted.disconnect(self._outline)
        self._show_region()

    def _outline(self, painted: PicturePainted) -> None:
        self._composition = painted.result.composition
        self._show_region()

    def _show_region(self) -> None:
        patches = () if self._composition is None else self._composition.patches
        is_shown = self._commands["view.region"].isChecked() and patches
        self._panel.set_region(region_outline(patches[-1].mask) if is_shown else None)

    def _take_fidelity(self, fidelity: LayoutFidelity) -> None:
        self._overall = fidelity.overall
        self._classes.show_followed(fidelity)

    def _take_picture(self, painted: PicturePainted) -> None:
        self._composition = painted.result.composition
        self._classes.show_frozen(self._preview.repainting.locked_classes)
        layout = self._preview.layout
        if self._preview.is_up_to_date and layout is not None:
            style = self._style.style_model.style
            picture = FullPicture(painted.result.picture, self._composition, layout, style, painted.revision)
            self._status.show_fidelity(self._overall, self._meter.take(picture))

    def _forget_pictures(self) -> None:
        self._meter.forget()
        self._composition = self._overall = None
        self._show_region()
        self._classes.show_frozen(self._preview.repainting.locked_classes)

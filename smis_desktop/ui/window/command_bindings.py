"""What each command of the window does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from smis_desktop.document.editor import DocumentEditor
from smis_desktop.document.geometry import MirrorAxis
from smis_desktop.ui.dialogs.help_dialogs import AboutDialog
from smis_desktop.ui.dialogs.key_dialogs import CheatSheet, RebindDialog
from smis_desktop.ui.window.document_controller import DocumentController
from smis_desktop.ui.window.shortcuts import Shortcuts

if TYPE_CHECKING:
    from smis_desktop.ui.window.main_window import MainWindow

Acts = Mapping[str, Callable[[], object]]


def bind_commands(window: MainWindow) -> None:
    """Once, when all parts of the window are there."""
    for acts in (_files(window), _editing(window), _view(window), _pictures(window), _help(window)):
        for command_id, act in acts.items():
            window.commands[command_id].triggered.connect(lambda _=False, act=act: act())
    for number in range(9):
        window.commands[f"classes.{number + 1}"].triggered.connect(
            lambda _=False, row=number: window.classes.choose_row(row)
        )
    for command_id, follow in _switches(window).items():
        window.commands[command_id].toggled.connect(follow)


def show_what_can_be_undone(commands: Shortcuts, controller: DocumentController) -> None:
    """Undo and redo can be chosen when there is something to, and say what."""
    undo, redo = commands["edit.undo"], commands["edit.redo"]
    undo.setEnabled(controller.can_undo or controller.is_painting)
    redo.setEnabled(controller.can_redo)
    name = controller.editor.undo_name if controller.editor else None
    undo.setText(controller.tr("&Undo {what}").format(what=name.lower()) if name else controller.tr("&Undo"))


def _files(window: MainWindow) -> Acts:
    files, exports = window.files, window.exports
    return {
        "file.new": window.ask_for_size,
        "file.example": window.paint_example,
        "file.open": files.ask_to_open,
        "file.model": window.model.ask,
        "file.save": lambda: files.save(),
        "file.save_as": lambda: files.save_as(),
        "file.import": files.ask_for_import,
        "file.import_masks": files.ask_for_masks,
        "file.export_picture": exports.ask_for_picture,
        "file.export_layout": exports.ask_for_layout,
        "file.export_masks": exports.ask_for_masks,
        "file.variations": exports.ask_for_variations,
        "file.start": window.show_start_page,
        "file.quit": window.close,
        "model.new": window.workspaces.ask_for_new,
        "model.manage": window.workspaces.show_models,
        "model.photo_layout": window.photo_start.ask,
    }


def _editing(window: MainWindow) -> Acts:
    controller, options = window.controller, window.options
    return {
        "edit.undo": controller.undo,
        "edit.redo": controller.redo,
        "edit.cancel": window.canvas.cancel,
        "tools.larger": options.grow,
        "tools.smaller": options.shrink,
        "layers.add": lambda: controller.do(DocumentEditor.add_layer),
        "layers.duplicate": lambda: controller.do(lambda w: w.duplicate_layer(w.active_id)),
        "layers.merge": lambda: controller.do(lambda w: w.merge_down(w.active_id)),
        "layers.delete": lambda: controller.do(lambda w: w.delete_layer(w.active_id)),
        "layers.raise": partial(_move_layer, controller, 1),
        "layers.lower": partial(_move_layer, controller, -1),
        "layers.flip": lambda: controller.do(lambda w: w.flip_layer(w.active_id)),
        "layers.clear": lambda: controller.do(lambda w: w.clear_layer(w.active_id)),
        "classes.swap": options.swap_classes,
        "classes.add": window.classes.add_class,
    }


def _view(window: MainWindow) -> Acts:
    canvas = window.canvas
    return {
        "view.zoom_in": canvas.navigation.zoom_in,
        "view.zoom_out": canvas.navigation.zoom_out,
        "view.zoom_fit": canvas.navigation.zoom_to_fit,
        "view.zoom_100": lambda: canvas.navigation.zoom_to_pixels(canvas.devicePixelRatioF()),
        "view.rotate_left": canvas.navigation.rotate_left,
        "view.rotate_right": canvas.navigation.rotate_right,
        "view.reset_rotation": canvas.navigation.reset_rotation,
        "view.mirror": canvas.navigation.mirror,
    }


def _pictures(window: MainWindow) -> Acts:
    style = window.style_controller
    return {
        "picture.underlay_photo": window.underlay_photo.ask,
        "picture.new_style": style.style_model.choose_random_look,
        "picture.wall": style.show_variations,
        "picture.pin": lambda: style.style_model.pin(style.style_model.style.look),
        "picture.film": style.ask_for_film,
        "picture.keep": window.preview_actions.keep,
        "picture.copy": window.preview_actions.copy,
        "picture.backend": window.ask_for_backend,
    }


def _help(window: MainWindow) -> Acts:
    return {
        "help.shortcuts": lambda: window.show_dialog(CheatSheet(window.commands, window)),
        "help.rebind": lambda: window.show_dialog(RebindDialog(window.commands, window)),
        "help.diagnostics": window.fault_reporting.copy_diagnostics,
        "help.about": lambda: window.show_dialog(AboutDialog(window)),
    }


def _switches(window: MainWindow) -> Mapping[str, Callable[[bool], object]]:
    return {
        "edit.mirror": partial(_set_mirror, window.controller),
        "view.patterns": window.canvas.set_patterns,
        "view.names": window.canvas.set_names,
        "view.obedience": window.preview_actions.show_mismatch,
        "view.panels": window.arrangement.hide_panels,
        "view.style": window.style_controller.panel.setVisible,
        "view.light": window.set_theme,
        "picture.compare": window.preview_actions.compare,
        "picture.tie": window.preview_actions.link_view,
        "picture.lock_style": window.style_controller.style_model.lock,
    }


def _move_layer(controller: DocumentController, up: int) -> None:
    document = controller.document
    if document is not None:
        index = document.structure.index(document.active_id) + up
        controller.do(lambda editor: editor.reorder_layer(editor.active_id, index))


def _set_mirror(controller: DocumentController, is_on: bool) -> None:
    document = controller.document
    controller.set_mirror(MirrorAxis("vertical", document.size / 2) if is_on and document is not None else None)

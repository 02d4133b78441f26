"""The menu bar: which commands stand where."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QMainWindow, QMenu

from smis_desktop.ui.tools.tool import tool_classes
from smis_desktop.ui.window.shortcuts import Shortcuts

_LINE = ""
_RECENT = "recent"
_TOOLS = "tools"
_MENUS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("&File", (
        "file.new", "file.example", "file.open", _RECENT, _LINE, "file.save", "file.save_as", _LINE,
        "file.import", "file.import_masks", _LINE, "file.export_picture", "file.export_layout", "file.export_masks",
        "file.variations", _LINE, "file.start", "file.quit",
    )),
    ("&Edit", ("edit.undo", "edit.redo", "edit.cancel", _LINE, "edit.mirror", "classes.swap", "classes.add", _LINE,
               "help.rebind")),
    ("&Tools", (_TOOLS, _LINE, "tools.larger", "tools.smaller")),
    ("&Layers", ("layers.add", "layers.duplicate", "layers.merge", "layers.delete", _LINE, "layers.rename",
                 "layers.raise", "layers.lower", _LINE, "layers.flip", "layers.clear")),
    ("&Model", ("model.new", "model.manage", "file.model", _LINE, "model.photo_layout")),
    ("&Photograph", ("picture.new_style", "picture.wall", "picture.lock_style", "picture.pin", _LINE,
                     "picture.keep", "picture.copy", "picture.compare", "picture.tie", _LINE,
                      "picture.film", _LINE, "picture.underlay_photo", _LINE, "picture.backend")),
    ("&View", (
        "view.zoom_in", "view.zoom_out", "view.zoom_fit", "view.zoom_100", _LINE, "view.rotate_left",
        "view.rotate_right", "view.reset_rotation", "view.mirror", _LINE, "view.patterns", "view.names",
        "view.obedience", _LINE,
        "view.style", "view.panels", "view.light",
    )),
    ("&Help", ("help.shortcuts", _LINE, "help.diagnostics", "help.about")),
)  # fmt: skip


def build_menus(window: QMainWindow, shortcuts: Shortcuts) -> QMenu:
    """Fills the menu bar. Returns the menu of recent projects, which is filled as it opens."""
    recent = QMenu(QCoreApplication.translate("Menus", "Open &recent"), window)
    for title, commands in _MENUS:
        menu = window.menuBar().addMenu(QCoreApplication.translate("Menus", title))
        for command_id in commands:
            if command_id == _LINE:
                menu.addSeparator()
            elif command_id == _TOOLS:
                menu.addActions([shortcuts[f"tools.{name}"] for name in tool_classes()])
            elif command_id == _RECENT:
                menu.addMenu(recent)
            else:
                menu.addAction(shortcuts[command_id])
    return recent

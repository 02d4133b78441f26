"""The table of all commands of the window: their place in the menus, words, keys, icon and effect."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from smis_desktop.document.brush import MirrorAxis
from smis_desktop.document.document import Document
from smis_desktop.document.editor import DocumentEditor
from smis_desktop.errors import UserError
from smis_desktop.formats.registry import Format, folder_formats
from smis_desktop.ui.dialogs.backend_dialog import BackendDialog
from smis_desktop.ui.dialogs.help_dialogs import AboutDialog
from smis_desktop.ui.dialogs.key_dialogs import CheatSheet, RebindDialog
from smis_desktop.ui.dialogs.small_dialogs import NewDialog
from smis_desktop.ui.tools.tool import Tool, tool_classes
from smis_desktop.ui.widgets.translation import QT_TRANSLATE_NOOP
from smis_desktop.ui.window import docks
from smis_desktop.ui.window.commands import Command, CommandTable, Menu, PaintingSurface, Slot, When

if TYPE_CHECKING:
    from smis_desktop.ui.window.main_window import MainWindow


def _choose_tool(name: str, surface: PaintingSurface) -> None:
    surface.options.set_tool(name)


def _ask_to_import(folder: Format, window: MainWindow) -> None:
    window.files.ask_for_folder(folder)


def _ask_to_export(folder: Format, window: MainWindow) -> None:
    window.exports.ask_for_folder(folder)


def _show_dock(name: str, window: MainWindow, is_shown: bool) -> None:
    window.arrangement.show_dock(name, is_shown)


def _choose_class(row: int, surface: PaintingSurface) -> None:
    surface.classes.choose_row(row)


def _move_layer(up: int, window: MainWindow) -> None:
    document = window.controller.document
    if document is not None:
        index = document.structure.index(document.active_id) + up
        window.controller.do(lambda editor: editor.reorder_layer(editor.active_id, index))


def _set_mirror(window: MainWindow, is_on: bool) -> None:
    document = window.controller.document
    axis = MirrorAxis("vertical", document.size / 2) if is_on and document is not None else None
    window.controller.set_mirror(axis)


def _ask_for_size(window: MainWindow) -> None:
    """Ask for the size of an empty document, and replace the present one with it."""
    dialog = NewDialog(window)

    def create() -> None:
        size, palette = dialog.size_in_pixels, window.model.palette
        if palette is not None:
            window.files.before_losing(lambda: window.files.place(Document.blank(palette, size)))

    dialog.accepted.connect(create)
    dialog.open()


def _ask_for_backend(window: MainWindow) -> None:
    """Ask for a backend; another choice reopens the model."""
    from smis_desktop.inference.backend_selection import choose_backend, read_backend_choice

    facts = read_backend_choice()
    dialog = BackendDialog(facts.chosen, facts.tests, window)

    def take() -> None:
        try:
            choose_backend(dialog.chosen)
        except UserError as error:
            window.dialogs.complain(str(error))
            return
        window.model.reopen()

    dialog.accepted.connect(take)
    window.show_dialog(dialog)


_CLASSES = QT_TRANSLATE_NOOP("Command", "Classes")

_CLASS_KEYS = tuple(
    Command(
        f"classes.{number}",
        QT_TRANSLATE_NOOP("Command", "Choose class") + f" {number}",
        (str(number),),
        edit=partial(_choose_class, number - 1),
        group=_CLASSES,
        in_menu=False,
    )
    for number in range(1, 10)
)

MENUS: tuple[Menu, ...] = (
    Menu(QT_TRANSLATE_NOOP("Command", "&File"), (
        Command("file.new", QT_TRANSLATE_NOOP("Command", "&New…"), ("Ctrl+N",), "new", run=_ask_for_size),
        Command("file.example", QT_TRANSLATE_NOOP("Command", "New from &example"), ("Ctrl+Shift+N",),
                run=lambda w: w.paint_example()),
        Command("file.open", QT_TRANSLATE_NOOP("Command", "&Open…"), ("Ctrl+O",), "open",
                run=lambda w: w.files.ask_to_open()),
        Slot.RECENT,
        Slot.LINE,
        Command("file.save", QT_TRANSLATE_NOOP("Command", "&Save"), ("Ctrl+S",), "save",
                run=lambda w: w.files.save(), when=When.DOCUMENT),
        Command("file.save_as", QT_TRANSLATE_NOOP("Command", "Save &as…"), ("Ctrl+Shift+S",),
                run=lambda w: w.files.save_as(), when=When.DOCUMENT),
        Slot.LINE,
        Command("file.import", QT_TRANSLATE_NOOP("Command", "&Import layout…"), ("Ctrl+I",),
                run=lambda w: w.files.ask_for_import()),
        Slot.FOLDER_IMPORTS,
        Slot.LINE,
        Command("file.export_picture", QT_TRANSLATE_NOOP("Command", "&Export photograph…"), ("Ctrl+E",), "export",
                run=lambda w: w.exports.ask_for_picture(), when=When.PICTURE),
        Command("file.export_layout", QT_TRANSLATE_NOOP("Command", "Export &layout…"), ("Ctrl+Shift+E",),
                run=lambda w: w.exports.ask_for_layout(), when=When.DOCUMENT),
        Slot.FOLDER_EXPORTS,
        Command("file.variations", QT_TRANSLATE_NOOP("Command", "Export &variations…"),
                run=lambda w: w.exports.ask_for_variations(), when=When.DOCUMENT),
        Slot.LINE,
        Command("file.start", QT_TRANSLATE_NOOP("Command", "S&tart page"), run=lambda w: w.show_start_page()),
        Command("file.quit", QT_TRANSLATE_NOOP("Command", "&Quit"), ("Ctrl+Q",), run=lambda w: w.close()),
    )),
    Menu(QT_TRANSLATE_NOOP("Command", "&Edit"), (
        Command("edit.undo", QT_TRANSLATE_NOOP("Command", "&Undo"), ("Ctrl+Z",), "undo",
                edit=lambda s: s.controller.undo(), when=When.UNDO),
        Command("edit.redo", QT_TRANSLATE_NOOP("Command", "&Redo"), ("Ctrl+Shift+Z", "Ctrl+Y"), "redo",
                edit=lambda s: s.controller.redo(), when=When.REDO),
        Command("edit.cancel", QT_TRANSLATE_NOOP("Command", "&Cancel stroke or shape"), ("Esc",),
                edit=lambda s: s.canvas.cancel()),
        Slot.LINE,
        Command("edit.mirror", QT_TRANSLATE_NOOP("Command", "Mirror &painting"), ("Ctrl+Shift+M",), "mirror",
                toggle=_set_mirror),
        Command("classes.swap", QT_TRANSLATE_NOOP("Command", "Swap last two classes"), ("X",),
                edit=lambda s: s.options.swap_classes(), group=_CLASSES),
        Command("classes.add", QT_TRANSLATE_NOOP("Command", "Add class"),
                edit=lambda s: s.classes.add_class(), when=When.DOCUMENT, group=_CLASSES),
        *_CLASS_KEYS,
        Slot.LINE,
        Command("help.rebind", QT_TRANSLATE_NOOP("Command", "Change &keys…"),
                run=lambda w: w.show_dialog(RebindDialog(w.commands, w))),
    )),
    Menu(QT_TRANSLATE_NOOP("Command", "&Tools"), (
        Slot.TOOLS,
        Slot.LINE,
        Command("tools.larger", QT_TRANSLATE_NOOP("Command", "Larger brush"), ("]",), edit=lambda s: s.options.grow()),
        Command("tools.smaller", QT_TRANSLATE_NOOP("Command", "Smaller brush"), ("[",),
                edit=lambda s: s.options.shrink()),
    )),
    Menu(QT_TRANSLATE_NOOP("Command", "&Layers"), (
        Command("layers.add", QT_TRANSLATE_NOOP("Command", "&Add layer"), ("Ins",), "add",
                run=lambda w: w.controller.do(DocumentEditor.add_layer), when=When.DOCUMENT),
        Command("layers.duplicate", QT_TRANSLATE_NOOP("Command", "&Duplicate layer"), ("Ctrl+J",), "duplicate",
                run=lambda w: w.controller.do(lambda editor: editor.duplicate_layer(editor.active_id)),
                when=When.DOCUMENT),
        Command("layers.merge", QT_TRANSLATE_NOOP("Command", "&Merge down"), ("Ctrl+Shift+J",), "merge",
                run=lambda w: w.controller.do(lambda editor: editor.merge_down(editor.active_id)),
                when=When.DOCUMENT),
        Command("layers.delete", QT_TRANSLATE_NOOP("Command", "De&lete layer"), ("Shift+Del",), "delete",
                run=lambda w: w.controller.do(lambda editor: editor.delete_layer(editor.active_id)),
                when=When.DOCUMENT),
        Slot.LINE,
        Command("layers.rename", QT_TRANSLATE_NOOP("Command", "&Rename layer"), ("F2",),
                run=lambda w: w.layers.edit_name(), when=When.DOCUMENT),
        Command("layers.raise", QT_TRANSLATE_NOOP("Command", "Raise layer"), ("Ctrl+PgUp",),
                run=partial(_move_layer, 1), when=When.DOCUMENT),
        Command("layers.lower", QT_TRANSLATE_NOOP("Command", "Lower layer"), ("Ctrl+PgDown",),
                run=partial(_move_layer, -1), when=When.DOCUMENT),
        Slot.LINE,
        Command("layers.flip", QT_TRANSLATE_NOOP("Command", "&Flip layer"),
                run=lambda w: w.controller.do(lambda editor: editor.flip_layer(editor.active_id)),
                when=When.DOCUMENT),
        Command("layers.clear", QT_TRANSLATE_NOOP("Command", "&Clear layer"), ("Del",),
                run=lambda w: w.controller.do(lambda editor: editor.clear_layer(editor.active_id)),
                when=When.DOCUMENT, on_canvas=True),
    )),
    Menu(QT_TRANSLATE_NOOP("Command", "&Model"), (
        Command("model.new", QT_TRANSLATE_NOOP("Command", "&New personal model…"), ("Ctrl+Alt+N",),
                run=lambda w: w.workspaces.ask_for_new()),
        Command("model.manage", QT_TRANSLATE_NOOP("Command", "&Personal models…"), ("Ctrl+Alt+M",),
                run=lambda w: w.workspaces.show_models()),
        Command("file.model", QT_TRANSLATE_NOOP("Command", "Open personal &model…"), ("Ctrl+M",),
                run=lambda w: w.model.ask()),
        Slot.LINE,
        Command("model.photo_layout", QT_TRANSLATE_NOOP("Command", "&Layout from a photo…"), ("Ctrl+Alt+P",),
                run=lambda w: w.photo_start.ask()),
    )),
    Menu(QT_TRANSLATE_NOOP("Command", "&Photograph"), (
        Command("picture.new_style", QT_TRANSLATE_NOOP("Command", "&New style"), ("N",), "new_style",
                run=lambda w: w.style_controller.style_model.choose_random_look()),
        Command("picture.wall", QT_TRANSLATE_NOOP("Command", "&Variations"), ("W",), "wall",
                run=lambda w: w.style_controller.show_variations(), when=When.DOCUMENT),
        Command("picture.lock_style", QT_TRANSLATE_NOOP("Command", "&Lock style"), ("Shift+N",), "lock",
                toggle=lambda w, on: w.style_controller.style_model.lock(on)),
        Command("picture.pin", QT_TRANSLATE_NOOP("Command", "&Pin this look"), ("Shift+K",), "pin",
                run=lambda w: w.style_controller.style_model.pin(w.style_controller.style_model.style.look)),
        Slot.LINE,
        Command("picture.keep_rest", QT_TRANSLATE_NOOP("Command", "Keep the &rest"), ("Alt+K",),
                toggle=lambda w, on: w.repaint_actions.keep_rest(on)),
        Command("picture.follow", QT_TRANSLATE_NOOP("Command", "Let the &whole picture follow"), ("Alt+W",), "follow",
                run=lambda w: w.repaint_actions.follow_as_a_whole(), when=When.PICTURE),
        Command("picture.change_look", QT_TRANSLATE_NOOP("Command", "&Another look for the last change"), ("Alt+N",),
                run=lambda w: w.repaint_actions.change_look_of_last_change(), when=When.PICTURE),
        Command("picture.class_look", QT_TRANSLATE_NOOP("Command", "Another look for &this class"), ("Alt+Shift+N",),
                run=lambda w: w.repaint_actions.change_look_of_classes(), when=When.PICTURE),
        Slot.LINE,
        Command("picture.keep", QT_TRANSLATE_NOOP("Command", "&Keep picture"), ("K",), "keep",
                run=lambda w: w.preview_actions.keep(), when=When.DOCUMENT),
        Command("picture.copy", QT_TRANSLATE_NOOP("Command", "&Copy picture"), ("Ctrl+C",), "copy",
                run=lambda w: w.preview_actions.copy(), when=When.DOCUMENT),
        Command("picture.compare", QT_TRANSLATE_NOOP("Command", "C&ompare with last kept picture"), ("C",), "compare",
                toggle=lambda w, on: w.preview_actions.compare(on)),
        Command("picture.tie", QT_TRANSLATE_NOOP("Command", "L&ink view to canvas"),
                toggle=lambda w, on: w.preview_actions.link_view(on)),
        Slot.LINE,
        Command("picture.film", QT_TRANSLATE_NOOP("Command", "&Film from kept pictures…"), ("Ctrl+Shift+F",),
                run=lambda w: w.style_controller.ask_for_film()),
        Slot.LINE,
        Command("picture.underlay_photo", QT_TRANSLATE_NOOP("Command", "&Use a photo as underlay…"),
                run=lambda w: w.underlay_photo.ask()),
        Slot.LINE,
        Command("picture.backend", QT_TRANSLATE_NOOP("Command", "&Backend…"), run=_ask_for_backend),
    )),
    Menu(QT_TRANSLATE_NOOP("Command", "&View"), (
        Command("view.zoom_in", QT_TRANSLATE_NOOP("Command", "Zoom &in"), ("Ctrl++", "Ctrl+="), "zoom_in",
                edit=lambda s: s.canvas.navigation.zoom_in()),
        Command("view.zoom_out", QT_TRANSLATE_NOOP("Command", "Zoom &out"), ("Ctrl+-",), "zoom_out",
                edit=lambda s: s.canvas.navigation.zoom_out()),
        Command("view.zoom_fit", QT_TRANSLATE_NOOP("Command", "&Fit in view"), ("Ctrl+0",), "zoom_fit",
                edit=lambda s: s.canvas.navigation.zoom_to_fit()),
        Command("view.zoom_100", QT_TRANSLATE_NOOP("Command", "&Actual pixels"), ("Ctrl+1",),
                edit=lambda s: s.canvas.navigation.zoom_to_pixels(s.canvas.devicePixelRatioF())),
        Slot.LINE,
        Command("view.rotate_left", QT_TRANSLATE_NOOP("Command", "Rotate view &left"), ("Num+4", "Ctrl+["),
                run=lambda w: w.canvas.navigation.rotate_left()),
        Command("view.rotate_right", QT_TRANSLATE_NOOP("Command", "Rotate view &right"), ("Num+6", "Ctrl+]"),
                run=lambda w: w.canvas.navigation.rotate_right()),
        Command("view.reset_rotation", QT_TRANSLATE_NOOP("Command", "Reset ro&tation"), ("Num+5", "Ctrl+5"),
                run=lambda w: w.canvas.navigation.reset_rotation()),
        Command("view.mirror", QT_TRANSLATE_NOOP("Command", "&Mirror view"), ("M",),
                edit=lambda s: s.canvas.navigation.mirror()),
        Slot.LINE,
        Command("view.patterns", QT_TRANSLATE_NOOP("Command", "&Hatch classes"),
                toggle=lambda w, on: w.canvas.set_patterns(on)),
        Command("view.names", QT_TRANSLATE_NOOP("Command", "Show class &names"),
                toggle=lambda w, on: w.canvas.set_names(on)),
        Command("view.region", QT_TRANSLATE_NOOP("Command", "Outline the r&epainted region"), ("Alt+O",),
                toggle=lambda w, on: w.repaint_actions.show_region(on)),
        Command("view.obedience", QT_TRANSLATE_NOOP("Command", "Show &differences from layout"), ("Ctrl+H",),
                toggle=lambda w, on: w.preview_actions.show_mismatch(on)),
        Slot.LINE,
        Slot.DOCKS,
        Command("view.panels", QT_TRANSLATE_NOOP("Command", "Hide &panels"), ("Tab",),
                toggle=lambda w, on: w.arrangement.hide_panels(on), on_canvas=True),
        Command("view.light", QT_TRANSLATE_NOOP("Command", "Li&ght theme"), toggle=lambda w, on: w.set_theme(on)),
    )),
    Menu(QT_TRANSLATE_NOOP("Command", "&Help"), (
        Command("help.shortcuts", QT_TRANSLATE_NOOP("Command", "&Keys and mouse"), ("?", "F1"),
                run=lambda w: w.show_dialog(CheatSheet(w.commands, w))),
        Slot.LINE,
        Command("help.diagnostics", QT_TRANSLATE_NOOP("Command", "Copy &diagnostics"),
                run=lambda w: w.fault_reporting.copy_diagnostics()),
        Command("help.about", QT_TRANSLATE_NOOP("Command", "&About SMIS Desktop"),
                run=lambda w: w.show_dialog(AboutDialog(w))),
    )),
)  # fmt: skip

_GESTURES: tuple[tuple[str, str], ...] = (
    (QT_TRANSLATE_NOOP("Command", "Paint"), QT_TRANSLATE_NOOP("Command", "Left button, pen")),
    (QT_TRANSLATE_NOOP("Command", "Erase"), QT_TRANSLATE_NOOP("Command", "Right button, pen's eraser end")),
    (QT_TRANSLATE_NOOP("Command", "Pick a class"), QT_TRANSLATE_NOOP("Command", "Ctrl or Alt + click")),
    (QT_TRANSLATE_NOOP("Command", "Move the view"), QT_TRANSLATE_NOOP("Command", "Space + drag, middle button")),
    (QT_TRANSLATE_NOOP("Command", "Rotate the view"), QT_TRANSLATE_NOOP("Command", "Shift + Space + drag")),
    (QT_TRANSLATE_NOOP("Command", "Zoom"), QT_TRANSLATE_NOOP("Command", "Wheel, Ctrl + wheel")),
)
"""What the pointer does on the canvas with every tool; these cannot be changed. Tools have gestures of their own."""


def command_table() -> CommandTable:
    """Return the menus and gestures with the tools and docks that there are now."""
    menus = tuple(Menu(menu.title, tuple(_filled(menu.rows))) for menu in MENUS)
    gestures = _GESTURES + tuple(gesture for tool in tool_classes().values() for gesture in tool.gestures)
    return CommandTable(menus, gestures)


def _filled(rows: tuple[Command | Slot, ...]) -> Iterator[Command | Slot]:
    for row in rows:
        if row is Slot.TOOLS:
            yield from _tool_rows()
        elif row is Slot.FOLDER_IMPORTS:
            yield from _folder_import_rows()
        elif row is Slot.FOLDER_EXPORTS:
            yield from _folder_export_rows()
        elif row is Slot.DOCKS:
            yield from _dock_rows()
        else:
            yield row


def _tool_rows() -> Iterator[Command | Slot]:
    last: type[Tool] | None = None
    for tool in tool_classes().values():
        if last is not None and last.group != tool.group:
            yield Slot.LINE
        last = tool
        choose = partial(_choose_tool, tool.name)
        yield Command(f"tools.{tool.name}", tool.title, tool.keys, tool.icon, edit=choose, is_choice=True)


def _folder_import_rows() -> Iterator[Command]:
    for folder in folder_formats():
        if folder.reads:
            ask = partial(_ask_to_import, folder)
            yield Command(f"file.import_{folder.menu_id}", folder.import_text, run=ask)


def _folder_export_rows() -> Iterator[Command]:
    for folder in folder_formats():
        if folder.write is not None:
            ask = partial(_ask_to_export, folder)
            yield Command(f"file.export_{folder.menu_id}", folder.export_text, run=ask, when=When.DOCUMENT)


def _dock_rows() -> Iterator[Command]:
    for dock in docks.DOCKS:
        if dock.toggle_text:
            yield Command(
                f"view.{dock.name}", dock.toggle_text, dock.keys, dock.icon, toggle=partial(_show_dock, dock.name)
            )

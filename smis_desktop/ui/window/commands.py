"""Every command of the window in one table: what it is called, where it belongs, its keys and its picture."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from smis_desktop.ui.tools.tool import tool_classes
from smis_desktop.ui.widgets.translation import QT_TRANSLATE_NOOP


@dataclass(frozen=True)
class Command:
    """`command_id` is stored with a person's own keys: never change one. keys: the defaults."""

    command_id: str
    group: str
    text: str
    keys: tuple[str, ...] = ()
    icon: str | None = None
    checkable: bool = False
    needs_document: bool = False
    on_canvas: bool = False
    """The key counts only while the canvas has the focus: elsewhere it has another meaning."""

    @property
    def words(self) -> str:
        """In the person's language, with the menu's mnemonic."""
        return QCoreApplication.translate("Command", self.text)

    @property
    def plain_words(self) -> str:
        """In the person's language, for tooltips and lists."""
        return self.words.replace("&", "").removesuffix("…")

    @property
    def group_words(self) -> str:
        return QCoreApplication.translate("Command", self.group)


FILE = QT_TRANSLATE_NOOP("Command", "File")
MODEL = QT_TRANSLATE_NOOP("Command", "Model")
EDIT = QT_TRANSLATE_NOOP("Command", "Edit")
TOOLS = QT_TRANSLATE_NOOP("Command", "Tools")
LAYERS = QT_TRANSLATE_NOOP("Command", "Layers")
CLASSES = QT_TRANSLATE_NOOP("Command", "Classes")
VIEW = QT_TRANSLATE_NOOP("Command", "View")
PICTURE = QT_TRANSLATE_NOOP("Command", "Photograph")
HELP = QT_TRANSLATE_NOOP("Command", "Help")


COMMANDS: tuple[Command, ...] = (
    Command("file.new", FILE, QT_TRANSLATE_NOOP("Command", "&New…"), ("Ctrl+N",), "new"),
    Command("file.example", FILE, QT_TRANSLATE_NOOP("Command", "New from &example"), ("Ctrl+Shift+N",)),
    Command("file.open", FILE, QT_TRANSLATE_NOOP("Command", "&Open…"), ("Ctrl+O",), "open"),
    Command("file.model", FILE, QT_TRANSLATE_NOOP("Command", "Open personal &model…"), ("Ctrl+M",)),
    Command("model.new", MODEL, QT_TRANSLATE_NOOP("Command", "&New personal model…"), ("Ctrl+Alt+N",)),
    Command("model.manage", MODEL, QT_TRANSLATE_NOOP("Command", "&Personal models…"), ("Ctrl+Alt+M",)),
    Command("model.photo_layout", MODEL, QT_TRANSLATE_NOOP("Command", "&Layout from a photo…"), ("Ctrl+Alt+P",)),
    Command("file.save", FILE, QT_TRANSLATE_NOOP("Command", "&Save"), ("Ctrl+S",), "save", needs_document=True),
    Command(
        "file.save_as", FILE, QT_TRANSLATE_NOOP("Command", "Save &as…"), ("Ctrl+Shift+S",), needs_document=True
    ),
    Command(
        "file.import", FILE, QT_TRANSLATE_NOOP("Command", "&Import layout…"), ("Ctrl+I",)
    ),
    Command(
        "file.import_masks", FILE, QT_TRANSLATE_NOOP("Command", "Import folder of mas&ks…")
    ),
    Command(
        "file.export_picture", FILE, QT_TRANSLATE_NOOP("Command", "&Export photograph…"), ("Ctrl+E",), "export",
    ),
    Command(
        "file.export_layout", FILE, QT_TRANSLATE_NOOP("Command", "Export &layout…"), ("Ctrl+Shift+E",),
        needs_document=True,
    ),
    Command(
        "file.export_masks", FILE, QT_TRANSLATE_NOOP("Command", "Export one mas&k a class…"), needs_document=True
    ),
    Command(
        "file.variations", FILE, QT_TRANSLATE_NOOP("Command", "Export &variations…"), needs_document=True
    ),
    Command("file.start", FILE, QT_TRANSLATE_NOOP("Command", "S&tart page")),
    Command("file.quit", FILE, QT_TRANSLATE_NOOP("Command", "&Quit"), ("Ctrl+Q",)),
    Command("edit.undo", EDIT, QT_TRANSLATE_NOOP("Command", "&Undo"), ("Ctrl+Z",), "undo"),
    Command("edit.redo", EDIT, QT_TRANSLATE_NOOP("Command", "&Redo"), ("Ctrl+Shift+Z", "Ctrl+Y"), "redo"),
    Command("edit.cancel", EDIT, QT_TRANSLATE_NOOP("Command", "&Cancel what is in hand"), ("Esc",)),
    Command("edit.mirror", EDIT, QT_TRANSLATE_NOOP("Command", "Mirror &painting"), ("Ctrl+Shift+M",), "mirror", True),
    *(
        Command(f"tools.{tool.name}", TOOLS, tool.title, tool.keys, tool.icon, True) for tool in tool_classes().values()
    ),
    Command("tools.larger", TOOLS, QT_TRANSLATE_NOOP("Command", "Larger brush"), ("]",)),
    Command("tools.smaller", TOOLS, QT_TRANSLATE_NOOP("Command", "Smaller brush"), ("[",)),
    Command("layers.add", LAYERS, QT_TRANSLATE_NOOP("Command", "&Add layer"), ("Ins",), "add", needs_document=True),
    Command(
        "layers.duplicate", LAYERS, QT_TRANSLATE_NOOP("Command", "&Duplicate layer"), ("Ctrl+J",), "duplicate",
        needs_document=True,
    ),
    Command(
        "layers.merge", LAYERS, QT_TRANSLATE_NOOP("Command", "&Merge down"), ("Ctrl+Shift+J",), "merge",
        needs_document=True,
    ),
    Command(
        "layers.delete", LAYERS, QT_TRANSLATE_NOOP("Command", "De&lete layer"), ("Shift+Del",), "delete",
        needs_document=True,
    ),
    Command("layers.rename", LAYERS, QT_TRANSLATE_NOOP("Command", "&Rename layer"), ("F2",), needs_document=True),
    Command("layers.raise", LAYERS, QT_TRANSLATE_NOOP("Command", "Raise layer"), ("Ctrl+PgUp",), needs_document=True),
    Command("layers.lower", LAYERS, QT_TRANSLATE_NOOP("Command", "Lower layer"), ("Ctrl+PgDown",), needs_document=True),
    Command("layers.flip", LAYERS, QT_TRANSLATE_NOOP("Command", "&Flip layer"), needs_document=True),
    Command(
        "layers.clear", LAYERS, QT_TRANSLATE_NOOP("Command", "&Empty layer"),
        ("Del",), needs_document=True, on_canvas=True,
    ),
    Command("classes.swap", CLASSES, QT_TRANSLATE_NOOP("Command", "Swap the two last classes"), ("X",)),
    Command("classes.add", CLASSES, QT_TRANSLATE_NOOP("Command", "Add class"), needs_document=True),
    *(
        Command(f"classes.{n}", CLASSES, QT_TRANSLATE_NOOP("Command", "Choose class") + f" {n}", (str(n),))
        for n in range(1, 10)
    ),
    Command("view.zoom_in", VIEW, QT_TRANSLATE_NOOP("Command", "Zoom &in"), ("Ctrl++", "Ctrl+="), "zoom_in"),
    Command("view.zoom_out", VIEW, QT_TRANSLATE_NOOP("Command", "Zoom &out"), ("Ctrl+-",), "zoom_out"),
    Command("view.zoom_fit", VIEW, QT_TRANSLATE_NOOP("Command", "&Fit in view"), ("Ctrl+0",), "zoom_fit"),
    Command("view.zoom_100", VIEW, QT_TRANSLATE_NOOP("Command", "&Actual pixels"), ("Ctrl+1",)),
    Command("view.rotate_left", VIEW, QT_TRANSLATE_NOOP("Command", "Rotate view &left"), ("Num+4", "Ctrl+[")),
    Command("view.rotate_right", VIEW, QT_TRANSLATE_NOOP("Command", "Rotate view &right"), ("Num+6", "Ctrl+]")),
    Command("view.reset_rotation", VIEW, QT_TRANSLATE_NOOP("Command", "Reset &rotation"), ("Num+5", "Ctrl+5")),
    Command("view.mirror", VIEW, QT_TRANSLATE_NOOP("Command", "&Mirror view"), ("M",)),
    Command("view.patterns", VIEW, QT_TRANSLATE_NOOP("Command", "&Hatch classes"), (), None, True),
    Command("view.names", VIEW, QT_TRANSLATE_NOOP("Command", "Show class &names"), (), None, True),
    Command(
        "view.obedience", VIEW, QT_TRANSLATE_NOOP("Command", "Show where the &photograph does not follow"), ("Ctrl+H",),
        None, True,
    ),
    Command("view.style", VIEW, QT_TRANSLATE_NOOP("Command", "&Style panel"), ("Y",), "faders", True),
    Command("view.panels", VIEW, QT_TRANSLATE_NOOP("Command", "Hide &panels"), ("Tab",), None, True, on_canvas=True),
    Command("view.light", VIEW, QT_TRANSLATE_NOOP("Command", "&Light theme"), (), None, True),
    Command("picture.new_style", PICTURE, QT_TRANSLATE_NOOP("Command", "&New style"), ("N",), "new_style"),
    Command(
        "picture.wall", PICTURE, QT_TRANSLATE_NOOP("Command", "&Wall of variations"), ("W",), "wall",
        needs_document=True,
    ),
    Command("picture.lock_style", PICTURE, QT_TRANSLATE_NOOP("Command", "&Lock style"), ("Shift+N",), "lock", True),
    Command("picture.pin", PICTURE, QT_TRANSLATE_NOOP("Command", "&Pin this look"), ("Shift+K",), "pin"),
    Command("picture.film", PICTURE, QT_TRANSLATE_NOOP("Command", "&Film from kept pictures…"), ("Ctrl+Shift+F",)),
    Command(
        "picture.keep", PICTURE, QT_TRANSLATE_NOOP("Command", "&Keep picture"),
        ("K",), "keep", needs_document=True,
    ),
    Command(
        "picture.copy", PICTURE, QT_TRANSLATE_NOOP("Command", "&Copy picture"),
        ("Ctrl+C",), "copy", needs_document=True,
    ),
    Command(
        "picture.compare", PICTURE, QT_TRANSLATE_NOOP("Command", "C&ompare with the last kept"),
        ("C",), "compare", True,
    ),
    Command("picture.tie", PICTURE, QT_TRANSLATE_NOOP("Command", "&Tie view to the canvas"), (), None, True),
    Command("picture.underlay_photo", PICTURE, QT_TRANSLATE_NOOP("Command", "Use a &photo as underlay…")),
    Command("picture.backend", PICTURE, QT_TRANSLATE_NOOP("Command", "&Backend…")),
    Command("help.shortcuts", HELP, QT_TRANSLATE_NOOP("Command", "&Keys and mouse"), ("?", "F1")),
    Command("help.rebind", HELP, QT_TRANSLATE_NOOP("Command", "&Change keys…")),
    Command("help.diagnostics", HELP, QT_TRANSLATE_NOOP("Command", "Copy &diagnostics")),
    Command("help.about", HELP, QT_TRANSLATE_NOOP("Command", "&About SMIS Desktop")),
)  # fmt: skip

GESTURES: tuple[tuple[str, str], ...] = (
    (QT_TRANSLATE_NOOP("Command", "Paint"), QT_TRANSLATE_NOOP("Command", "Left button, pen")),
    (QT_TRANSLATE_NOOP("Command", "Erase"), QT_TRANSLATE_NOOP("Command", "Right button, pen's eraser end")),
    *(gesture for tool in tool_classes().values() for gesture in tool.gestures),
    (QT_TRANSLATE_NOOP("Command", "Pick a class"), QT_TRANSLATE_NOOP("Command", "Ctrl or Alt + click")),
    (QT_TRANSLATE_NOOP("Command", "Move the view"), QT_TRANSLATE_NOOP("Command", "Space + drag, middle button")),
    (QT_TRANSLATE_NOOP("Command", "Rotate the view"), QT_TRANSLATE_NOOP("Command", "Shift + Space + drag")),
    (QT_TRANSLATE_NOOP("Command", "Zoom"), QT_TRANSLATE_NOOP("Command", "Wheel, Ctrl + wheel")),
)
"""What the pointer does on the canvas; these cannot be changed."""

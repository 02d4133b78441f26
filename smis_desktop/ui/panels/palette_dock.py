"""The dock of classes: chooses the class to paint, and edits, adds and preserves classes."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QDockWidget,
    QHBoxLayout,
    QLineEdit,
    QListWidgetItem,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from smis_desktop.document.fidelity import LayoutFidelity
from smis_desktop.document.palette import Palette, default_color
from smis_desktop.ui.panels.class_list import (
    CLASS_ID,
    COLOR,
    FOLLOWED,
    FROZEN,
    KEY,
    PRESERVED,
    ClassDelegate,
    ClassList,
)
from smis_desktop.ui.widgets.controls import Pane
from smis_desktop.ui.widgets.theme import ICON_SIZE
from smis_desktop.ui.window.actions import CommandActions
from smis_desktop.ui.window.document_controller import DocumentController

NUMBER_KEYS = "123456789"
"""The key in position n chooses the class in position n of the list."""
_SEARCH_FROM = 13
"""From this number of classes on there is a search field."""


class PaletteDock(QDockWidget):
    """Chooses the class to paint, and edits, adds and preserves classes."""

    class_chosen = Signal(int)
    """The class id that is now current."""
    menu_opened = Signal(QMenu, object)
    """The menu of classes is about to be shown, for the ids of a frozenset: others can add to it."""

    def __init__(self, controller: DocumentController, commands: CommandActions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTitleBarWidget(QWidget())  # the pane has a heading of its own
        self.setMinimumWidth(216)
        self._controller, self._commands = controller, commands
        self._is_filling = False
        self._fidelity: LayoutFidelity | None = None
        self._frozen: frozenset[int] = frozenset()
        self._search = QLineEdit()
        self._search.setPlaceholderText(self.tr("Search classes"))
        self._search.setAccessibleName(self.tr("Search classes"))
        self._search.setClearButtonEnabled(True)
        self._search.textChanged.connect(self._filter)
        self._search.returnPressed.connect(self._choose_first_found)
        self._search.hide()

        self.list = ClassList()
        self.list.setAccessibleName(self.tr("Classes to paint with"))
        self.list.setItemDelegate(ClassDelegate(self.list))
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.list.currentItemChanged.connect(self._emit_choice)
        self.list.itemChanged.connect(self._rename)
        self.list.swatch_double_clicked.connect(self.ask_color)
        self.list.lock_clicked.connect(self.toggle_preserved)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._show_menu)

        body = QWidget()
        inner = QVBoxLayout(body)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(0)
        search_row = QWidget()
        row = QHBoxLayout(search_row)
        row.setContentsMargins(10, 0, 10, 6)
        row.addWidget(self._search)
        self._search_row = search_row
        search_row.hide()
        inner.addWidget(search_row)
        inner.addWidget(self.list)
        self._pane = Pane(self.tr("Classes"), body, self._buttons())
        margin = QWidget()
        column = QVBoxLayout(margin)
        column.setContentsMargins(8, 0, 0, 8)
        column.addWidget(self._pane)
        self.setWidget(margin)
        controller.palette_changed.connect(self._follow_document)
        controller.settings_changed.connect(self._show_preserved)

    def set_palette(self, palette: Palette) -> None:
        """Show these classes. The current one stays; without one, the first after the background becomes current."""
        chosen, self._fidelity = self.current_class_id, None
        self._is_filling = True
        self.list.clear()
        for row, semantic_class in enumerate(palette.classes):
            item = QListWidgetItem(semantic_class.name)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
            item.setData(COLOR, QColor(*semantic_class.color))
            item.setData(CLASS_ID, semantic_class.class_id)
            key = NUMBER_KEYS[row] if row < len(NUMBER_KEYS) else ""
            item.setData(KEY, key)
            tip = self.tr("{name} (class {class_id})").format(
                name=semantic_class.name, class_id=semantic_class.class_id
            )
            item.setToolTip(tip + (self.tr(" · key {key}").format(key=key) if key else ""))
            self.list.addItem(item)
        self._is_filling = False
        self._search_row.setVisible(palette.num_classes >= _SEARCH_FROM)
        self._search.setVisible(palette.num_classes >= _SEARCH_FROM)
        self._search.clear()
        self._show_preserved()
        self._show_facts()
        self._pane.set_detail(str(palette.num_classes))
        if chosen is None or not self.choose_class(chosen):
            self.choose_row(min(1, palette.num_classes - 1))

    def show_followed(self, fidelity: LayoutFidelity) -> None:
        """Show how well the photograph follows each class: as a bar in the row, and in words in the tooltip."""
        self._fidelity = fidelity
        self._show_facts()

    def show_frozen(self, class_ids: frozenset[int]) -> None:
        """Mark the classes whose look never changes, in the row and in the tooltip."""
        if class_ids != self._frozen:
            self._frozen = class_ids
            self._show_facts()

    def choose_row(self, row: int) -> None:
        """Make the class at that position current, if there is one."""
        if 0 <= row < self.list.count():
            self.list.setCurrentRow(row)

    def choose_class(self, class_id: int) -> bool:
        """Make the class with that id current. Returns whether there is one."""
        for row in range(self.list.count()):
            if self.list.item(row).data(CLASS_ID) == class_id:
                self.list.setCurrentRow(row)
                return True
        return False

    @property
    def current_class_id(self) -> int | None:
        """The chosen class id; None while no palette is known."""
        item = self.list.currentItem()
        return None if item is None else int(item.data(CLASS_ID))

    def add_class(self) -> None:
        """Add a class, and open an editor for its name."""
        document = self._controller.document
        if document is None:
            return
        number = document.palette.num_classes + 1
        color = default_color(max((*document.palette.class_ids, -1)) + 1 if number < 200 else 0)
        if self._controller.do(lambda editor: editor.add_class(self.tr("class {n}").format(n=number), color)):
            self.list.setCurrentRow(self.list.count() - 1)
            self.list.editItem(self.list.item(self.list.count() - 1))

    def ask_color(self, class_id: int) -> None:
        """Ask for the class's colour."""
        document = self._controller.document
        if document is None:
            return
        dialog = QColorDialog(QColor(*document.palette.by_id(class_id).color), self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

        def take(color: QColor) -> None:
            rgb = (color.red(), color.green(), color.blue())
            self._controller.do(lambda editor: editor.recolor_class(class_id, rgb))

        dialog.colorSelected.connect(take)
        dialog.open()

    def toggle_preserved(self, class_id: int) -> None:
        """Preserve that class from being painted over, or stop preserving it."""
        editor = self._controller.editor
        if editor is not None:
            self._controller.set_preserved(editor.preserved ^ {class_id})

    def _buttons(self) -> QWidget:
        foot = QWidget()
        row = QHBoxLayout(foot)
        row.setContentsMargins(8, 0, 8, 0)
        row.setSpacing(2)
        for name, icon in (("classes.swap", ""), ("classes.add", "")):
            button = QToolButton()
            button.setDefaultAction(self._commands[name])
            button.setText({"classes.swap": self.tr("Swap"), "classes.add": self.tr("Add class")}[name] + icon)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
            button.setIconSize(ICON_SIZE)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            row.addWidget(button)
        row.addStretch(1)
        return foot

    def _follow_document(self) -> None:
        if self._controller.document is not None:
            self.set_palette(self._controller.document.palette)

    def _show_preserved(self) -> None:
        preserved = self._controller.editor.preserved if self._controller.editor else frozenset()
        self._is_filling = True
        for row in range(self.list.count()):
            item = self.list.item(row)
            item.setData(PRESERVED, item.data(CLASS_ID) in preserved)
        self._is_filling = False

    def _show_facts(self) -> None:
        """Show what is known of each class's look in the photograph."""
        self._is_filling = True
        for row in range(self.list.count()):
            item = self.list.item(row)
            class_id = int(item.data(CLASS_ID))
            value = None if self._fidelity is None else self._fidelity.by_class.get(class_id)
            item.setData(FOLLOWED, value)
            item.setData(FROZEN, class_id in self._frozen)
            tip = [str(item.data(Qt.ItemDataRole.ToolTipRole)).split("\n")[0]]
            if value is not None:
                words = self.tr("The photograph follows {percent} % of it, as judged by the model.")
                tip.append(words.format(percent=round(100 * value)))
            elif self._fidelity is not None and class_id in self._fidelity.too_thin:
                tip.append(self.tr("Painted too thinly to tell whether the photograph follows it."))
            if class_id in self._frozen:
                tip.append(self.tr("Its look is frozen: the photograph never changes it, whatever the style."))
            item.setToolTip("\n".join(tip))
        self._is_filling = False

    def _emit_choice(self, item: QListWidgetItem | None) -> None:
        if item is not None and not self._is_filling:
            self.class_chosen.emit(int(item.data(CLASS_ID)))

    def _rename(self, item: QListWidgetItem) -> None:
        if not self._is_filling:
            class_id, name = int(item.data(CLASS_ID)), item.text()
            if self._controller.do(lambda editor: editor.rename_class(class_id, name)) is None:
                self._follow_document()

    def _filter(self, text: str) -> None:
        for row in range(self.list.count()):
            item = self.list.item(row)
            item.setHidden(text.casefold() not in item.text().casefold())

    def _choose_first_found(self) -> None:
        for row in range(self.list.count()):
            if not self.list.item(row).isHidden():
                self.list.setCurrentRow(row)
                self._search.clearFocus()
                return

    def _show_menu(self, at: QPoint) -> None:
        item = self.list.itemAt(at) or self.list.currentItem()
        if item is None or self._controller.document is None:
            return
        class_id = int(item.data(CLASS_ID))
        menu = QMenu(self.list)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(self.tr("Rename"), lambda: self.list.editItem(item))
        menu.addAction(self.tr("Change colour…"), lambda: self.ask_color(class_id))
        preserve = menu.addAction(self.tr("Preserve (never paint over it)"), lambda: self.toggle_preserved(class_id))
        preserve.setCheckable(True)
        preserve.setChecked(bool(item.data(PRESERVED)))
        self.menu_opened.emit(menu, self.list.chosen_ids)
        menu.popup(self.list.cursor().pos())

"""The list of classes: each with its colour, name, number key, and a lock that preserves it."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QDockWidget,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from smis_desktop.document.fidelity import LayoutFidelity
from smis_desktop.document.palette import Palette, default_color
from smis_desktop.ui.widgets.controls import Pane
from smis_desktop.ui.widgets.theme import ICON_SIZE, current_colors, plain_icon
from smis_desktop.ui.window.actions import CommandActions
from smis_desktop.ui.window.document_controller import DocumentController

NUMBER_KEYS = "123456789"
"""The key in position n chooses the class in position n of the list."""
_SEARCH_FROM = 13
"""From this number of classes on there is a search field."""

COLOR = Qt.ItemDataRole.UserRole
_CLASS_ID = Qt.ItemDataRole.UserRole + 1
_KEY = Qt.ItemDataRole.UserRole + 2
_PRESERVED = Qt.ItemDataRole.UserRole + 3
_FOLLOWED = Qt.ItemDataRole.UserRole + 4
"""How well the photograph follows the class, 0–1, or nothing."""


class PaletteDock(QDockWidget):
    """Chooses the class to paint, and edits, adds and preserves classes."""

    class_chosen = Signal(int)
    """The class id that is now current."""

    def __init__(self, controller: DocumentController, commands: CommandActions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTitleBarWidget(QWidget())  # the pane has a heading of its own
        self.setMinimumWidth(216)
        self._controller, self._commands = controller, commands
        self._is_filling = False
        self._search = QLineEdit()
        self._search.setPlaceholderText(self.tr("Search classes"))
        self._search.setAccessibleName(self.tr("Search classes"))
        self._search.setClearButtonEnabled(True)
        self._search.textChanged.connect(self._filter)
        self._search.returnPressed.connect(self._choose_first_found)
        self._search.hide()

        self.list = _ClassList()
        self.list.setAccessibleName(self.tr("Classes to paint with"))
        self.list.setItemDelegate(_ClassDelegate(self.list))
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
        chosen = self.current_class_id
        self._is_filling = True
        self.list.clear()
        for row, semantic_class in enumerate(palette.classes):
            item = QListWidgetItem(semantic_class.name)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
            item.setData(COLOR, QColor(*semantic_class.color))
            item.setData(_CLASS_ID, semantic_class.class_id)
            key = NUMBER_KEYS[row] if row < len(NUMBER_KEYS) else ""
            item.setData(_KEY, key)
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
        self._pane.set_detail(str(palette.num_classes))
        if chosen is None or not self.choose_class(chosen):
            self.choose_row(min(1, palette.num_classes - 1))

    def show_followed(self, fidelity: LayoutFidelity) -> None:
        """Show how well the photograph follows each class: as a bar in the row, and in words in the tooltip."""
        self._is_filling = True
        for row in range(self.list.count()):
            item = self.list.item(row)
            class_id = int(item.data(_CLASS_ID))
            value = fidelity.by_class.get(class_id)
            item.setData(_FOLLOWED, value)
            tip = str(item.data(Qt.ItemDataRole.ToolTipRole)).split("\n")[0]
            if value is not None:
                words = self.tr("The photograph follows {percent} % of it, as judged by the model.")
                tip += "\n" + words.format(percent=round(100 * value))
            elif class_id in fidelity.too_thin:
                tip += "\n" + self.tr("Painted too thinly to tell whether the photograph follows it.")
            item.setToolTip(tip)
        self._is_filling = False

    def choose_row(self, row: int) -> None:
        """Make the class at that position current, if there is one."""
        if 0 <= row < self.list.count():
            self.list.setCurrentRow(row)

    def choose_class(self, class_id: int) -> bool:
        """Make the class with that id current. Returns whether there is one."""
        for row in range(self.list.count()):
            if self.list.item(row).data(_CLASS_ID) == class_id:
                self.list.setCurrentRow(row)
                return True
        return False

    @property
    def current_class_id(self) -> int | None:
        """The chosen class id; None while no palette is known."""
        item = self.list.currentItem()
        return None if item is None else int(item.data(_CLASS_ID))

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
            item.setData(_PRESERVED, item.data(_CLASS_ID) in preserved)
        self._is_filling = False

    def _emit_choice(self, item: QListWidgetItem | None) -> None:
        if item is not None and not self._is_filling:
            self.class_chosen.emit(int(item.data(_CLASS_ID)))

    def _rename(self, item: QListWidgetItem) -> None:
        if not self._is_filling:
            class_id, name = int(item.data(_CLASS_ID)), item.text()
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

    def _show_menu(self) -> None:
        item = self.list.currentItem()
        if item is None or self._controller.document is None:
            return
        class_id = int(item.data(_CLASS_ID))
        menu = QMenu(self.list)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(self.tr("Rename"), lambda: self.list.editItem(item))
        menu.addAction(self.tr("Change colour…"), lambda: self.ask_color(class_id))
        preserve = menu.addAction(self.tr("Preserve (never paint over it)"), lambda: self.toggle_preserved(class_id))
        preserve.setCheckable(True)
        preserve.setChecked(bool(item.data(_PRESERVED)))
        menu.popup(self.list.cursor().pos())


class _ClassList(QListWidget):
    """The list; its swatches can be double-clicked, its locks clicked."""

    swatch_double_clicked = Signal(int)
    lock_clicked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = event.position().toPoint()
        item = self.itemAt(at)
        is_left = event.button() == Qt.MouseButton.LeftButton
        if item is not None and is_left and _lock_rect(self.visualItemRect(item)).contains(at):
            self.lock_clicked.emit(int(item.data(_CLASS_ID)))
            return
        super().mousePressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        at = event.position().toPoint()
        item = self.itemAt(at)
        if item is None:
            return
        row = self.visualItemRect(item)
        if _swatch_rect(row).contains(at):
            self.swatch_double_clicked.emit(int(item.data(_CLASS_ID)))
        elif not _lock_rect(row).contains(at):
            self.editItem(item)


class _ClassDelegate(QStyledItemDelegate):
    """Draws a row: swatch, name, number key, and the lock of preserved classes."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(160, 33)

    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        editor.setGeometry(_name_rect(option.rect).adjusted(-4, 2, 0, -2))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        colors = current_colors()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        row = QRectF(option.rect).adjusted(5, 2, -5, -2)
        is_current = bool(option.state & QStyle.StateFlag.State_Selected)
        is_hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        if is_current:
            painter.setPen(QPen(QColor(colors.accent_line), 1))
            painter.setBrush(QColor(colors.accent_soft))
            painter.drawRoundedRect(row.adjusted(0.5, 0.5, -0.5, -0.5), 7, 7)
        elif is_hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.raised))
            painter.drawRoundedRect(row, 7, 7)

        painter.setPen(QPen(QColor(128, 128, 128, 120), 1))
        painter.setBrush(index.data(COLOR))
        painter.drawRoundedRect(QRectF(_swatch_rect(option.rect)).adjusted(3.5, 3.5, -3.5, -3.5), 5, 5)

        font = QFont(option.font)
        font.setWeight(QFont.Weight.DemiBold if is_current else QFont.Weight.Normal)
        painter.setFont(font)
        painter.setPen(QColor(colors.text))
        words = _name_rect(option.rect)
        name = painter.fontMetrics().elidedText(
            str(index.data(Qt.ItemDataRole.DisplayRole)), Qt.TextElideMode.ElideRight, words.width()
        )
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)
        self._draw_key(painter, option.rect, str(index.data(_KEY) or ""), font, is_current)
        self._draw_hint(painter, option.rect, index.data(_FOLLOWED))
        preserved = bool(index.data(_PRESERVED))
        if preserved or is_hovered:
            icon = plain_icon("lock" if preserved else "unlock", colors.accent if preserved else colors.faint)
            icon.paint(painter, _lock_rect(option.rect).adjusted(3, 3, -3, -3))
        painter.restore()

    def _draw_hint(self, painter: QPainter, row: QRect, followed: object) -> None:
        """Draw a bar under the name: its length is the share of the class that the photograph follows."""
        if not isinstance(followed, float):
            return
        words = _name_rect(row)
        track = QRectF(words.left(), row.bottom() - 6, min(words.width(), 64), 2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.fillRect(track, QColor(current_colors().hover))
        track.setWidth(track.width() * followed)
        painter.fillRect(track, QColor(current_colors().muted))

    def _draw_key(self, painter: QPainter, row: QRect, key: str, font: QFont, is_current: bool) -> None:
        font.setWeight(QFont.Weight.Normal)
        font.setPixelSize(11)
        painter.setFont(font)
        painter.setPen(QColor(current_colors().accent if is_current else current_colors().muted))
        painter.drawText(QRectF(row.right() - 30, row.center().y() - 9, 18, 18), Qt.AlignmentFlag.AlignCenter, key)


def _swatch_rect(row: QRect) -> QRect:
    return QRect(row.left() + 10, row.center().y() - 12, 25, 25)


def _lock_rect(row: QRect) -> QRect:
    return QRect(row.right() - 56, row.center().y() - 12, 24, 24)


def _name_rect(row: QRect) -> QRect:
    return QRect(row.left() + 44, row.top(), row.width() - 44 - 60, row.height())

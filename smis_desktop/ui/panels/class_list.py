"""The list of classes: each row with its colour, name, number key, and the marks of what is preserved or frozen."""

from __future__ import annotations

from PySide6.QtCore import (
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from smis_desktop.ui.widgets.theme import current_colors, plain_icon

COLOR = Qt.ItemDataRole.UserRole
CLASS_ID = Qt.ItemDataRole.UserRole + 1
KEY = Qt.ItemDataRole.UserRole + 2
PRESERVED = Qt.ItemDataRole.UserRole + 3
"""Whether painting leaves the class where it is."""
FOLLOWED = Qt.ItemDataRole.UserRole + 4
"""How well the photograph follows the class, 0–1, or nothing."""
FROZEN = Qt.ItemDataRole.UserRole + 5
"""Whether the photograph never changes how the class looks."""


class ClassList(QListWidget):
    """The list; its swatches can be double-clicked, its marks clicked.

    The current row is the class to paint with. Where `selects_several` is set, Ctrl and a click choose another row, or
    no longer; Shift and a click all rows up to there. The current row stays what it is.
    """

    swatch_double_clicked = Signal(int)
    lock_clicked = Signal(int)
    frozen_clicked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.selects_several = False
        self._chooses_nothing = False
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    @property
    def chosen_ids(self) -> frozenset[int]:
        """The ids of the current class and of all that were chosen with it."""
        rows = (self.item(row) for row in range(self.count()))
        current = self.currentRow()
        return frozenset(
            int(item.data(CLASS_ID)) for row, item in enumerate(rows) if item.isSelected() or row == current
        )

    def mousePressEvent(self, event: QMouseEvent) -> None:
        item = self.itemAt(event.position().toPoint())
        if event.button() == Qt.MouseButton.LeftButton:
            self._chooses_nothing = item is not None and self._press(item, event)
        else:  # the menu is of all chosen classes
            self._chooses_nothing = item is not None and item.isSelected()
        if not self._chooses_nothing:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if not self._chooses_nothing:  # else Qt would choose the rows that it passes
            super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._chooses_nothing = False
        super().mouseReleaseEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        at = event.position().toPoint()
        item = self.itemAt(at)
        if item is None:
            return
        row = self.visualItemRect(item)
        if _swatch_rect(row).contains(at):
            self.swatch_double_clicked.emit(int(item.data(CLASS_ID)))
        elif not _is_on_mark(item, row, at):
            self.editItem(item)

    def _press(self, item: QListWidgetItem, event: QMouseEvent) -> bool:
        """Handle a press that chooses no class to paint with. Returns whether it was one."""
        at, row, class_id = event.position().toPoint(), self.visualItemRect(item), int(item.data(CLASS_ID))
        if _lock_rect(row).contains(at):
            self.lock_clicked.emit(class_id)
        elif _is_on_mark(item, row, at):
            self.frozen_clicked.emit(class_id)
        elif self.selects_several and event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._choose_up_to(item)
        elif self.selects_several and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._choose_also(self.row(item), item.isSelected() and self.row(item) != self.currentRow())
        else:
            return False
        return True

    def _choose_up_to(self, item: QListWidgetItem) -> None:
        first, last = sorted((self.currentRow(), self.row(item)))
        for row in range(self.count()):
            self._choose_also(row, leaves=not first <= row <= last or self.item(row).isHidden())

    def _choose_also(self, row: int, leaves: bool) -> None:
        # Of the model, because a list in which one row is current at a time would choose nothing else.
        command = QItemSelectionModel.SelectionFlag
        self.selectionModel().select(self.indexFromItem(self.item(row)), command.Deselect if leaves else command.Select)


class ClassDelegate(QStyledItemDelegate):
    """Draws a row: swatch, name, number key, and the marks of preserved and of frozen classes."""

    def __init__(self, class_list: ClassList) -> None:
        super().__init__(class_list)
        self._list = class_list

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
        is_current = index.row() == self._list.currentRow()
        is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        is_hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        if is_current:
            painter.setPen(QPen(QColor(colors.accent_line), 1))
            painter.setBrush(QColor(colors.accent_soft))
            painter.drawRoundedRect(row.adjusted(0.5, 0.5, -0.5, -0.5), 7, 7)
        elif is_chosen or is_hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.accent_soft if is_chosen else colors.raised))
            painter.drawRoundedRect(row, 7, 7)

        painter.setPen(QPen(QColor(128, 128, 128, 120), 1))
        painter.setBrush(index.data(COLOR))
        painter.drawRoundedRect(QRectF(_swatch_rect(option.rect)).adjusted(3.5, 3.5, -3.5, -3.5), 5, 5)

        font = QFont(option.font)
        font.setWeight(QFont.Weight.DemiBold if is_current else QFont.Weight.Normal)
        painter.setFont(font)
        painter.setPen(QColor(colors.text))
        is_frozen = bool(index.data(FROZEN))
        words = _name_rect(option.rect, is_frozen)
        name = painter.fontMetrics().elidedText(
            str(index.data(Qt.ItemDataRole.DisplayRole)), Qt.TextElideMode.ElideRight, words.width()
        )
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)
        self._draw_key(painter, option.rect, str(index.data(KEY) or ""), font, is_current)
        self._draw_hint(painter, option.rect, index.data(FOLLOWED))
        preserved = bool(index.data(PRESERVED))
        if preserved or is_hovered:
            icon = plain_icon("lock" if preserved else "unlock", colors.accent if preserved else colors.faint)
            icon.paint(painter, _lock_rect(option.rect).adjusted(3, 3, -3, -3))
        if is_frozen:
            plain_icon("freeze", colors.accent).paint(painter, _frozen_rect(option.rect).adjusted(3, 3, -3, -3))
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


def _frozen_rect(row: QRect) -> QRect:
    return QRect(row.right() - 80, row.center().y() - 12, 24, 24)


def _name_rect(row: QRect, is_frozen: bool = False) -> QRect:
    return QRect(row.left() + 44, row.top(), row.width() - 44 - (84 if is_frozen else 60), row.height())


def _is_on_mark(item: QListWidgetItem, row: QRect, at: QPoint) -> bool:
    return _lock_rect(row).contains(at) or (bool(item.data(FROZEN)) and _frozen_rect(row).contains(at))

"""One row of the list of classes: swatch, name, number key, and the lock that preserves."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListWidget,
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
FOLLOWED = Qt.ItemDataRole.UserRole + 4
"""How well the photograph follows the class, 0–1, or nothing."""


class ClassList(QListWidget):
    """Its swatches can be double-clicked, its locks clicked."""

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
            self.lock_clicked.emit(int(item.data(CLASS_ID)))
            return
        super().mousePressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        at = event.position().toPoint()
        item = self.itemAt(at)
        if item is None:
            return
        row = self.visualItemRect(item)
        if _swatch_rect(row).contains(at):
            self.swatch_double_clicked.emit(int(item.data(CLASS_ID)))
        elif not _lock_rect(row).contains(at):
            self.editItem(item)


class ClassDelegate(QStyledItemDelegate):
    """Draws a row."""

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
        self._draw_key(painter, option.rect, str(index.data(KEY) or ""), font, is_current)
        self._draw_hint(painter, option.rect, index.data(FOLLOWED))
        preserved = bool(index.data(PRESERVED))
        if preserved or is_hovered:
            icon = plain_icon("lock" if preserved else "unlock", colors.accent if preserved else colors.faint)
            icon.paint(painter, _lock_rect(option.rect).adjusted(3, 3, -3, -3))
        painter.restore()

    def _draw_hint(self, painter: QPainter, row: QRect, followed: object) -> None:
        """A bar under the name, as long as the class is followed."""
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

"""The classes to paint with: colour, name and number key of each."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDockWidget,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from smis_desktop.labels.palette import Palette
from smis_desktop.ui.pane import Pane
from smis_desktop.ui.theme import current_colors

NUMBER_KEYS = "123456789"
"""The key in position n chooses the class in position n of the list."""

_COLOR_ROLE = Qt.ItemDataRole.UserRole
_ID_ROLE = Qt.ItemDataRole.UserRole + 1
_KEY_ROLE = Qt.ItemDataRole.UserRole + 2


class PaletteDock(QDockWidget):
    """A list to choose the class from that the brush paints."""

    class_chosen = Signal(int)
    """The class id that is now current."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("palette")
        self.setWindowTitle(self.tr("Classes"))
        self.setFeatures(QDockWidget.DockWidgetFeature.NoDockWidgetFeatures)
        self.setTitleBarWidget(QWidget())  # the pane has a heading of its own
        self.setMinimumWidth(196)

        self._list = QListWidget()
        self._list.setAccessibleName(self.tr("Classes to paint with"))
        self._list.setItemDelegate(_ClassDelegate(self._list))
        self._list.setMouseTracking(True)
        self._list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.currentItemChanged.connect(self._tell_choice)
        self._pane = Pane(self.tr("Classes"), self._list)

        margin = QWidget()
        column = QVBoxLayout(margin)
        column.setContentsMargins(14, 0, 0, 0)
        column.addWidget(self._pane)
        self.setWidget(margin)

    def set_palette(self, palette: Palette) -> None:
        """Show these classes; the first that is not the ground becomes current."""
        self._list.clear()
        for row, semantic_class in enumerate(palette.classes):
            item = QListWidgetItem(semantic_class.name)
            item.setData(_COLOR_ROLE, QColor(*semantic_class.color))
            item.setData(_ID_ROLE, semantic_class.class_id)
            key = NUMBER_KEYS[row] if row < len(NUMBER_KEYS) else ""
            item.setData(_KEY_ROLE, key)
            tip = self.tr("{name} (class {class_id})").format(
                name=semantic_class.name, class_id=semantic_class.class_id
            )
            item.setToolTip(tip + (self.tr(" · key {key}").format(key=key) if key else ""))
            self._list.addItem(item)
        self._pane.set_detail(str(palette.num_classes))
        self.choose_row(min(1, palette.num_classes - 1))

    def choose_row(self, row: int) -> None:
        """Make the class in that position current, if there is one."""
        if 0 <= row < self._list.count():
            self._list.setCurrentRow(row)

    @property
    def current_class_id(self) -> int | None:
        """The chosen class id; None as long as no palette is known."""
        item = self._list.currentItem()
        return None if item is None else int(item.data(_ID_ROLE))

    def _tell_choice(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.class_chosen.emit(int(item.data(_ID_ROLE)))


class _ClassDelegate(QStyledItemDelegate):
    """One row: swatch, name, and its key in a little cap."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(160, 38)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        colors = current_colors()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        row = QRectF(option.rect).adjusted(6, 2, -6, -2)
        state = option.state
        is_current = bool(state & QStyle.StateFlag.State_Selected)
        if is_current:
            painter.setPen(QPen(QColor(colors.accent_line), 1))
            painter.setBrush(QColor(colors.accent_soft))
            painter.drawRoundedRect(row.adjusted(0.5, 0.5, -0.5, -0.5), 7, 7)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.raised))
            painter.drawRoundedRect(row, 7, 7)

        swatch = QRectF(row.left() + 8, row.center().y() - 9, 18, 18)
        painter.setPen(QPen(QColor(255, 255, 255, 46), 1))
        painter.setBrush(index.data(_COLOR_ROLE))
        painter.drawRoundedRect(swatch.adjusted(0.5, 0.5, -0.5, -0.5), 5, 5)

        font = QFont(option.font)
        font.setWeight(QFont.Weight.DemiBold if is_current else QFont.Weight.Normal)
        painter.setFont(font)
        painter.setPen(QColor(colors.text))
        words = QRectF(swatch.right() + 11, row.top(), row.right() - swatch.right() - 44, row.height())
        name = painter.fontMetrics().elidedText(
            str(index.data(Qt.ItemDataRole.DisplayRole)), Qt.TextElideMode.ElideRight, int(words.width())
        )
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)

        if key := index.data(_KEY_ROLE):
            font.setWeight(QFont.Weight.Normal)
            font.setPixelSize(11)
            painter.setFont(font)
            painter.setPen(QColor(colors.accent if is_current else colors.muted))
            cap = QRectF(row.right() - 26, row.center().y() - 9, 18, 18)
            painter.drawText(cap, Qt.AlignmentFlag.AlignCenter, str(key))
        painter.restore()

"""The list of layers, topmost first: choose, reorder, rename, show, lock, add and merge them."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFont, QImage, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemDelegate,
    QAbstractItemView,
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

from smis_desktop.document.layers import Layer, layer_thumbnail
from smis_desktop.ui.widgets.controls import Pane
from smis_desktop.ui.widgets.qimage import rgba_to_qimage
from smis_desktop.ui.widgets.theme import ICON_SIZE, current_colors, plain_icon
from smis_desktop.ui.window.actions import CommandActions
from smis_desktop.ui.window.document_controller import DocumentController

_ID = Qt.ItemDataRole.UserRole
_VISIBLE = Qt.ItemDataRole.UserRole + 1
_LOCKED = Qt.ItemDataRole.UserRole + 2
_THUMBNAIL = Qt.ItemDataRole.UserRole + 3
_THUMBNAIL_SIDE = 34
_ROW_HEIGHT = 44


class LayersPanel(QDockWidget):
    """Lists the document's layers. Every change goes through the controller; the list shows the result."""

    def __init__(self, controller: DocumentController, commands: CommandActions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller, self._commands = controller, commands
        self._drawn: dict[int, Layer] = {}
        self.list = _LayerList()
        self.list.setAccessibleName(self.tr("Layers, topmost first"))
        self.list.setItemDelegate(_LayerDelegate(self.list))
        self.list.currentItemChanged.connect(self._activate)
        self.list.dropped.connect(self._reorder)
        self.list.eye_clicked.connect(self._toggle_visible)
        self.list.lock_clicked.connect(self._toggle_locked)
        self.list.itemChanged.connect(self._rename)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self._pane = Pane(self.tr("Layers"), self.list, self._buttons())
        margin = QWidget()
        column = QVBoxLayout(margin)
        column.setContentsMargins(8, 0, 0, 8)
        column.addWidget(self._pane)
        self.setWidget(margin)
        self._is_filling = False
        self._thumbnail_timer = QTimer(self)
        self._thumbnail_timer.setSingleShot(True)
        self._thumbnail_timer.setInterval(120)
        self._thumbnail_timer.timeout.connect(self._fill)
        controller.replaced.connect(self._fill)
        controller.palette_changed.connect(self._redraw)
        controller.layers_changed.connect(self._follow)
        controller.stroke_ended.connect(self._thumbnail_timer.start)

    def edit_name(self) -> None:
        """Open an editor for the active layer's name."""
        item = self.list.currentItem()
        if item is not None:
            self.list.editItem(item)

    def _buttons(self) -> QWidget:
        foot = QWidget()
        row = QHBoxLayout(foot)
        row.setContentsMargins(8, 0, 8, 0)
        row.setSpacing(2)
        for name in ("add", "duplicate", "merge", "delete"):
            button = QToolButton()
            button.setDefaultAction(self._commands[f"layers.{name}"])
            button.setIconSize(ICON_SIZE)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            row.addWidget(button)
        row.addStretch(1)
        return foot

    def _follow(self) -> None:
        """Show names and order at once, thumbnails after a pause."""
        document = self._controller.document
        if document is None:
            return
        shown = [self.list.item(row).data(_ID) for row in range(self.list.count())]
        wanted = [entry.layer_id for entry in reversed(document.structure.entries)]
        if shown == wanted and self._properties_are_shown():
            self._thumbnail_timer.start()
        else:
            self._fill()

    def _properties_are_shown(self) -> bool:
        document = self._controller.document
        assert document is not None
        item = self.list.currentItem()
        if item is None or item.data(_ID) != document.active_id:
            return False
        rows = [self.list.item(row) for row in range(self.list.count())]
        entries = {entry.layer_id: entry for entry in document.structure.entries}
        return all(
            (row.text(), row.data(_VISIBLE), row.data(_LOCKED))
            == (entries[row.data(_ID)].name, entries[row.data(_ID)].visible, entries[row.data(_ID)].locked)
            for row in rows
        )

    def _redraw(self) -> None:
        self._drawn.clear()
        self._fill()

    def _fill(self) -> None:
        document = self._controller.document
        if (
            document is None
            or self.list.state() == QAbstractItemView.State.EditingState
            or self._controller.is_painting
        ):
            if document is not None:
                self._thumbnail_timer.start()
            return
        self._is_filling = True
        layers = document.layers
        while self.list.count() > len(layers):
            self.list.takeItem(self.list.count() - 1)
        for row, layer in enumerate(reversed(layers)):
            if row == self.list.count():
                self.list.addItem(QListWidgetItem())
            item = self.list.item(row)
            if item.data(_ID) == layer.layer_id and self._drawn.get(layer.layer_id) is layer:
                continue
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable | Qt.ItemFlag.ItemIsDragEnabled)
            item.setText(layer.name)
            item.setData(_ID, layer.layer_id)
            item.setData(_VISIBLE, layer.visible)
            item.setData(_LOCKED, layer.locked)
            rgba = layer_thumbnail(layer, document.size, _THUMBNAIL_SIDE * 2, document.palette.color_table)
            item.setData(_THUMBNAIL, rgba_to_qimage(rgba))
            states = [self.tr("visible") if layer.visible else self.tr("hidden")]
            if layer.locked:
                states.append(self.tr("locked"))
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{layer.name}, {', '.join(states)}")
            self._drawn[layer.layer_id] = layer
        self._drawn = {layer.layer_id: self._drawn[layer.layer_id] for layer in layers}
        active = len(layers) - 1 - document.structure.index(document.active_id)
        self.list.setCurrentRow(active)
        self._pane.set_detail(str(len(layers)))
        self._is_filling = False

    def _activate(self, item: QListWidgetItem | None) -> None:
        if item is not None and not self._is_filling:
            self._controller.activate_layer(int(item.data(_ID)))

    def _rename(self, item: QListWidgetItem) -> None:
        if not self._is_filling:
            layer_id, name = int(item.data(_ID)), item.text()
            if self._controller.do(lambda editor: editor.rename_layer(layer_id, name)) is None:
                self._redraw()

    def _reorder(self, layer_id: int, row: int) -> None:
        index = self.list.count() - 1 - row
        if self._controller.do(lambda editor: editor.reorder_layer(layer_id, index)) is None:
            self._redraw()

    def _toggle_visible(self, layer_id: int) -> None:
        document = self._controller.document
        if document is not None:
            visible = not document.entry(layer_id).visible
            self._controller.do(lambda editor: editor.set_visible(layer_id, visible))

    def _toggle_locked(self, layer_id: int) -> None:
        document = self._controller.document
        if document is not None:
            locked = not document.entry(layer_id).locked
            self._controller.do(lambda editor: editor.set_locked(layer_id, locked))

    def _show_menu(self) -> None:
        menu = QMenu(self.list)
        for name in ("rename", "duplicate", "merge", "flip", "clear", "delete"):
            menu.addAction(self._commands[f"layers.{name}"])
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.list.cursor().pos())


class _LayerList(QListWidget):
    """Rows with an eye and a lock to click; dragging reorders them."""

    dropped = Signal(int, int)
    """Layer id, and the row where it was dropped."""
    eye_clicked = Signal(int)
    lock_clicked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setMouseTracking(True)
        self.model().rowsMoved.connect(self._emit_move)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        item = self.itemAt(event.position().toPoint())
        if item is not None and event.button() == Qt.MouseButton.LeftButton:
            row = self.visualItemRect(item)
            if eye_rect(row).contains(event.position().toPoint()):
                self.eye_clicked.emit(int(item.data(_ID)))
                return
            if lock_rect(row).contains(event.position().toPoint()):
                self.lock_clicked.emit(int(item.data(_ID)))
                return
        super().mousePressEvent(event)

    def _emit_move(self, _parent: QModelIndex, start: int, _end: int, _to: QModelIndex, row: int) -> None:
        landed = row - 1 if row > start else row
        item = self.item(landed)
        if item is not None:
            layer_id = int(item.data(_ID))
            # Not during the drop: the list is filled again in response.
            QTimer.singleShot(0, self, lambda: self.dropped.emit(layer_id, landed))


def eye_rect(row: QRect) -> QRect:
    """Return the rectangle of a row's eye."""
    return QRect(row.left() + 8, row.center().y() - 12, 24, 24)


def lock_rect(row: QRect) -> QRect:
    """Return the rectangle of a row's lock."""
    return QRect(row.right() - 34, row.center().y() - 12, 24, 24)


class _LayerDelegate(QStyledItemDelegate):
    """Draws a row: eye, thumbnail, name, lock."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(160, _ROW_HEIGHT)

    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        editor.setGeometry(_name_rect(option.rect).adjusted(-4, 6, 0, -6))

    def eventFilter(self, editor: QObject, event: QEvent) -> bool:
        # Keep what was typed when the field loses the focus.
        if isinstance(editor, QLineEdit) and event.type() == QEvent.Type.FocusOut:
            self.commitData.emit(editor)
            self.closeEditor.emit(editor, QAbstractItemDelegate.EndEditHint.NoHint)
            return False
        return bool(super().eventFilter(editor, event))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        colors = current_colors()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        row = QRectF(option.rect).adjusted(5, 2, -5, -2)
        is_current = bool(option.state & QStyle.StateFlag.State_Selected)
        if is_current:
            painter.setPen(QPen(QColor(colors.accent_line), 1))
            painter.setBrush(QColor(colors.accent_soft))
            painter.drawRoundedRect(row.adjusted(0.5, 0.5, -0.5, -0.5), 7, 7)
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.raised))
            painter.drawRoundedRect(row, 7, 7)
        visible, locked = bool(index.data(_VISIBLE)), bool(index.data(_LOCKED))
        eye = "eye" if visible else "eye_off"
        plain_icon(eye, colors.text if visible else colors.faint).paint(painter, eye_rect(option.rect))
        lock = "lock" if locked else "unlock"
        plain_icon(lock, colors.accent if locked else colors.faint).paint(painter, lock_rect(option.rect))
        self._draw_thumbnail(painter, option.rect, index.data(_THUMBNAIL))
        font = QFont(option.font)
        font.setWeight(QFont.Weight.DemiBold if is_current else QFont.Weight.Normal)
        painter.setFont(font)
        painter.setPen(QColor(colors.text if visible else colors.muted))
        words = _name_rect(option.rect)
        name = painter.fontMetrics().elidedText(
            str(index.data(Qt.ItemDataRole.DisplayRole)), Qt.TextElideMode.ElideRight, words.width()
        )
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)
        painter.restore()

    def _draw_thumbnail(self, painter: QPainter, row: QRect, thumbnail: object) -> None:
        place = QRectF(row.left() + 38, row.center().y() - _THUMBNAIL_SIDE / 2, _THUMBNAIL_SIDE, _THUMBNAIL_SIDE)
        painter.fillRect(place, QColor(100, 103, 109))
        if isinstance(thumbnail, QImage):
            painter.drawImage(place, thumbnail)
        painter.setPen(QPen(QColor(current_colors().border), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(place)


def _name_rect(row: QRect) -> QRect:
    return QRect(row.left() + 84, row.top(), row.width() - 84 - 40, row.height())

"""The strip of kept pictures: each keeps its layout and style, and a click restores them."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QListView, QListWidget, QListWidgetItem, QMenu, QWidget

from smis_desktop.formats.project import KeptPicture

_SIDE = 64


class PreviewHistory(QListWidget):
    """Shows the newest picture at the right end; hidden while it is empty."""

    returned = Signal(KeptPicture)
    """A picture was clicked: return to its layout and style."""
    changed = Signal()
    """Pictures were added or removed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("history")
        self.setAccessibleName(self.tr("Kept pictures"))
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setMovement(QListView.Movement.Static)
        self.setIconSize(QSize(_SIDE, _SIDE))
        self.setFixedHeight(_SIDE + 26)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._show_menu)
        self.itemActivated.connect(self._return)
        self.itemClicked.connect(self._return)
        self._kept: list[KeptPicture] = []
        self.hide()

    @property
    def kept(self) -> tuple[KeptPicture, ...]:
        """Kept pictures, oldest first."""
        return tuple(self._kept)

    @property
    def last_picture(self) -> QImage | None:
        """The picture that was kept last."""
        return QImage.fromData(self._kept[-1].png) if self._kept else None

    def show_kept(self, kept: tuple[KeptPicture, ...]) -> None:
        """Show the kept pictures of a project that was opened."""
        self._kept = []
        self.clear()
        for picture in kept:
            self._add(picture)
        self.setVisible(bool(self._kept))

    def keep(self, picture: KeptPicture) -> None:
        """Add a picture."""
        self._add(picture)
        self.show()
        self.scrollToItem(self.item(self.count() - 1))
        self.changed.emit()

    def _add(self, picture: KeptPicture) -> None:
        self._kept.append(picture)
        item = QListWidgetItem()
        item.setIcon(QIcon(QPixmap.fromImage(QImage.fromData(picture.png))))
        item.setToolTip(self.tr("Kept picture {n}: click to return to its layout and style").format(n=len(self._kept)))
        item.setData(Qt.ItemDataRole.AccessibleTextRole, self.tr("Kept picture {n}").format(n=len(self._kept)))
        self.addItem(item)

    def _return(self, item: QListWidgetItem) -> None:
        self.returned.emit(self._kept[self.row(item)])

    def _show_menu(self) -> None:
        if not self.selectedItems():
            return
        item = self.currentItem()
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(self.tr("Return to this picture"), lambda: self._return(item))
        menu.addAction(self.tr("Remove"), lambda: self._remove(self.row(item)))
        menu.popup(self.cursor().pos())

    def _remove(self, row: int) -> None:
        del self._kept[row]
        self.takeItem(row)
        self.setVisible(bool(self._kept))
        self.changed.emit()

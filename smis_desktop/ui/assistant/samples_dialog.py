"""An endless list of the generator's own pictures, to pick shots from."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QColor, QIcon, QPixmap, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from smis_desktop.ui.widgets.controls import PercentSlider, PictureList
from smis_desktop.ui.widgets.qimage import picture_to_qimage
from smis_desktop.ui.widgets.theme import current_colors
from smis_desktop.workers.shot_messages import SampleShown

_SIDE = 128
_MORE = 15


class SamplesDialog(QDialog):
    """Emits `wanted` until the view is full and whenever it is scrolled to its end; emits `picked` with the chosen
    pictures."""

    wanted = Signal(tuple, float)
    picked = Signal(list)
    """A list of `SampleShown`."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Pictures of the generator"))
        self._pictures: dict[int, SampleShown] = {}
        self._truncation = 0.8
        self._num_requested = 0
        self.list = PictureList(
            self.tr("Generated pictures"), _SIDE, (10, 12), QAbstractItemView.SelectionMode.MultiSelection
        )
        # Delayed until the list has laid out its pictures, when the scroll bar has its range.
        self._check_timer = QTimer(self)
        self._check_timer.setSingleShot(True)
        self._check_timer.setInterval(0)
        self._check_timer.timeout.connect(self._request_at_end)
        self.list.verticalScrollBar().valueChanged.connect(lambda _: self._check_timer.start())
        self.list.itemSelectionChanged.connect(self._count)
        self.truncation = PercentSlider(
            self.tr("Variety"), self.tr("Low: average pictures; high: unusual ones with more mistakes")
        )
        self.truncation.show_fraction(self._truncation)
        self.truncation.moved.connect(self._change_truncation)
        self._restart_timer = QTimer(self)
        self._restart_timer.setSingleShot(True)
        self._restart_timer.setInterval(250)
        self._restart_timer.timeout.connect(self._restart)
        self._words = QLabel()
        self._words.setProperty("role", "muted")
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self._take)
        self.buttons.rejected.connect(self.reject)
        foot = QHBoxLayout()
        foot.addWidget(self.truncation, 1)
        foot.addWidget(self._words)
        foot.addWidget(self.buttons)
        column = QVBoxLayout(self)
        column.addWidget(self.list, 1)
        column.addLayout(foot)
        self.resize(5 * (_SIDE + 10) + 50, 620)
        self._count()

    def start(self) -> None:
        """Requests the first pictures."""
        self._request()

    def show_picture(self, picture: SampleShown) -> None:
        """Shows a requested picture."""
        if picture.truncation != self._truncation or picture.seed >= self._num_requested:
            return  # requested before the slider moved
        self._pictures[picture.seed] = picture
        self.list.item(picture.seed).setIcon(QIcon(QPixmap.fromImage(picture_to_qimage(picture.picture))))
        self._check_timer.start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._check_timer.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._check_timer.start()

    def _request(self) -> None:
        seeds = tuple(range(self._num_requested, self._num_requested + _MORE))
        self._num_requested += _MORE
        blank = QPixmap(_SIDE, _SIDE)
        blank.fill(QColor(current_colors().raised))
        for seed in seeds:
            item = QListWidgetItem(QIcon(blank), "")
            item.setToolTip(self.tr("Seed {seed}").format(seed=seed))
            self.list.addItem(item)
        self.wanted.emit(seeds, self._truncation)

    def _request_at_end(self) -> None:
        """Requests more where less than a row is left below, while the dialog is visible and the last request is being
        answered."""
        bar = self.list.verticalScrollBar()
        is_at_end = bar.value() >= bar.maximum() - _SIDE
        if is_at_end and self.isVisible() and len(self._pictures) > self._num_requested - _MORE:
            self._request()

    def _change_truncation(self, fraction: float) -> None:
        self._truncation = fraction
        self._restart_timer.start()

    def _restart(self) -> None:
        self._pictures.clear()
        self.list.clear()
        self._num_requested = 0
        self._request()

    def _count(self) -> None:
        count = len(self.list.selectedItems())
        self._words.setText(
            self.tr("Chosen: {count}").format(count=count) if count else self.tr("Click the pictures to label")
        )
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(count > 0)

    def _take(self) -> None:
        rows = sorted(self.list.row(item) for item in self.list.selectedItems())
        self.picked.emit([self._pictures[row] for row in rows if row in self._pictures])
        self.accept()

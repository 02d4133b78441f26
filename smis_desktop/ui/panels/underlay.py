"""The underlay: the preview or a photo, shown under or over the layout."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QImage, QImageReader
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSlider, QWidget

from smis_desktop.ui.canvas.canvas import Canvas
from smis_desktop.ui.canvas.drawing import UnderlayMode
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs, photo_filter
from smis_desktop.ui.window.preview_controller import PreviewController

_CHOICES: dict[str, tuple[str, UnderlayMode]] = {
    "none": ("", "off"),
    "picture-under": ("picture", "under"),
    "picture-over": ("picture", "over"),
    "photo-under": ("photo", "under"),
    "photo-over": ("photo", "over"),
}


class UnderlayBar(QWidget):
    """Chooses what to show, the preview or a photo, and its opacity."""

    photo_wanted = Signal()
    """A photo was chosen as underlay, but none is open yet."""

    def __init__(self, canvas: Canvas, preview: PreviewController | None = None, parent: QWidget | None = None) -> None:
        """preview: where the photograph comes from."""
        super().__init__(parent)
        self._canvas, self._preview = canvas, preview
        self._photo: QImage | None = None
        self._follows_picture = False
        name = QLabel(self.tr("Underlay"))
        name.setProperty("role", "muted")
        self.choice = QComboBox()
        self.choice.setAccessibleName(self.tr("Underlay of the layout"))
        for key, words in (
            ("none", self.tr("None")),
            ("picture-under", self.tr("Photograph, under the layout")),
            ("picture-over", self.tr("Photograph, over the layout")),
            ("photo-under", self.tr("Your photo, under the layout")),
            ("photo-over", self.tr("Your photo, over the layout")),
        ):
            self.choice.addItem(words, key)
        self.choice.currentIndexChanged.connect(self._choose)
        self.choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.choice.setMinimumContentsLength(10)  # its longest entry would make the window wider than a small screen
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setValue(50)
        self.opacity.setMinimumWidth(70)
        self.opacity.setAccessibleName(self.tr("Opacity of the upper image"))
        self.opacity.setToolTip(self.tr("Opacity of the upper image"))
        self.opacity.valueChanged.connect(lambda percent: canvas.set_underlay_opacity(percent / 100))
        self.opacity.setEnabled(False)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 0, 14, 0)
        row.setSpacing(8)
        row.addWidget(name)
        row.addWidget(self.choice, 2)
        row.addWidget(self.opacity, 1)

    def set_photo(self, photo: QImage) -> None:
        """Show a photo at once."""
        self._photo = photo
        if self._source != "photo":
            self.choice.setCurrentIndex(self.choice.findData("photo-under"))
        else:
            self._choose()

    @property
    def _source(self) -> str:
        return _CHOICES[self.choice.currentData()][0]

    def _choose(self) -> None:
        source, mode = _CHOICES[self.choice.currentData()]
        if source == "photo" and self._photo is None:
            self.photo_wanted.emit()
        self._follow_picture(source == "picture")
        self._show_image()
        self._canvas.set_underlay_mode(mode)
        self.opacity.setEnabled(mode != "off")

    def _follow_picture(self, follows: bool) -> None:
        if self._preview is None or follows == self._follows_picture:
            return
        self._follows_picture = follows
        if follows:
            self._preview.painted.connect(self._show_image)
        else:
            self._preview.painted.disconnect(self._show_image)

    def _show_image(self) -> None:
        picture = None if self._preview is None else self._preview.image
        self._canvas.set_underlay({"picture": picture, "photo": self._photo}.get(self._source))


class UnderlayPhoto(QObject):
    """Opens photos for the underlay bar."""

    def __init__(self, bar: UnderlayBar, dialogs: FileDialogs, parent: QObject) -> None:
        super().__init__(parent)
        self._bar, self._dialogs = bar, dialogs
        bar.photo_wanted.connect(self.ask)

    def ask(self) -> None:
        """Ask for a photo's file."""
        self._dialogs.ask_to_open(self.tr("Photo as underlay"), photo_filter(), self.take)

    def take(self, path: Path) -> None:
        """Show the middle square of a photo, or a dialog if it cannot be read."""
        reader = QImageReader(str(path))
        reader.setAutoTransform(True)
        photo = reader.read()
        if photo.isNull():
            self._dialogs.complain(self.tr("{path} cannot be shown as a photo; choose another.").format(path=path))
            return
        side = min(photo.width(), photo.height())
        left, top = (photo.width() - side) // 2, (photo.height() - side) // 2
        self._bar.set_photo(photo.copy(left, top, side, side))

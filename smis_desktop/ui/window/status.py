"""The status bar: what lies under the cursor, and how the machine is doing."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QStatusBar, QWidget


class StatusBar(QStatusBar):
    """Left what the cursor is over (or a passing message), right device, latency and zoom."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeGripEnabled(False)
        self.setContentsMargins(8, 0, 8, 0)
        self._under_cursor = QLabel()
        self._device = QLabel()
        self.latency = QLabel()
        self._zoom = QLabel()
        self._obedience = QLabel()
        for label, tip in (
            (
                self._obedience,
                self.tr("How much of the layout the photograph follows, as far as the model itself can see"),
            ),
            (self._device, self.tr("What computes the photograph")),
            (self.latency, self.tr("From the last change to its first picture")),
            (self._zoom, self.tr("Zoom of the layout")),
        ):
            label.setToolTip(tip)
            self.addPermanentWidget(label)
        self.addWidget(self._under_cursor, 1)

    def show_device(self, device: str) -> None:
        """What computes, in words."""
        self._device.setText(device)

    def show_fidelity(self, overall: float | None) -> None:
        """0–1; None when nothing is painted."""
        words = "" if overall is None else self.tr("Follows {percent} %").format(percent=round(100 * overall))
        self._obedience.setText(words)

    def show_zoom(self, scale: float) -> None:
        """Screen pixels per layout pixel."""
        self._zoom.setText(self.tr("{percent} %").format(percent=round(100 * scale)))

    def show_under_cursor(self, text: str) -> None:
        """Class and place, or nothing."""
        self._under_cursor.setText(text)

    def tell(self, text: str) -> None:
        """A passing message."""
        self.showMessage(text, 6000)

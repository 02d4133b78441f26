"""The status bar: class under the cursor, messages, fidelity, device, latency and zoom."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QStatusBar, QWidget

_GAP = 8
"""Pixels between what is at the right, and around a message."""


class StatusBar(QStatusBar):
    """Shows what is under the cursor or a short message at the left; fidelity, device, latency and zoom at the
    right."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeGripEnabled(False)
        self.setContentsMargins(8, 0, 8, 0)
        self.under_cursor = QLabel()
        self._device = QLabel()
        self.latency = QLabel()
        self._zoom = QLabel()
        self._fidelity = QLabel()
        self._hidden: list[QLabel] = []
        for label, tip in (
            (
                self._fidelity,
                self.tr(
                    "How much of the layout the photograph follows, as judged by the model; and how much of what\n"
                    "the last change did not repaint looks as it did before"
                ),
            ),
            (self._device, self.tr("The device that makes the photograph")),
            (self.latency, self.tr("Time from the last change to its first picture")),
            (self._zoom, self.tr("Zoom of the layout")),
        ):
            label.setToolTip(tip)
            self.addPermanentWidget(label)
        self.addWidget(self.under_cursor, 1)
        self.messageChanged.connect(self._make_room)

    def show_device(self, device: str) -> None:
        """Show the name of the device that makes the pictures."""
        self._device.setText(device)

    def show_fidelity(self, overall: float | None, kept: float | None = None) -> None:
        """Show how much of the layout the picture follows, 0–1 (None when nothing is painted), and how much of the rest
        stayed at the last change, 0–1 (None when nothing is known of it)."""
        words = []
        if overall is not None:
            words.append(self.tr("Follows {percent} %").format(percent=round(100 * overall)))
        if kept is not None:
            words.append(self.tr("kept {percent} % of the rest").format(percent=round(100 * kept)))
        self._fidelity.setText(" · ".join(words))

    def show_zoom(self, scale: float) -> None:
        """Show the zoom; scale: screen pixels per layout pixel."""
        self._zoom.setText(self.tr("{percent} %").format(percent=round(100 * scale)))

    def notify(self, text: str) -> None:
        """Show a message for a few seconds."""
        self.showMessage(text, 6000)

    def _make_room(self, message: str) -> None:
        """Hide what is least important while a message needs its place."""
        for label in self._hidden:
            label.show()
        self._hidden = []
        shown = [label for label in (self._device, self.latency, self._zoom) if label.text() and not label.isHidden()]
        right = sum(label.sizeHint().width() + _GAP for label in (self._fidelity, *shown))
        needed = self.fontMetrics().horizontalAdvance(message) + _GAP if message else 0
        while shown and needed + right > self.width():
            label = shown.pop(0)
            label.hide()
            self._hidden.append(label)
            right -= label.sizeHint().width() + _GAP

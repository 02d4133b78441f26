"""The bar along the top: tool, brush size, undo and redo, zoom, and saving the photograph."""

from __future__ import annotations

import math

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QSlider, QToolBar, QToolButton, QWidget

from smis_desktop.ui.actions import WindowActions
from smis_desktop.ui.icons import ICON_GAP, ICON_SIZE, plain_icon
from smis_desktop.ui.theme import current_colors

MAX_DIAMETER = 256
DEFAULT_DIAMETER = 36

_SLIDER_STEPS = 200


class BrushSize(QWidget):
    """The brush's diameter in document pixels, 1–256, on a slider that has room for the small ones."""

    diameter_changed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._diameter = DEFAULT_DIAMETER
        name = QLabel(self.tr("Size"))
        name.setProperty("role", "muted")
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setRange(0, _SLIDER_STEPS)
        self._slider.setFixedWidth(150)
        self._slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._slider.setAccessibleName(self.tr("Brush size"))
        self._slider.setToolTip(self.tr("Brush size in layout pixels; [ and ] change it too"))
        self._slider.valueChanged.connect(self._take_slider)
        self._value = QLabel()
        self._value.setProperty("role", "value")
        self._value.setFixedWidth(48)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        row.addWidget(name)
        row.addWidget(self._slider)
        row.addWidget(self._value)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        self._show()

    @property
    def diameter(self) -> int:
        """Document pixels."""
        return self._diameter

    def set_diameter(self, diameter: int) -> None:
        """Clamped to 1–256."""
        diameter = min(max(diameter, 1), MAX_DIAMETER)
        if diameter != self._diameter:
            self._diameter = diameter
            self._show()
            self.diameter_changed.emit(diameter)

    def grow(self) -> None:
        """About a fifth larger."""
        self.set_diameter(max(self._diameter + 1, round(self._diameter * 1.2)))

    def shrink(self) -> None:
        """About a fifth smaller."""
        self.set_diameter(min(self._diameter - 1, round(self._diameter / 1.2)))

    def _take_slider(self, step: int) -> None:
        self.set_diameter(round(MAX_DIAMETER ** (step / _SLIDER_STEPS)))

    def _show(self) -> None:
        # Quietly: the slider's own rounding must not come back as another size.
        with QSignalBlocker(self._slider):
            self._slider.setValue(round(_SLIDER_STEPS * math.log(self._diameter, MAX_DIAMETER)))
        self._value.setText(self.tr("{pixels} px").format(pixels=self._diameter))


class ToolBar(QToolBar):
    """Arranges the window's actions and the brush size."""

    def __init__(self, actions: WindowActions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("tools")
        self.setWindowTitle(self.tr("Tools"))
        self.setMovable(False)
        self.setIconSize(ICON_SIZE)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)

        self.brush_size = BrushSize()
        self.save_button = QPushButton(
            plain_icon("save", current_colors().accent_text), ICON_GAP + self.tr("Save picture")
        )
        self.save_button.setProperty("role", "primary")
        self.save_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.save_button.setToolTip(self.tr("Save the photograph at full size (Ctrl+S)"))
        self.save_button.clicked.connect(actions.save_picture.trigger)
        actions.save_picture.enabledChanged.connect(self.save_button.setEnabled)
        self.save_button.setEnabled(actions.save_picture.isEnabled())

        for action in (actions.brush, actions.eraser):
            self.addAction(action)
            button = self.widgetForAction(action)
            assert isinstance(button, QToolButton)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.addSeparator()
        self.addWidget(self.brush_size)
        self.addSeparator()
        self.addAction(actions.undo)
        self.addAction(actions.redo)
        self.addSeparator()
        for action in (actions.zoom_out, actions.zoom_fit, actions.zoom_in):
            self.addAction(action)
        gap = QWidget()
        gap.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.addWidget(gap)
        self.addWidget(self.save_button)

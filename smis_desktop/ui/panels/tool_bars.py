"""The bars: tools down the left side, their settings along the top."""

from __future__ import annotations

import math

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QToolBar,
    QWidget,
)

from smis_desktop.document.shapes import MAX_GAP
from smis_desktop.ui.tools.options import MAX_DIAMETER, TOOL_NAMES, ToolOptions
from smis_desktop.ui.widgets.controls import roomy
from smis_desktop.ui.widgets.icons import ICON_SIZE
from smis_desktop.ui.window.shortcuts import Shortcuts

_SLIDER_STEPS = 200


class ToolsBar(QToolBar):
    """All tools, one checked; upright at the window's left edge."""

    def __init__(self, shortcuts: Shortcuts, options: ToolOptions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("tools")
        self.setWindowTitle(self.tr("Tools"))
        self.setOrientation(Qt.Orientation.Vertical)
        self.setMovable(False)
        self.setIconSize(ICON_SIZE)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self._shortcuts, self._options = shortcuts, options
        group = QActionGroup(self)
        for name in TOOL_NAMES:
            action = shortcuts[f"tools.{name}"]
            group.addAction(action)
            action.triggered.connect(lambda _=False, name=name: options.set_tool(name))
            self.addAction(action)
            if name in ("eraser", "lasso", "move"):
                self.addSeparator()
        self.addSeparator()
        self.addAction(shortcuts["edit.mirror"])
        options.changed.connect(self._show_tool)
        self._show_tool()

    def _show_tool(self) -> None:
        self._shortcuts[f"tools.{self._options.tool}"].setChecked(True)


class OptionsBar(QToolBar):
    """What can be set for the tool in hand, and undo and redo."""

    def __init__(self, shortcuts: Shortcuts, options: ToolOptions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("options")
        self.setWindowTitle(self.tr("Tool settings"))
        self.setMovable(False)
        self.setIconSize(ICON_SIZE)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self._options = options
        self.brush_size = BrushSize(options)
        self._brush = _BrushSettings(options)
        self._bucket = _BucketSettings(options)
        self._hint = QLabel()
        self._hint.setProperty("role", "muted")
        self.addActions([shortcuts["edit.undo"], shortcuts["edit.redo"]])
        self.addSeparator()
        self._shown = [(self.addWidget(w), tools) for w, tools in (
            (self.brush_size, {"brush", "eraser"}),
            (self._brush, {"brush", "eraser"}),
            (self._bucket, {"bucket"}),
            (self._hint, set(TOOL_NAMES) - {"brush", "eraser", "bucket"}),
        )]  # fmt: skip
        gap = QWidget()
        gap.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.addWidget(gap)
        self.addActions([shortcuts[f"view.{name}"] for name in ("zoom_out", "zoom_fit", "zoom_in")])
        self.addSeparator()
        self.addAction(shortcuts["file.export_picture"])
        options.changed.connect(self._show_settings)
        self._show_settings()

    def _show_settings(self) -> None:
        tool = self._options.tool
        for action, tools in self._shown:
            action.setVisible(tool in tools)
        hints = {
            "rectangle": self.tr("Drag from corner to corner; Shift makes a square"),
            "ellipse": self.tr("Drag from corner to corner; Shift makes a circle"),
            "polygon": self.tr("Click corner by corner; Enter closes, Backspace takes one back, Esc gives up"),
            "lasso": self.tr("Draw the outline in one go"),
            "picker": self.tr("Click on the class to paint with"),
            "move": self.tr("Drag the active layer"),
            "pan": self.tr("Drag the view"),
            "zoom": self.tr("Click to come nearer, right click to go back, or drag"),
        }
        self._hint.setText(hints.get(tool, ""))


class BrushSize(QWidget):
    """The diameter in layout pixels, 1–512, on a slider that has room for the small ones."""

    def __init__(self, options: ToolOptions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._options = options
        name = QLabel(self.tr("Size"))
        name.setProperty("role", "muted")
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setRange(0, _SLIDER_STEPS)
        self._slider.setFixedWidth(130)
        name.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        self._slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._slider.setAccessibleName(self.tr("Brush size"))
        self._slider.setToolTip(self.tr("Size in layout pixels; [ and ] change it too, and Shift-drag on the canvas"))
        self._slider.valueChanged.connect(self._take_slider)
        self._value = roomy(QSpinBox())
        self._value.setRange(1, MAX_DIAMETER)
        self._value.setSuffix(self.tr(" px"))
        self._value.setKeyboardTracking(False)
        self._value.setAccessibleName(self.tr("Brush size in pixels"))
        self._value.valueChanged.connect(options.set_diameter)
        self._value.editingFinished.connect(self._value.clearFocus)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for widget in (name, self._slider, self._value):
            row.addWidget(widget)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        options.changed.connect(self._show_size)
        self._show_size()

    @property
    def diameter(self) -> int:
        """Layout pixels."""
        return self._options.diameter

    def set_diameter(self, diameter: int) -> None:
        """Clamped to 1–512."""
        self._options.set_diameter(diameter)

    def _take_slider(self, step: int) -> None:
        self.set_diameter(round(MAX_DIAMETER ** (step / _SLIDER_STEPS)))

    def _show_size(self) -> None:
        # Quietly: the slider's own rounding must not come back as another size.
        with QSignalBlocker(self._slider), QSignalBlocker(self._value):
            self._slider.setValue(round(_SLIDER_STEPS * math.log(self.diameter, MAX_DIAMETER)))
            self._value.setValue(self.diameter)


class _BrushSettings(QWidget):
    def __init__(self, options: ToolOptions) -> None:
        super().__init__()
        self._options = options
        self._shape = QComboBox()
        self._shape.addItem(self.tr("Round"), "round")
        self._shape.addItem(self.tr("Square"), "square")
        self._shape.setAccessibleName(self.tr("Brush shape"))
        self._shape.setToolTip(self.tr("Shape of brush and eraser"))
        self._shape.currentIndexChanged.connect(lambda: options.set_shape(self._shape.currentData()))
        name = QLabel(self.tr("Steadying"))
        name.setProperty("role", "muted")
        self._stabilizer = QSlider(Qt.Orientation.Horizontal)
        self._stabilizer.setRange(0, 100)
        self._stabilizer.setFixedWidth(80)
        self._stabilizer.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._stabilizer.setAccessibleName(self.tr("Steadying of the hand"))
        self._stabilizer.setToolTip(self.tr("Smooths a shaky hand; all the way left is off"))
        self._stabilizer.valueChanged.connect(lambda percent: options.set_stabilizer(percent / 100))
        self._pressure = QCheckBox(self.tr("Pressure"))
        self._pressure.setToolTip(self.tr("A pen's pressure changes the size"))
        self._pressure.toggled.connect(options.set_pressure_scales)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 0, 0, 0)
        row.setSpacing(8)
        for widget in (self._shape, name, self._stabilizer, self._pressure):
            row.addWidget(widget)
        options.changed.connect(self._show_settings)
        self._show_settings()

    def _show_settings(self) -> None:
        options = self._options
        with QSignalBlocker(self._shape), QSignalBlocker(self._stabilizer), QSignalBlocker(self._pressure):
            self._shape.setCurrentIndex(self._shape.findData(options.shape))
            self._stabilizer.setValue(round(100 * options.stabilizer))
            self._pressure.setChecked(options.pressure_scales)


class _BucketSettings(QWidget):
    def __init__(self, options: ToolOptions) -> None:
        super().__init__()
        self._options = options
        self._contiguous = QCheckBox(self.tr("Only what hangs together"))
        self._contiguous.toggled.connect(options.set_contiguous)
        self._all_layers = QCheckBox(self.tr("Look at all layers"))
        self._all_layers.toggled.connect(options.set_all_layers)
        name = QLabel(self.tr("Close gaps up to"))
        name.setProperty("role", "muted")
        self._gap = roomy(QSpinBox())
        self._gap.setRange(0, MAX_GAP)
        self._gap.setSuffix(self.tr(" px"))
        self._gap.setAccessibleName(self.tr("Close gaps up to so many pixels"))
        self._gap.valueChanged.connect(options.set_gap)
        self._gap.editingFinished.connect(self._gap.clearFocus)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        for widget in (self._contiguous, self._all_layers, name, self._gap):
            row.addWidget(widget)
        options.changed.connect(self._show_settings)
        self._show_settings()

    def _show_settings(self) -> None:
        options = self._options
        with QSignalBlocker(self._contiguous), QSignalBlocker(self._all_layers), QSignalBlocker(self._gap):
            self._contiguous.setChecked(options.contiguous)
            self._all_layers.setChecked(options.all_layers)
            self._gap.setValue(options.gap)

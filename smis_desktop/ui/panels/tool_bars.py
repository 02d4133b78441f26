"""The tool bar at the left edge, and the options bar at the top, both built from the tools' declarations."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup
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

from smis_desktop.ui.tools.options import Choice, Diameter, Fraction, Option, Pixels, Toggle
from smis_desktop.ui.tools.tool import ToolOptions
from smis_desktop.ui.widgets.controls import roomy
from smis_desktop.ui.widgets.theme import ICON_SIZE
from smis_desktop.ui.widgets.translation import translated
from smis_desktop.ui.window.actions import CommandActions

_SLIDER_STEPS = 200


class ToolsBar(QToolBar):
    """All tools, the chosen one checked; upright at the window's left edge."""

    def __init__(self, commands: CommandActions, options: ToolOptions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("tools")
        self.setWindowTitle(self.tr("Tools"))
        self.setOrientation(Qt.Orientation.Vertical)
        self.setMovable(False)
        self.setIconSize(ICON_SIZE)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self._commands, self._options = commands, options
        group = QActionGroup(self)
        shown = None
        for tool in options.tools.values():
            action = commands[f"tools.{tool.name}"]
            group.addAction(action)
            if shown is not None and shown != tool.group:
                self.addSeparator()
            shown = tool.group
            self.addAction(action)
        self.addSeparator()
        self.addAction(commands["edit.mirror"])
        options.changed.connect(self._show_tool)
        self._show_tool()

    def _show_tool(self) -> None:
        self._commands[f"tools.{self._options.tool}"].setChecked(True)


class OptionsBar(QToolBar):
    """The options of the chosen tool, or a hint how to use it; undo, redo, zoom and export."""

    def __init__(self, commands: CommandActions, options: ToolOptions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("options")
        self.setWindowTitle(self.tr("Tool options"))
        self.setMovable(False)
        self.setIconSize(ICON_SIZE)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self._options = options
        self.addActions([commands["edit.undo"], commands["edit.redo"]])
        self.addSeparator()
        self.controls: dict[Option[Any], OptionControl] = {}
        self._actions: dict[Option[Any], QAction] = {}
        for tool in options.tools.values():
            for option in tool.options:
                if option not in self.controls:
                    self.controls[option] = OptionControl(option, options)
                    self._actions[option] = self.addWidget(self.controls[option])
        self._hint = QLabel()
        self._hint.setProperty("role", "muted")
        self.addWidget(self._hint)
        gap = QWidget()
        gap.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.addWidget(gap)
        self.addActions([commands[f"view.{name}"] for name in ("zoom_out", "zoom_fit", "zoom_in")])
        self.addSeparator()
        self.addAction(commands["file.export_picture"])
        options.changed.connect(self._show_tool)
        self._show_tool()

    def _show_tool(self) -> None:
        tool = self._options.tools[self._options.tool]
        for option, action in self._actions.items():
            action.setVisible(option in tool.options)
        self._hint.setText(translated(tool.hint) if tool.hint else "")


class OptionControl(QWidget):
    """The label and control of one option; it always shows the present value."""

    def __init__(self, option: Option[Any], options: ToolOptions) -> None:
        super().__init__()
        self._option, self._options = option, options
        self._parts = _parts_of(option)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 10, 0)
        row.setSpacing(8)
        if option.label and not isinstance(option, Toggle):
            label = QLabel(translated(option.label))
            label.setProperty("role", "muted")
            row.addWidget(label)
        for part in self._parts:
            part.setAccessibleName(translated(option.accessible_name or option.label))
            part.setToolTip(translated(option.tip) if option.tip else "")
            part.changed.connect(lambda value: options.set(option, value))
            row.addWidget(part)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        options.changed.connect(self._show_value)
        self._show_value()

    def _show_value(self) -> None:
        value = self._options[self._option]
        for part in self._parts:
            # Quietly: the rounding of a slider must not come back as another value.
            with QSignalBlocker(part):
                part.show_value(value)


class _Box(QCheckBox):
    """The control of a Toggle: a check box."""

    changed = Signal(bool)

    def __init__(self, option: Toggle) -> None:
        super().__init__(translated(option.label))
        self.toggled.connect(self.changed)

    def show_value(self, value: bool) -> None:
        self.setChecked(value)


class _Combo(QComboBox):
    """The control of a Choice: a combo box."""

    changed = Signal(object)

    def __init__(self, option: Choice[Any]) -> None:
        super().__init__()
        for value, words in option.choices:
            self.addItem(translated(words), value)
        self.currentIndexChanged.connect(lambda _: self.changed.emit(self.currentData()))

    def show_value(self, value: object) -> None:
        self.setCurrentIndex(self.findData(value))


class _Number(QSpinBox):
    """The control of Pixels: a number box."""

    changed = Signal(int)

    def __init__(self, option: Pixels) -> None:
        super().__init__()
        roomy(self)
        self.setRange(option.minimum, option.maximum)
        self.setSuffix(self.tr(" px"))
        self.setKeyboardTracking(False)
        self.valueChanged.connect(self.changed)
        self.editingFinished.connect(self.clearFocus)

    def show_value(self, value: int) -> None:
        self.setValue(value)


class _Slider(QSlider):
    """The control of a Fraction, or of a Diameter, with most of its length for small ones."""

    changed = Signal(object)

    def __init__(self, option: Fraction | Diameter) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._maximum = option.maximum if isinstance(option, Diameter) else None
        self.setRange(0, 100 if self._maximum is None else _SLIDER_STEPS)
        self.setFixedWidth(80 if self._maximum is None else 130)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.valueChanged.connect(self._emit_value)

    def show_value(self, value: float) -> None:
        if self._maximum is None:
            self.setValue(round(100 * value))
        else:
            self.setValue(round(_SLIDER_STEPS * math.log(value, self._maximum)))

    def _emit_value(self, step: int) -> None:
        if self._maximum is None:
            self.changed.emit(step / 100)
        else:
            self.changed.emit(round(self._maximum ** (step / _SLIDER_STEPS)))


def _parts_of(option: Option[Any]) -> list[Any]:
    match option:
        case Toggle():
            return [_Box(option)]
        case Choice():
            return [_Combo(option)]
        case Fraction():
            return [_Slider(option)]
        case Diameter():
            return [_Slider(option), _Number(option)]
        case Pixels():
            return [_Number(option)]
    raise TypeError(f"no control for {option}")

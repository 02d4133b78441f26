"""The row above the style bar: whether what is not repainted stays, how soft the edge of a repainted region is, and a
button that lets the whole picture follow."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QToolButton, QWidget

from smis_desktop.document.composition import MAX_EDGE
from smis_desktop.ui.widgets.controls import NarrowingRow, PercentSlider
from smis_desktop.ui.widgets.theme import ICON_GAP, tool_icon
from smis_desktop.ui.window.actions import CommandActions

MIN_EDGE = 0.02
"""Narrower edges show as seams."""


class RepaintBar(NarrowingRow):
    """One row: the switch *Keep the rest*, the width of the soft edge, and *Let all follow*."""

    edge_chosen = Signal(float)
    """Another width of the soft edge, as a part of the picture's side."""

    def __init__(self, commands: CommandActions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("repaintBar")
        self.keep_box = QCheckBox(self.tr("Keep the rest"))
        self.keep_box.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        keep = commands["picture.keep_rest"]
        self.keep_box.toggled.connect(keep.setChecked)
        keep.toggled.connect(self._show_kept)
        self._commands = commands
        commands.changed.connect(self._show_keys)

        self.edge = PercentSlider(
            self.tr("Soft edge"),
            self.tr(
                "How far around your stroke the photograph may change, in per cent of its width.\n"
                "Wide edges blend in more softly. Counts from your next change on."
            ),
            percents=(round(100 * MIN_EDGE), round(100 * MAX_EDGE)),
        )
        self.edge.moved.connect(self.edge_chosen)

        self.follow_button = QToolButton()
        self.follow_button.setIconSize(QSize(18, 18))
        self.follow_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.follow_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.follow_button.setText(ICON_GAP + self.tr("Let all follow"))
        follow = commands["picture.follow"]
        self.follow_button.clicked.connect(follow.trigger)
        follow.enabledChanged.connect(self.follow_button.setEnabled)
        self.follow_button.setEnabled(follow.isEnabled())

        self.row.addWidget(self.keep_box)
        self.row.addSpacing(4)
        self.row.addWidget(self.edge, 1)
        self.row.addWidget(self.follow_button)
        self.steps = (self._shorten_button, self.edge.name_label.setHidden)
        self._show_kept(keep.isChecked())
        self._show_keys()
        self.redraw_icons()
        self.fit()

    def redraw_icons(self) -> None:
        """Draw the icon in the colours of the present theme."""
        self.follow_button.setIcon(tool_icon("follow"))

    def _shorten_button(self, is_short: bool) -> None:
        style = Qt.ToolButtonStyle
        self.follow_button.setToolButtonStyle(style.ToolButtonIconOnly if is_short else style.ToolButtonTextBesideIcon)

    def _show_kept(self, is_kept: bool) -> None:
        self.keep_box.setChecked(is_kept)
        self.edge.setEnabled(is_kept)

    def _show_keys(self) -> None:
        """Say in the tooltips what the controls do, and by which keys."""
        for control, name, words in (
            (
                self.keep_box,
                "picture.keep_rest",
                self.tr("On: only what you repaint changes. Off: the whole photograph follows every stroke."),
            ),
            (
                self.follow_button,
                "picture.follow",
                self.tr("Make the whole photograph anew from the layout; undo brings the present one back."),
            ),
        ):
            keys = self._commands.native_keys(name)
            control.setToolTip(words + (f" ({keys})" if keys else ""))

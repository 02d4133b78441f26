"""The bar under the photograph: new style, its seed, how much of it is mixed in, and the lock."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction, QIntValidator
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QToolButton, QWidget

from smis_desktop.document.style import Look
from smis_desktop.ui.widgets.controls import NarrowingRow, PercentSlider
from smis_desktop.ui.widgets.theme import ICON_GAP, tool_icon
from smis_desktop.ui.window.style_model import MAX_DRAWN_SEED, StyleModel


class StyleBar(NarrowingRow):
    """One row: "New style", the seed or source of the look, the mixing slider, the lock.

    Where there is little room, words next to seed and slider are hidden; tooltips say the same.
    """

    variations_wanted = Signal()

    def __init__(self, style_model: StyleModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._style_model = style_model

        self.new_style_button = QPushButton(tool_icon("new_style"), ICON_GAP + self.tr("New style"))
        self.new_style_button.setIconSize(QSize(18, 18))
        self.new_style_button.setAccessibleName(self.tr("New style"))
        self.new_style_button.setToolTip(self.tr("Another look for the same layout (N)"))
        self.new_style_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.new_style_button.clicked.connect(style_model.choose_random_look)

        self.wall_button = QToolButton()
        self.wall_button.setIcon(tool_icon("wall"))
        self.wall_button.setIconSize(QSize(18, 18))
        self.wall_button.setToolTip(self.tr("Choose from many looks side by side (W)"))
        self.wall_button.setAccessibleName(self.tr("Variations"))
        self.wall_button.clicked.connect(self.variations_wanted)

        self._seed_name = QLabel(self.tr("Seed"))
        self._seed_name.setProperty("role", "muted")
        self._seed_field = QLineEdit()
        self._seed_field.setValidator(QIntValidator(0, MAX_DRAWN_SEED, self))
        self._seed_field.setFixedWidth(74)
        self._seed_field.setAccessibleName(self.tr("Seed of the style"))
        self._seed_field.setToolTip(self.tr("The number of this style; type one to return to it"))
        self._seed_field.editingFinished.connect(self._take_typed_seed)
        self._seed_name.setBuddy(self._seed_field)
        self._source = QLabel()
        self._source.setProperty("role", "value")

        self.mix = PercentSlider(
            self.tr("Mixing"), self.tr("How much of the style is mixed in; 0 % is the layout's own look")
        )
        self.mix.moved.connect(lambda fraction: style_model.change(mix=fraction))

        self.lock_button = QToolButton()
        self.lock_button.setCheckable(True)
        self.lock_button.setIconSize(QSize(18, 18))
        self.lock_button.setAccessibleName(self.tr("Lock the style"))
        self.lock_button.toggled.connect(style_model.lock)
        style_model.lock_changed.connect(self._show_lock)
        style_model.changed.connect(self._show)

        for widget in (self.new_style_button, self.wall_button, self._seed_name, self._seed_field, self._source):
            self.row.addWidget(widget)
        self.row.addWidget(self.mix, 1)
        self.row.addWidget(self.lock_button)
        self.steps = (self._hide_words, self._shorten_button, self.mix.value_label.setHidden)
        self._show()
        self._show_lock(style_model.is_locked)

    def add_panel_button(self, action: QAction) -> None:
        """Add the button that opens the style panel."""
        button = QToolButton()
        button.setDefaultAction(action)
        button.setIconSize(QSize(18, 18))
        self.row.addWidget(button)
        self.fit()

    def redraw_icons(self) -> None:
        """Draw the icons in the colours of the present theme."""
        self.new_style_button.setIcon(tool_icon("new_style"))
        self.wall_button.setIcon(tool_icon("wall"))
        self._show_lock(self._style_model.is_locked)

    def _hide_words(self, hidden: bool) -> None:
        self._seed_name.setHidden(hidden or self._style_model.style.look.ws is not None)
        self.mix.name_label.setHidden(hidden)

    def _shorten_button(self, is_short: bool) -> None:
        self.new_style_button.setText("" if is_short else ICON_GAP + self.tr("New style"))

    def _show(self) -> None:
        style = self._style_model.style
        self.mix.show_fraction(style.mix)
        is_seed = style.look.ws is None
        self._seed_field.setText(str(style.look.seed))
        self._seed_field.setVisible(is_seed)
        self._source.setVisible(not is_seed)
        words = style.look.name
        self._source.setText(words if len(words) <= 18 else words[:17] + "…")
        self._source.setToolTip(self.tr("The look comes from {name}").format(name=words))
        self.fit()

    def _show_lock(self, is_locked: bool) -> None:
        self.lock_button.setChecked(is_locked)
        self.lock_button.setIcon(tool_icon("lock" if is_locked else "unlock"))
        self.lock_button.setToolTip(
            self.tr("The style is locked: opening a file or clicking a look does not change it. Click to unlock.")
            if is_locked
            else self.tr("Lock the style: opening a file or clicking a look will not change it")
        )
        self.new_style_button.setEnabled(not is_locked)
        self._seed_field.setEnabled(not is_locked)

    def _take_typed_seed(self) -> None:
        self._seed_field.clearFocus()  # letters and digits are keys of the canvas again
        seed = int(self._seed_field.text())
        if seed != self._style_model.style.look.seed or self._style_model.style.look.ws is not None:
            self._style_model.choose_look(Look(seed))

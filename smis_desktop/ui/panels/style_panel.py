"""The style panel: strengths, the look and its sources, looks of single classes.

own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol

from PySide6.QtCore import QCoreApplication, QSize, Qt
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import (
    QDockWidget,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from smis_desktop.document.style import Look
from smis_desktop.formats.project import KeptPicture
from smis_desktop.ui.widgets.blend_pad import BlendPad
from smis_desktop.ui.widgets.controls import Pane, PercentSlider
from smis_desktop.ui.widgets.icons import plain_icon
from smis_desktop.ui.widgets.theme import current_colors
from smis_desktop.ui.window.document_controller import DocumentController
from smis_desktop.ui.window.style_model import StyleModel

TakeLook = Callable[[Look], None]


class LookSources(Protocol):
    """Who knows the looks there are."""

    def kept_pictures(self) -> tuple[KeptPicture, ...]:
        """Oldest first."""
        ...

    def pinned_looks(self) -> tuple[Look, ...]:
        """Oldest first."""
        ...

    def another_seed(self) -> Look:
        """A look that was not there before."""
        ...

    def take_from_photo(self, take: TakeLook) -> None:
        """Ask for a photo; `take` hears of its look, a minute later perhaps."""
        ...


def fill_look_menu(menu: QMenu, sources: LookSources, take: TakeLook) -> None:
    """One entry a look; `take` receives the chosen one."""
    for number, kept in enumerate(sources.kept_pictures(), 1):
        look, icon = look_of(kept, number), QIcon(QPixmap.fromImage(QImage.fromData(kept.png)))
        if look is not None:
            menu.addAction(icon, look.name, partial(take, look))
        else:
            words = _tr("Kept picture {n}, a draft: return to it and keep it again").format(n=number)
            menu.addAction(icon, words).setEnabled(False)
    for look in sources.pinned_looks():
        menu.addAction(look_words(look), partial(take, look))
    if not menu.isEmpty():
        menu.addSeparator()
    menu.addAction(_tr("Another seed"), lambda: take(sources.another_seed()))
    menu.addAction(_tr("From a photo…"), lambda: sources.take_from_photo(take))


def look_of(kept: KeptPicture, number: int) -> Look | None:
    """The look of the `number`-th kept picture; None when its latents were not known yet as it was kept."""
    if kept.style.ws is None:
        return None
    return Look.of_latents(kept.style.ws, _tr("Kept picture {n}").format(n=number), kept.style.style.look.seed)


def look_words(look: Look) -> str:
    """What people call it."""
    return look.name or _tr("Seed {seed}").format(seed=look.seed)


def _tr(text: str) -> str:
    return QCoreApplication.translate("LookMenu", text)


_SMALL = QSize(14, 14)
_WIDTH = 252


class StylePanel(QDockWidget):
    """A view of the chosen style; every change goes through it."""

    def __init__(
        self, chosen: StyleModel, controller: DocumentController, sources: LookSources, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("style")
        self.setWindowTitle(self.tr("Style"))
        self.setTitleBarWidget(QWidget())
        self._chosen, self._controller, self._sources = chosen, controller, sources

        self.faders = {
            "coarse": PercentSlider(
                self.tr("Pose, shape"), self.tr("How much of the look's pose and shape: it pulls against your layout")
            ),
            "middle": PercentSlider(
                self.tr("Features"), self.tr("How much of the look's eyes, mouth, hair: it pulls against your layout")
            ),
            "fine": PercentSlider(self.tr("Colours"), self.tr("How much of the look's colours, light and texture")),
            "variety": PercentSlider(
                self.tr("Variety"),
                self.tr("How much of what your layout leaves open, like build and expression, comes from the look"),
            ),
        }
        width = max(fader.name_label.sizeHint().width() for fader in self.faders.values())
        for name, fader in self.faders.items():
            fader.name_label.setFixedWidth(width)
            fader.moved.connect(lambda fraction, name=name: chosen.change(**{name: fraction}))

        self.look_button = self._menu_button(self.tr("Whose look"), self._fill_look)
        self.pin_button = self._icon_button("pin", self.tr("Lay this look aside, to come back to it"))
        self.pin_button.clicked.connect(lambda: chosen.pin(chosen.style.look))
        self.second_button = self._menu_button(self.tr("Second look"), self._fill_second)
        self.pad = BlendPad()
        self.pad.moved.connect(lambda blend, mix: chosen.change(blend=blend, mix=mix))
        self._pins = QVBoxLayout()
        self._pins.setSpacing(2)
        self._pins_name = self._name(self.tr("Looks laid aside"))
        self.dress_button = self._menu_button(self.tr("A look of its own"), self._fill_dress)
        self.dress_button.setText(self.tr("Choose a class"))
        self._apply_region_styles = QVBoxLayout()
        self._apply_region_styles.setSpacing(2)

        column = QVBoxLayout()
        column.setContentsMargins(14, 2, 14, 12)
        column.setSpacing(6)
        for fader in self.faders.values():
            column.addWidget(fader)
        column.addSpacing(6)
        column.addWidget(self._name(self.tr("Whose look")))
        column.addLayout(_row(self.look_button, self.pin_button))
        column.addWidget(self._pins_name)
        column.addLayout(self._pins)
        column.addSpacing(6)
        column.addWidget(self._name(self.tr("Between two looks")))
        column.addWidget(self.second_button)
        column.addWidget(self.pad)
        column.addSpacing(6)
        column.addWidget(self._name(self.tr("A class in a look of its own")))
        column.addLayout(self._apply_region_styles)
        column.addWidget(self.dress_button)
        column.addStretch(1)
        contents = QWidget()
        contents.setLayout(column)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(contents)
        margin = QWidget()
        around = QVBoxLayout(margin)
        around.setContentsMargins(0, 0, 8, 8)
        around.addWidget(Pane(self.tr("Style"), scroll))
        margin.setMinimumWidth(_WIDTH)
        self.setWidget(margin)
        chosen.changed.connect(self._show)
        chosen.pins_changed.connect(self._show_pins)
        chosen.lock_changed.connect(self._show_lock)
        controller.palette_changed.connect(self._show)
        controller.replaced.connect(self._show)
        self._show()
        self._show_pins()

    def redraw_icons(self) -> None:
        """In the colours of the present theme."""
        self.pin_button.setIcon(plain_icon("pin", current_colors().text))
        self._show()
        self._show_pins()

    def _show(self) -> None:
        style = self._chosen.style
        for name, fader in self.faders.items():
            fader.show_fraction(getattr(style, name))
        self.look_button.setText(look_words(style.look))
        self.second_button.setText(look_words(style.second) if style.second else self.tr("Choose a second look"))
        self.pad.setVisible(style.second is not None)
        if style.second is not None:
            self.pad.show_place(style.blend, style.mix, look_words(style.look), look_words(style.second))
        _empty(self._apply_region_styles)
        names = self._class_names()
        for class_id, look in style.class_looks:
            words = self.tr("{name}: {look}").format(name=names.get(class_id, str(class_id)), look=look_words(look))
            label = QLabel(words)
            label.setProperty("role", "value")
            undress = partial(self._dress, class_id, None)
            self._apply_region_styles.addWidget(self._line(label, self.tr("No look of its own any more"), undress))

    def _show_lock(self, is_locked: bool) -> None:
        words = self.tr("The style is locked: its looks stay") if is_locked else ""
        for button in (self.look_button, self.second_button, self.dress_button):
            button.setEnabled(not is_locked)
            button.setToolTip(words)

    def _show_pins(self) -> None:
        _empty(self._pins)
        self._pins_name.setVisible(bool(self._chosen.pins))
        for look in self._chosen.pins:
            words = look_words(look)
            button = QPushButton(words)
            button.setProperty("role", "link")
            button.setToolTip(self.tr("Wear this look"))
            button.clicked.connect(lambda _=False, look=look: self._chosen.wear(look))
            forget = partial(self._chosen.unpin, look)
            self._pins.addWidget(self._line(button, self.tr("Forget this look"), forget))

    def _fill_look(self, menu: QMenu) -> None:
        fill_look_menu(menu, self._sources, self._chosen.wear)

    def _fill_second(self, menu: QMenu) -> None:
        def take(look: Look) -> None:
            self._chosen.take(replace(self._chosen.style, second=look, blend=0.5))

        fill_look_menu(menu, self._sources, take)
        if self._chosen.style.second is not None:
            alone = replace(self._chosen.style, second=None, blend=0.0)
            menu.addAction(self.tr("No second look"), lambda: self._chosen.take(alone))

    def _fill_dress(self, menu: QMenu) -> None:
        for class_id, name in self._class_names().items():
            fill_look_menu(menu.addMenu(name), self._sources, self._taker(class_id))

    def _taker(self, class_id: int) -> TakeLook:
        return lambda look: self._dress(class_id, look)

    def _dress(self, class_id: int, look: Look | None) -> None:
        self._chosen.take(self._chosen.style.with_class_look(class_id, look))

    def _class_names(self) -> dict[int, str]:
        document = self._controller.document
        return {} if document is None else {c.class_id: c.name for c in document.palette.classes}

    def _name(self, words: str) -> QLabel:
        label = QLabel(words)
        label.setProperty("role", "lead")
        return label

    def _menu_button(self, name: str, fill: Callable[[QMenu], None]) -> QPushButton:
        button = QPushButton()
        button.setAccessibleName(name)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        menu = QMenu(button)

        def refill() -> None:
            menu.clear()
            fill(menu)

        menu.aboutToShow.connect(refill)
        button.setMenu(menu)
        return button

    def _icon_button(self, icon: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setIcon(plain_icon(icon, current_colors().text))
        button.setIconSize(_SMALL)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        return button

    def _line(self, label: QWidget, remove_tip: str, remove: Callable[[], None]) -> QWidget:
        line = QWidget()
        button = self._icon_button("delete", remove_tip)
        button.clicked.connect(lambda: remove())
        row = QHBoxLayout(line)
        row.setContentsMargins(2, 0, 0, 0)
        row.addWidget(label, 1)
        row.addWidget(button)
        return line


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(6)
    row.addWidget(widgets[0], 1)
    for widget in widgets[1:]:
        row.addWidget(widget)
    return row


def _empty(layout: QVBoxLayout) -> None:
    while layout.count():
        item = layout.takeAt(0)
        widget = None if item is None else item.widget()
        if widget is not None:
            widget.hide()
            widget.deleteLater()

"""The style panel: strengths, the look and its source, and looks of single classes."""

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
from smis_desktop.ui.widgets.controls import BlendPad, Pane, PercentSlider
from smis_desktop.ui.widgets.theme import current_colors, plain_icon
from smis_desktop.ui.window.document_controller import DocumentController
from smis_desktop.ui.window.style_model import StyleModel

TakeLook = Callable[[Look], None]


class LookSources(Protocol):
    """The sources of looks."""

    def kept_pictures(self) -> tuple[KeptPicture, ...]:
        """Return the kept pictures, oldest first."""
        ...

    def pinned_looks(self) -> tuple[Look, ...]:
        """Return the pinned looks, oldest first."""
        ...

    def random_look(self) -> Look:
        """Return the look of a random seed."""
        ...

    def take_from_photo(self, take: TakeLook) -> None:
        """Ask for a photo; `take` receives its look, about a minute later."""
        ...


def fill_look_menu(menu: QMenu, sources: LookSources, take: TakeLook) -> None:
    """Add one entry per look; `take` receives the chosen one."""
    for number, kept in enumerate(sources.kept_pictures(), 1):
        look, icon = look_of(kept, number), QIcon(QPixmap.fromImage(QImage.fromData(kept.png)))
        if look is not None:
            menu.addAction(icon, look.name, partial(take, look))
        else:
            words = _tr("Kept picture {n} is a draft: return to it and keep it again").format(n=number)
            menu.addAction(icon, words).setEnabled(False)
    for look in sources.pinned_looks():
        menu.addAction(look_words(look), partial(take, look))
    if not menu.isEmpty():
        menu.addSeparator()
    menu.addAction(_tr("Random look"), lambda: take(sources.random_look()))
    menu.addAction(_tr("From a photo…"), lambda: sources.take_from_photo(take))


def look_of(kept: KeptPicture, number: int) -> Look | None:
    """Return the look of the `number`-th kept picture; None if its latents were not known when it was kept."""
    if kept.style.ws is None:
        return None
    return Look.of_latents(kept.style.ws, _tr("Kept picture {n}").format(n=number), kept.style.style.look.seed)


def look_words(look: Look) -> str:
    """Return the look's name for people."""
    return look.name or _tr("Seed {seed}").format(seed=look.seed)


def _tr(text: str) -> str:
    return QCoreApplication.translate("LookMenu", text)


_SMALL = QSize(14, 14)
_WIDTH = 252


class StylePanel(QDockWidget):
    """Shows the style and changes it through the style model."""

    def __init__(
        self,
        style_model: StyleModel,
        controller: DocumentController,
        sources: LookSources,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._style_model, self._controller, self._sources = style_model, controller, sources

        self.faders = self._build_faders()
        width = max(fader.name_label.sizeHint().width() for fader in self.faders.values())
        for name, fader in self.faders.items():
            fader.name_label.setFixedWidth(width)
            fader.moved.connect(lambda fraction, name=name: style_model.change(**{name: fraction}))

        self.look_button = self._menu_button(self.tr("Look"), self._fill_look)
        self.pin_button = self._icon_button("pin", self.tr("Pin this look to return to it later"))
        self.pin_button.clicked.connect(lambda: style_model.pin(style_model.style.look))
        self.second_button = self._menu_button(self.tr("Second look"), self._fill_second)
        self.pad = BlendPad()
        self.pad.moved.connect(lambda blend, mix: style_model.change(blend=blend, mix=mix))
        self._pins = QVBoxLayout()
        self._pins.setSpacing(2)
        self._pins_name = self._name(self.tr("Pinned looks"))
        self.class_button = self._menu_button(self.tr("Look of a class"), self._fill_classes)
        self.class_button.setText(self.tr("Choose a class"))
        self._class_looks = QVBoxLayout()
        self._class_looks.setSpacing(2)

        self.setWidget(self._arrange())
        style_model.changed.connect(self._show)
        style_model.pins_changed.connect(self._show_pins)
        style_model.lock_changed.connect(self._show_lock)
        controller.palette_changed.connect(self._show)
        controller.replaced.connect(self._show)
        self._show()
        self._show_pins()

    def _build_faders(self) -> dict[str, PercentSlider]:
        return {
            "coarse": PercentSlider(
                self.tr("Pose, shape"),
                self.tr("How much of the look's pose and shape to use; it competes with your layout"),
            ),
            "middle": PercentSlider(
                self.tr("Features"),
                self.tr("How much of the look's eyes, mouth and hair to use; it competes with your layout"),
            ),
            "fine": PercentSlider(
                self.tr("Colours"), self.tr("How much of the look's colours, light and texture to use")
            ),
            "variety": PercentSlider(
                self.tr("Variety"),
                self.tr("How much the look decides what your layout does not, such as build and expression"),
            ),
        }

    def _arrange(self) -> QWidget:
        column = QVBoxLayout()
        column.setContentsMargins(14, 2, 14, 12)
        column.setSpacing(6)
        for fader in self.faders.values():
            column.addWidget(fader)
        column.addSpacing(6)
        column.addWidget(self._name(self.tr("Look")))
        column.addLayout(_row(self.look_button, self.pin_button))
        column.addWidget(self._pins_name)
        column.addLayout(self._pins)
        column.addSpacing(6)
        column.addWidget(self._name(self.tr("Between two looks")))
        column.addWidget(self.second_button)
        column.addWidget(self.pad)
        column.addSpacing(6)
        column.addWidget(self._name(self.tr("Looks of single classes")))
        column.addLayout(self._class_looks)
        column.addWidget(self.class_button)
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
        return margin

    def redraw_icons(self) -> None:
        """Draw the icons in the colours of the present theme."""
        self.pin_button.setIcon(plain_icon("pin", current_colors().text))
        self._show()
        self._show_pins()

    def _show(self) -> None:
        style = self._style_model.style
        for name, fader in self.faders.items():
            fader.show_fraction(getattr(style, name))
        self.look_button.setText(look_words(style.look))
        self.second_button.setText(look_words(style.second) if style.second else self.tr("Choose a second look"))
        self.pad.setVisible(style.second is not None)
        if style.second is not None:
            self.pad.show_place(style.blend, style.mix, look_words(style.look), look_words(style.second))
        _empty(self._class_looks)
        names = self._class_names()
        for class_id, look in style.class_looks:
            words = self.tr("{name}: {look}").format(name=names.get(class_id, str(class_id)), look=look_words(look))
            label = QLabel(words)
            label.setProperty("role", "value")
            remove = partial(self._set_class_look, class_id, None)
            self._class_looks.addWidget(self._line(label, self.tr("Remove this class's own look"), remove))

    def _show_lock(self, is_locked: bool) -> None:
        words = self.tr("The style is locked: its looks stay") if is_locked else ""
        for button in (self.look_button, self.second_button, self.class_button):
            button.setEnabled(not is_locked)
            button.setToolTip(words)

    def _show_pins(self) -> None:
        _empty(self._pins)
        self._pins_name.setVisible(bool(self._style_model.pins))
        for look in self._style_model.pins:
            words = look_words(look)
            button = QPushButton(words)
            button.setProperty("role", "link")
            button.setToolTip(self.tr("Use this look"))
            button.clicked.connect(lambda _=False, look=look: self._style_model.choose_look(look))
            unpin = partial(self._style_model.unpin, look)
            self._pins.addWidget(self._line(button, self.tr("Unpin this look"), unpin))

    def _fill_look(self, menu: QMenu) -> None:
        fill_look_menu(menu, self._sources, self._style_model.choose_look)

    def _fill_second(self, menu: QMenu) -> None:
        def take(look: Look) -> None:
            self._style_model.choose(replace(self._style_model.style, second=look, blend=0.5))

        fill_look_menu(menu, self._sources, take)
        if self._style_model.style.second is not None:
            alone = replace(self._style_model.style, second=None, blend=0.0)
            menu.addAction(self.tr("No second look"), lambda: self._style_model.choose(alone))

    def _fill_classes(self, menu: QMenu) -> None:
        for class_id, name in self._class_names().items():
            fill_look_menu(menu.addMenu(name), self._sources, partial(self._set_class_look, class_id))

    def _set_class_look(self, class_id: int, look: Look | None) -> None:
        self._style_model.choose(self._style_model.style.with_class_look(class_id, look))

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

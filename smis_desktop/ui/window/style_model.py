"""The style of the next picture, and the pinned looks."""

from __future__ import annotations

import random
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from smis_desktop.document.style import Look, Style

MAX_DRAWN_SEED = 999_999
"""The largest seed that is drawn or can be typed: short enough to be read aloud."""


class StyleModel(QObject):
    """Owns the style in the window: views listen to it and change it."""

    changed = Signal()
    """Another style: another picture is due."""
    pins_changed = Signal()
    lock_changed = Signal(bool)
    refused = Signal(str)
    """The style is locked, so its look was not changed: a sentence for the status bar."""

    def __init__(self, seeds: random.Random, parent: QObject | None = None) -> None:
        """seeds: where random looks are drawn from."""
        super().__init__(parent)
        self._seeds = seeds
        self._style = Style()
        self._pins: tuple[Look, ...] = ()
        self._is_locked = False

    @property
    def style(self) -> Style:
        """The present style."""
        return self._style

    @property
    def pins(self) -> tuple[Look, ...]:
        """Pinned looks, oldest first."""
        return self._pins

    @property
    def is_locked(self) -> bool:
        """Whether looks stay when pictures are opened or clicked; faders can still be moved."""
        return self._is_locked

    def set_style(self, style: Style) -> None:
        """Set the style, locked or not."""
        if style != self._style:
            self._style = style
            self.changed.emit()

    def change(self, **fields: object) -> None:
        """Set some fields of the style, locked or not."""
        self.set_style(replace(self._style, **fields))  # type: ignore[arg-type]

    def load(self, style: Style) -> None:
        """Set the style of an opened picture or project, unless the present one is locked."""
        if not self._is_locked:
            self.set_style(style)

    def choose(self, style: Style) -> None:
        """Set a style with other looks, or emit `refused` while the style is locked."""
        if self._is_locked:
            self.refused.emit(self.tr("The style is locked: unlock it first, then choose another look."))
        else:
            self.set_style(style)

    def choose_look(self, look: Look) -> None:
        """Set the look and keep the strengths, or emit `refused` while the style is locked."""
        self.choose(replace(self._style, look=look))

    def choose_random_look(self) -> None:
        """Set another random look, or emit `refused` while the style is locked."""
        drawn = self._seeds.randrange(MAX_DRAWN_SEED)
        self.choose_look(Look(drawn + (drawn >= self._style.look.seed)))

    def lock(self, is_locked: bool) -> None:
        """Lock or unlock the style."""
        if is_locked != self._is_locked:
            self._is_locked = is_locked
            self.lock_changed.emit(is_locked)

    def pin(self, look: Look) -> None:
        """Pin a look, unless it is pinned already."""
        if look not in self._pins:
            self.set_pins((*self._pins, look))

    def unpin(self, look: Look) -> None:
        """Remove a look from the pinned ones."""
        self.set_pins(tuple(pin for pin in self._pins if pin != look))

    def set_pins(self, pins: tuple[Look, ...]) -> None:
        """Set all pinned looks, from an opened project."""
        if pins != self._pins:
            self._pins = pins
            self.pins_changed.emit()

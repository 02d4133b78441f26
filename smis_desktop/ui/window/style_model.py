"""The style that the next picture is made in, and the looks laid aside: their one owner in the window."""

from __future__ import annotations

import random
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from smis_desktop.document.style import Look, Style

MAX_SEED = 999_999
"""Seeds that are thrown are short enough to be read aloud; typed ones too."""


class StyleModel(QObject):
    """Every view of the style listens here, and changes it here."""

    changed = Signal()
    """Another style: another picture is due."""
    pins_changed = Signal()
    lock_changed = Signal(bool)
    refused = Signal(str)
    """A sentence: the style is locked, and its looks stayed."""

    def __init__(self, seeds: random.Random, parent: QObject | None = None) -> None:
        """seeds: where new styles are drawn from."""
        super().__init__(parent)
        self._seeds = seeds
        self._style = Style()
        self._pins: tuple[Look, ...] = ()
        self._is_locked = False

    @property
    def style(self) -> Style:
        """As it is now."""
        return self._style

    @property
    def pins(self) -> tuple[Look, ...]:
        """Looks laid aside, oldest first."""
        return self._pins

    @property
    def is_locked(self) -> bool:
        """Whether the looks stay, and all of the style whatever is opened; faders can be moved even so."""
        return self._is_locked

    def set_style(self, style: Style) -> None:
        """Any change. Not for other looks that a person asks for: see `take`."""
        if style != self._style:
            self._style = style
            self.changed.emit()

    def change(self, **fields: object) -> None:
        """Some fields of `Style`."""
        self.set_style(replace(self._style, **fields))  # type: ignore[arg-type]

    def follow(self, style: Style) -> None:
        """The style of a picture or project that was opened: taken unless the present one is locked."""
        if not self._is_locked:
            self.set_style(style)

    def take(self, style: Style) -> None:
        """A style with other looks: a second one, a class's, one from the wall. Refused while the style is locked."""
        if self._is_locked:
            self.refused.emit(self.tr("The style is locked: unlock it first, then choose another look."))
        else:
            self.set_style(style)

    def wear(self, look: Look) -> None:
        """Take that look, with the same strengths; refused likewise."""
        self.take(replace(self._style, look=look))

    def throw_seed(self) -> None:
        """Another look, any but the present one, all alike likely; refused likewise."""
        drawn = self._seeds.randrange(MAX_SEED)
        self.wear(Look(drawn + (drawn >= self._style.look.seed)))

    def lock(self, is_locked: bool) -> None:
        """Keep the style, or let it go."""
        if is_locked != self._is_locked:
            self._is_locked = is_locked
            self.lock_changed.emit(is_locked)

    def pin(self, look: Look) -> None:
        """Lay a look aside; once is enough."""
        if look not in self._pins:
            self.set_pins((*self._pins, look))

    def unpin(self, look: Look) -> None:
        """Forget one that was laid aside."""
        self.set_pins(tuple(pin for pin in self._pins if pin != look))

    def set_pins(self, pins: tuple[Look, ...]) -> None:
        """Those of a project that was opened."""
        if pins != self._pins:
            self._pins = pins
            self.pins_changed.emit()

"""The menu of everything that a look can be taken from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import QMenu

from smis_desktop.storage.project_file import KeptPicture
from smis_desktop.style import Look

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

"""The program's own icons: SVG drawings in `currentColor`, coloured by the theme and sharp at every scale."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from smis_desktop.resources import resources_folder
from smis_desktop.ui.widgets.theme import ThemeColors, current_colors

ICON_SIZE = QSize(20, 20)

ICON_GAP = " "
"""Before the words of a button that has an icon: Qt leaves too little room between the two."""

_SCALES = (1.0, 1.25, 1.5, 2.0, 3.0)


def tool_icon(name: str, colors: ThemeColors | None = None) -> QIcon:
    """Draw an icon in the text colour, accented when checked, faint when disabled.

    name: of `resources/icons/<name>.svg`, or an SVG drawing itself.
    """
    colors = colors or current_colors()
    icon = QIcon()
    for mode, state, color in (
        (QIcon.Mode.Normal, QIcon.State.Off, colors.text),
        (QIcon.Mode.Normal, QIcon.State.On, colors.accent),
        (QIcon.Mode.Disabled, QIcon.State.Off, colors.faint),
    ):
        _add_pixmaps(icon, name, color, mode, state)
    return icon


def plain_icon(name: str, color: str) -> QIcon:
    """The icon in that colour, faint when disabled."""
    icon = QIcon()
    _add_pixmaps(icon, name, color, QIcon.Mode.Normal, QIcon.State.Off)
    _add_pixmaps(icon, name, current_colors().faint, QIcon.Mode.Disabled, QIcon.State.Off)
    return icon


def application_icon() -> QIcon:
    """The program's own sign, in full colour, for task bars and title bars."""
    icon = QIcon()
    for side in (16, 24, 32, 48, 64, 128, 256):
        icon.addPixmap(_draw("smis", "", QSize(side, side), 1.0))
    return icon


def _add_pixmaps(icon: QIcon, name: str, color: str, mode: QIcon.Mode, state: QIcon.State) -> None:
    for scale in _SCALES:
        icon.addPixmap(_draw(name, color, ICON_SIZE, scale), mode, state)


def _draw(name: str, color: str, size: QSize, scale: float) -> QPixmap:
    renderer = QSvgRenderer(QByteArray(_source(name).replace("currentColor", color).encode()))
    pixmap = QPixmap(round(size.width() * scale), round(size.height() * scale))
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer.render(painter, QRectF(pixmap.rect()))
    painter.end()
    pixmap.setDevicePixelRatio(scale)
    return pixmap


@cache
def _source(name: str) -> str:
    if name.startswith("<svg"):
        return name
    return (resources_folder() / "icons" / f"{name}.svg").read_text(encoding="utf-8")

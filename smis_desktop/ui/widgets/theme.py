"""The program's appearance: colours, font, a style sheet over Qt's Fusion style, and icons in theme colours."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from string import Template

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from smis_desktop.resources import resources_folder


@dataclass(frozen=True)
class ThemeColors:
    """Colours by purpose, `#rrggbb`. Text has a contrast of at least 4.5 : 1 on every ground."""

    window: str
    surface: str
    raised: str
    hover: str
    border: str
    text: str
    muted: str
    faint: str
    accent: str
    accent_bright: str
    accent_soft: str
    accent_line: str
    accent_text: str
    danger: str
    canvas_ground: str


# Greys that are nearly neutral, so that they tint neither the photograph nor the palette's colours; one warm accent.
DARK = ThemeColors(
    window="#151619",
    surface="#1c1e22",
    raised="#26292f",
    hover="#333740",
    border="#2e3138",
    text="#eceef1",
    muted="#a0a6b1",
    faint="#666c78",
    accent="#f2b463",
    accent_bright="#ffc883",
    accent_soft="#352b1f",
    accent_line="#6b5230",
    accent_text="#241803",
    danger="#ff8d7a",
    canvas_ground="#121316",
)

LIGHT = ThemeColors(
    window="#e9eaed",
    surface="#f8f8fa",
    raised="#e2e4e9",
    hover="#d3d6dd",
    border="#cfd2d9",
    text="#1b1d22",
    muted="#50555f",
    faint="#8a909c",
    accent="#8a4f00",
    accent_bright="#a86300",
    accent_soft="#f5e3c8",
    accent_line="#c99a55",
    accent_text="#ffffff",
    danger="#a82312",
    canvas_ground="#c4c7ce",
)

THEMES = {"dark": DARK, "light": LIGHT}

_current = DARK


def current_colors() -> ThemeColors:
    """Return the colours of the present theme."""
    return _current


# The first of these that the system has is used; all are drawn for screens.
_FONT_FAMILIES = ["Inter", "SF Pro Text", "Segoe UI", "Cantarell", "Noto Sans", "Ubuntu", "DejaVu Sans"]
_FONT_PIXELS = 13


def apply_theme(application: QApplication, colors: ThemeColors = DARK) -> None:
    """Apply a theme to the application, including windows that are already open."""
    global _current
    _current = colors
    application.setStyle("Fusion")
    application.setPalette(_qt_palette(colors))
    font = QFont()
    font.setFamilies(_FONT_FAMILIES)
    font.setPixelSize(_FONT_PIXELS)
    application.setFont(font)
    sheet = (resources_folder() / "theme.qss").read_text(encoding="utf-8")
    application.setStyleSheet(
        Template(sheet).substitute(asdict(colors), icons=(resources_folder() / "icons").as_posix())
    )


def _qt_palette(colors: ThemeColors) -> QPalette:
    # For what no style sheet rule reaches: Qt's own dialogs, text selections.
    palette = QPalette()
    role = QPalette.ColorRole
    for where, color in (
        (role.Window, colors.window),
        (role.WindowText, colors.text),
        (role.Base, colors.surface),
        (role.AlternateBase, colors.raised),
        (role.Text, colors.text),
        (role.Button, colors.raised),
        (role.ButtonText, colors.text),
        (role.BrightText, colors.danger),
        (role.ToolTipBase, colors.raised),
        (role.ToolTipText, colors.text),
        (role.PlaceholderText, colors.faint),
        (role.Highlight, colors.accent),
        (role.HighlightedText, colors.accent_text),
        (role.Link, colors.accent),
        (role.Light, colors.hover),
        (role.Midlight, colors.raised),
        (role.Mid, colors.border),
        (role.Dark, colors.window),
        (role.Shadow, "#000000"),
    ):
        palette.setColor(where, QColor(color))
    for where in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, where, QColor(colors.faint))
    return palette


# Icons: SVG drawings in `currentColor`, sharp at every scale

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
    """Draw an icon in that colour, faint when disabled."""
    icon = QIcon()
    _add_pixmaps(icon, name, color, QIcon.Mode.Normal, QIcon.State.Off)
    _add_pixmaps(icon, name, current_colors().faint, QIcon.Mode.Disabled, QIcon.State.Off)
    return icon


def application_icon() -> QIcon:
    """Return the program's own icon, in full colour, for task bars and title bars."""
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

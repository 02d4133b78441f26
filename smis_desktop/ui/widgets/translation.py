"""Translation of texts in tables: marked where they are written, translated where they are shown."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication


def QT_TRANSLATE_NOOP(context: str, text: str) -> str:
    """Mark a text for translation and return it unchanged; PySide's own function is typed as returning `object`."""
    return text


def without_mnemonic(text: str) -> str:
    """Return a menu's text without its mnemonic and its dots, for titles, tooltips and lists."""
    return text.replace("&", "").removesuffix("…")


def translated(text: str) -> str:
    """Return a text of the tables of commands, tools and docks (context `Command`) in the person's language."""
    return QCoreApplication.translate("Command", text)

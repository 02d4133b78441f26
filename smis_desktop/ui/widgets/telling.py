"""Messages from other threads to a widget, for as long as there is one."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject
from shiboken6 import isValid


def telling(listener: QObject, emit: Callable[..., None]) -> Callable[..., None]:
    """`emit` of one of the listener's signals, to be called from any thread; nothing happens once the listener is gone.

    Work in the background may outlive the dialog that began it by a message, and Qt deletes dialogs when it likes:
    asking before the call would be asking too early.
    """

    def tell(*message: object) -> None:
        try:
            emit(*message)
        except RuntimeError:
            if isValid(listener):
                raise

    return tell

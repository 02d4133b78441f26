"""Callbacks from other threads to a widget that may be deleted in the meantime."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject
from shiboken6 import isValid


def weak_callback(listener: QObject, emit: Callable[..., None]) -> Callable[..., None]:
    """Return a callback that calls `emit`, one of the listener's signals, unless the listener is deleted.

    It may be called from any thread. Background work may deliver a last message after the dialog that began it is gone,
    and Qt may delete the dialog between a check and the call: so the call is made, and its failure is checked.
    """

    def callback(*message: object) -> None:
        try:
            emit(*message)
        except RuntimeError:
            if isValid(listener):
                raise

    return callback

"""Moving the view by hand: Space or the middle button drags it, with Shift it turns."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QPointF, Qt

from smis_desktop.ui.viewport import Viewport


class Navigation:
    """Pan and rotation, whatever tool is chosen."""

    def __init__(self, viewport: Viewport, changed: Callable[[], None]) -> None:
        self._viewport, self._changed = viewport, changed
        self._space_is_down = False
        self._from: QPointF | None = None
        self._turns = False

    @property
    def is_held(self) -> bool:
        """Whether the next press will move the view."""
        return self._space_is_down

    @property
    def is_moving(self) -> bool:
        """Whether the view is being moved."""
        return self._from is not None

    def hold(self, is_down: bool) -> None:
        """The space bar is pressed or let go."""
        self._space_is_down = is_down

    def takes(self, button: Qt.MouseButton) -> bool:
        """Whether a press of that button is ours."""
        return button == Qt.MouseButton.MiddleButton or (self._space_is_down and button == Qt.MouseButton.LeftButton)

    def begin(self, at: QPointF, turns: bool) -> None:
        self._from, self._turns = at, turns

    def follow(self, at: QPointF) -> None:
        if self._from is None:
            return
        if self._turns:
            x, y = self._viewport.width / 2, self._viewport.height / 2
            before = math.atan2(self._from.y() - y, self._from.x() - x)
            self._viewport.rotate(math.degrees(math.atan2(at.y() - y, at.x() - x) - before))
        else:
            self._viewport.pan(at.x() - self._from.x(), at.y() - self._from.y())
        self._from = at
        self._changed()

    def end(self) -> None:
        self._from = None

"""The mirror axis on the canvas: a dashed line that can be taken by its ends."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF
from PySide6.QtGui import QPainter

from smis_desktop.labels.mirror import MirrorAxis
from smis_desktop.ui.canvas_marks import AXIS_REACH, draw_axis
from smis_desktop.ui.easel import Easel
from smis_desktop.ui.viewport import Viewport

_OVERHANG = 24
"""Screen pixels from the layout's edge to where the axis ends."""


class MirrorHandle:
    """Drags the axis while one paints with a mirror; else there is nothing to take."""

    def __init__(self, easel: Easel, viewport: Viewport) -> None:
        self._easel, self._viewport = easel, viewport
        self.is_held = False

    def takes(self, at: QPointF) -> bool:
        """Whether a press there is ours: only the ends, past the layout's edges, for within it one paints."""
        return any(math.hypot(at.x() - end.x(), at.y() - end.y()) <= 2 * AXIS_REACH for end in self._line() or ())

    def begin(self) -> None:
        self.is_held = True

    def follow(self, at: QPointF) -> None:
        """The axis stands on edges and middles of pixels."""
        workbench = self._easel.workbench
        if workbench is None or workbench.mirror is None:
            return
        x, y = self._viewport.to_document(at.x(), at.y())
        place = x if workbench.mirror.orientation == "vertical" else y
        place = min(max(math.floor(2 * place + 0.5) / 2, 0.0), float(workbench.document.size))
        self._easel.set_mirror(MirrorAxis(workbench.mirror.orientation, place))

    def end(self) -> None:
        self.is_held = False

    def paint(self, painter: QPainter) -> None:
        line = self._line()
        if line is not None:
            draw_axis(painter, line)

    def _line(self) -> tuple[QPointF, QPointF] | None:
        workbench = self._easel.workbench
        if workbench is None or workbench.mirror is None:
            return None
        size, at = workbench.document.size, workbench.mirror.position
        overhang = _OVERHANG / self._viewport.scale
        if workbench.mirror.orientation == "vertical":
            ends = ((at, -overhang), (at, size + overhang))
        else:
            ends = ((-overhang, at), (size + overhang, at))
        return QPointF(*self._viewport.to_view(*ends[0])), QPointF(*self._viewport.to_view(*ends[1]))

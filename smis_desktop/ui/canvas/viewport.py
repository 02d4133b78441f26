"""The viewport: where the document is in the view, and the gestures that move it."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QPointF, Qt

MIN_SCALE = 0.05
MAX_SCALE = 64.0

_FIT_MARGIN = 16.0
_KEEP_VISIBLE = 48.0
_ZOOM_PER_NOTCH = 1.15
_ROTATION_STEP = 15.0


class Viewport:
    """A square document of `document_size` pixels seen through a view of `width` × `height` (logical pixels).

    `scale` is view pixels per document pixel, `angle` the rotation in degrees, clockwise; `mirrored` swaps left and
    right first. `(left, top)` is where the document's origin lies in the view. A fitted view stays fitted when either
    size changes, until the person zooms or pans.
    """

    def __init__(self, document_size: int) -> None:
        self.document_size = document_size
        self.width = 1.0
        self.height = 1.0
        self.scale = 1.0
        self.angle = 0.0
        self.mirrored = False
        self.left = 0.0
        self.top = 0.0
        self.is_fitted = True

    def set_document_size(self, document_size: int) -> None:
        """Take another document, and show all of it."""
        self.document_size = document_size
        self.fit()

    def resize(self, width: float, height: float) -> None:
        """Give the view another size; its centre stays where it is."""
        shift_x, shift_y = (width - self.width) / 2, (height - self.height) / 2
        self.width, self.height = width, height
        if self.is_fitted:
            self.fit()
        else:
            self.left += shift_x
            self.top += shift_y
            self._keep_in_sight()

    def fit(self) -> None:
        """Show the whole document, centred, at the present rotation."""
        room = max(1.0, min(self.width, self.height) - 2 * _FIT_MARGIN)
        turned = abs(math.cos(math.radians(self.angle))) + abs(math.sin(math.radians(self.angle)))
        self.scale = min(max(room / self.document_size / turned, MIN_SCALE), MAX_SCALE)
        middle = self.document_size / 2
        self._put(middle, middle, self.width / 2, self.height / 2)
        self.is_fitted = True

    def zoom(self, factor: float, x: float, y: float) -> None:
        """Multiply the scale; the document point under `(x, y)` of the view stays there."""
        at_x, at_y = self.to_document(x, y)
        self.scale = min(max(self.scale * factor, MIN_SCALE), MAX_SCALE)
        self._put(at_x, at_y, x, y)
        self.is_fitted = False
        self._keep_in_sight()

    def pan(self, dx: float, dy: float) -> None:
        """Move the document by view pixels."""
        self.left += dx
        self.top += dy
        self.is_fitted = False
        self._keep_in_sight()

    def rotate(self, degrees: float) -> None:
        """Turn the view clockwise about its centre."""
        self._turn(self.angle + degrees, self.mirrored)

    def mirror(self) -> None:
        """Mirror the view left to right."""
        self._turn(-self.angle, not self.mirrored)

    def reset_rotation(self) -> None:
        """Turn the view upright, not mirrored."""
        self._turn(0.0, False)

    @property
    def matrix(self) -> tuple[float, float, float, float, float, float]:
        """The transformation m11, m12, m21, m22, dx, dy: document (x, y) → view (m11·x + m21·y + dx, m12·x + m22·y +
        dy)."""
        cos = self.scale * math.cos(math.radians(self.angle))
        sin = self.scale * math.sin(math.radians(self.angle))
        flip = -1.0 if self.mirrored else 1.0
        return cos * flip, sin * flip, -sin, cos, self.left, self.top

    def to_document(self, x: float, y: float) -> tuple[float, float]:
        """Convert view to document coordinates; pixel `(column, row)` covers column to column + 1."""
        m11, m12, m21, m22, dx, dy = self.matrix
        determinant = m11 * m22 - m12 * m21
        x, y = x - dx, y - dy
        return (m22 * x - m21 * y) / determinant, (m11 * y - m12 * x) / determinant

    def to_view(self, x: float, y: float) -> tuple[float, float]:
        """Convert document to view coordinates."""
        m11, m12, m21, m22, dx, dy = self.matrix
        return m11 * x + m21 * y + dx, m12 * x + m22 * y + dy

    def bounds(self, left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        """Return the upright view rectangle (left, top, right, bottom) around a rectangle of the document."""
        corners = [self.to_view(x, y) for x in (left, right) for y in (top, bottom)]
        xs, ys = [c[0] for c in corners], [c[1] for c in corners]
        return min(xs), min(ys), max(xs), max(ys)

    def _turn(self, angle: float, mirrored: bool) -> None:
        center = self.to_document(self.width / 2, self.height / 2)
        self.angle = (angle + 180) % 360 - 180
        self.mirrored = mirrored
        if self.is_fitted:
            self.fit()
        else:
            self._put(*center, self.width / 2, self.height / 2)
            self._keep_in_sight()

    def _put(self, document_x: float, document_y: float, x: float, y: float) -> None:
        """Move the document so that its point lies at `(x, y)` of the view."""
        now_x, now_y = self.to_view(document_x, document_y)
        self.left += x - now_x
        self.top += y - now_y

    def _keep_in_sight(self) -> None:
        left, top, right, bottom = self.bounds(0, 0, self.document_size, self.document_size)
        self.left += max(_KEEP_VISIBLE - right, 0) - max(left - (self.width - _KEEP_VISIBLE), 0)
        self.top += max(_KEEP_VISIBLE - bottom, 0) - max(top - (self.height - _KEEP_VISIBLE), 0)


class Navigation:
    """Zoom, pan and rotation by keys, wheel, space bar and middle button, with every tool."""

    def __init__(self, viewport: Viewport, changed: Callable[[], None]) -> None:
        """changed: called after each move of the view."""
        self._viewport, self._changed = viewport, changed
        self._space_is_down = False
        self._from: QPointF | None = None
        self._turns = False

    def zoom_in(self) -> None:
        """Zoom in one step, about the middle of the view."""
        self._zoom(_ZOOM_PER_NOTCH**2)

    def zoom_out(self) -> None:
        """Zoom out one step, about the middle of the view."""
        self._zoom(_ZOOM_PER_NOTCH**-2)

    def zoom_to_fit(self) -> None:
        """Show the whole layout."""
        self._viewport.fit()
        self._changed()

    def zoom_to_pixels(self, device_pixel_ratio: float) -> None:
        """Show one screen pixel for each layout pixel."""
        self._zoom(1 / (self._viewport.scale * device_pixel_ratio))

    def turn_wheel(self, notches: float, at: QPointF) -> None:
        """Zoom about a point of the view; positive notches zoom in."""
        self._viewport.zoom(_ZOOM_PER_NOTCH**notches, at.x(), at.y())
        self._changed()

    def rotate_left(self) -> None:
        """Turn the view one step counter-clockwise."""
        self._viewport.rotate(-_ROTATION_STEP)
        self._changed()

    def rotate_right(self) -> None:
        """Turn the view one step clockwise."""
        self._viewport.rotate(_ROTATION_STEP)
        self._changed()

    def reset_rotation(self) -> None:
        """Turn the view upright again, not mirrored."""
        self._viewport.reset_rotation()
        self._changed()

    def mirror(self) -> None:
        """Mirror the view; the layout stays as it is."""
        self._viewport.mirror()
        self._changed()

    @property
    def is_held(self) -> bool:
        """Whether the next press will move the view."""
        return self._space_is_down

    @property
    def is_moving(self) -> bool:
        """Whether the view is being moved."""
        return self._from is not None

    def hold(self, is_down: bool) -> None:
        """Note that the space bar was pressed or released."""
        self._space_is_down = is_down

    def takes(self, button: Qt.MouseButton) -> bool:
        """Return whether a press of that button moves the view."""
        return button == Qt.MouseButton.MiddleButton or (self._space_is_down and button == Qt.MouseButton.LeftButton)

    def begin(self, at: QPointF, turns: bool) -> None:
        """Start to pan, or to turn, at a point of the view."""
        self._from, self._turns = at, turns

    def follow(self, at: QPointF) -> None:
        """Move the view with the pointer."""
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
        """Stop moving the view."""
        self._from = None

    def _zoom(self, factor: float) -> None:
        self._viewport.zoom(factor, self._viewport.width / 2, self._viewport.height / 2)
        self._changed()

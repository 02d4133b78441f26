"""Where the document lies in the canvas: zoom, pan and fit. Plain arithmetic, no widget."""

from __future__ import annotations

MIN_SCALE = 0.05
MAX_SCALE = 64.0

_FIT_MARGIN = 16.0
_KEEP_VISIBLE = 48.0


class Viewport:
    """A square document of `document_size` pixels seen through a view of `width` × `height` (logical pixels).

    `scale` is view pixels per document pixel; `(left, top)` is the document's corner in the view. A fitted view stays
    fitted when either size changes, until somebody zooms or pans.
    """

    def __init__(self, document_size: int) -> None:
        self.document_size = document_size
        self.width = 1.0
        self.height = 1.0
        self.scale = 1.0
        self.left = 0.0
        self.top = 0.0
        self.is_fitted = True

    def set_document_size(self, document_size: int) -> None:
        """Another document: it is shown whole."""
        self.document_size = document_size
        self.fit()

    def resize(self, width: float, height: float) -> None:
        """The view changes its size; its centre stays where it is."""
        shift_x, shift_y = (width - self.width) / 2, (height - self.height) / 2
        self.width, self.height = width, height
        if self.is_fitted:
            self.fit()
        else:
            self.left += shift_x
            self.top += shift_y
            self._keep_in_sight()

    def fit(self) -> None:
        """Show the whole document, centred."""
        room = max(1.0, min(self.width, self.height) - 2 * _FIT_MARGIN)
        self.scale = min(max(room / self.document_size, MIN_SCALE), MAX_SCALE)
        self.left = (self.width - self.scale * self.document_size) / 2
        self.top = (self.height - self.scale * self.document_size) / 2
        self.is_fitted = True

    def zoom(self, factor: float, x: float, y: float) -> None:
        """Multiply the scale; the document point under `(x, y)` of the view stays there."""
        at_x, at_y = self.to_document(x, y)
        self.scale = min(max(self.scale * factor, MIN_SCALE), MAX_SCALE)
        self.left = x - at_x * self.scale
        self.top = y - at_y * self.scale
        self.is_fitted = False
        self._keep_in_sight()

    def pan(self, dx: float, dy: float) -> None:
        """Move the document by view pixels."""
        self.left += dx
        self.top += dy
        self.is_fitted = False
        self._keep_in_sight()

    def to_document(self, x: float, y: float) -> tuple[float, float]:
        """View → document coordinates; pixel `(column, row)` covers column to column + 1."""
        return (x - self.left) / self.scale, (y - self.top) / self.scale

    def to_view(self, x: float, y: float) -> tuple[float, float]:
        """Document → view coordinates."""
        return self.left + x * self.scale, self.top + y * self.scale

    def _keep_in_sight(self) -> None:
        side = self.scale * self.document_size
        self.left = min(max(self.left, _KEEP_VISIBLE - side), self.width - _KEEP_VISIBLE)
        self.top = min(max(self.top, _KEEP_VISIBLE - side), self.height - _KEEP_VISIBLE)

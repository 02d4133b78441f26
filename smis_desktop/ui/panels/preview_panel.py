"""The preview pane: the photograph, and progress or an error where there is none."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QImage,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QTransform,
)
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from smis_desktop.ui.tools.tool import outline_pens
from smis_desktop.ui.widgets.controls import ProgressLine
from smis_desktop.ui.widgets.theme import current_colors, plain_icon

_MARGIN = 16
_CORNER = 6.0


class PreviewPanel(QWidget):
    """Shows the picture, centred, and over it progress, or an error with a button to try again."""

    retry_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Photograph of the layout"))
        self.setMinimumSize(240, 240)
        self._picture: QImage | None = None
        self._scaled: QImage | None = None  # for the present size and screen only
        self._before: QImage | None = None
        self._wipe = 0.5
        self._linked: QTransform | None = None
        self._region: QPainterPath | None = None

        self._read_colors()
        self._progress = _ProgressCard(self)
        self._failure = _FailureCard(self)
        self._failure.retry.clicked.connect(self.retry_wanted)
        self._failure.hide()
        self.show_progress(self.tr("Starting…"), -1.0)

    def show_picture(self, picture: QImage) -> None:
        """Show a picture instead of the one before, and hide progress and errors."""
        self._picture = picture
        self._scaled = None
        self._progress.hide()
        self._failure.hide()
        self.update()

    def show_progress(self, text: str, fraction: float) -> None:
        """Show what is in progress. fraction: 0–1, negative when unknown."""
        self._failure.hide()
        self._progress.show_state(text, fraction)
        self._progress.show()
        self._place_cards()

    def end_progress(self) -> None:
        """Hide the progress."""
        self._progress.hide()
        self.update()

    def show_failure(self, text: str, *, can_retry: bool) -> None:
        """Show what went wrong; the picture stays."""
        self._progress.hide()
        self._failure.show_text(text, can_retry)
        self._failure.show()
        self._place_cards()

    def set_comparison(self, before: QImage | None) -> None:
        """Show another picture left of a draggable line; None: show only the present one."""
        self._before = before
        self.setCursor(Qt.CursorShape.SplitHCursor if before is not None else Qt.CursorShape.ArrowCursor)
        self.update()

    def set_region(self, outline: QPainterPath | None) -> None:
        """Draw the outline of a region, in the unit square, over the picture; None: no outline."""
        if outline is not None or self._region is not None:
            self._region = outline
            self.update()

    def set_linked_view(self, transform: QTransform | None) -> None:
        """Show the picture as the canvas shows the layout; None: the whole picture.

        transform: from the unit square to this widget.
        """
        self._linked = transform
        self.update()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange):
            self._read_colors()
        super().changeEvent(event)

    def _read_colors(self) -> None:
        colors = current_colors()
        self._ground = QColor(colors.canvas_ground)
        self._empty = QColor(colors.surface)
        self._hint = QColor(colors.faint)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._drag_wipe(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._drag_wipe(event)

    def picture_rect(self) -> QRect:
        """Return the rectangle of the picture: the largest centred square, in logical pixels."""
        side = max(1, min(self.width(), self.height()) - 2 * _MARGIN)
        return QRect((self.width() - side) // 2, (self.height() - side) // 2, side, side)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), self._ground)
        rect = self.picture_rect()
        corners = QPainterPath()
        corners.addRoundedRect(rect, _CORNER, _CORNER)
        if self._picture is None:
            painter.fillPath(corners, self._empty)
            if self._progress.isHidden() and self._failure.isHidden():
                painter.setPen(self._hint)
                words = self.tr("The photograph of what you paint appears here.")
                flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
                painter.drawText(rect.adjusted(_MARGIN, 0, -_MARGIN, 0), flags, words)
        else:
            if self._linked is None:
                painter.setClipPath(corners)
            self._draw_picture(painter, rect, self._picture)
            if self._region is not None:
                self._draw_region(painter, rect, self._region)
            if self._before is not None:
                self._draw_comparison(painter, rect, self._before)
        painter.end()

    def _draw_picture(self, painter: QPainter, rect: QRect, picture: QImage) -> None:
        if self._linked is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.save()
            painter.setTransform(self._linked, True)
            painter.drawImage(QRectF(0, 0, 1, 1), picture)
            painter.restore()
        else:
            painter.drawImage(rect.topLeft(), self._scaled_picture(picture, rect.size()))

    def _draw_region(self, painter: QPainter, rect: QRect, region: QPainterPath) -> None:
        whole = QTransform.fromTranslate(rect.left(), rect.top())
        transform = self._linked or whole.scale(rect.width(), rect.height())
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for pen in outline_pens():
            painter.setPen(pen)
            painter.drawPath(transform.map(region))

    def _draw_comparison(self, painter: QPainter, rect: QRect, before: QImage) -> None:
        line = rect.left() + round(self._wipe * rect.width())
        painter.save()
        painter.setClipRect(QRect(0, 0, line, self.height()), Qt.ClipOperation.IntersectClip)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if self._linked is not None:
            painter.setTransform(self._linked, True)
            painter.drawImage(QRectF(0, 0, 1, 1), before)
        else:
            painter.drawImage(rect, before)
        painter.restore()
        for color, width in ((QColor(0, 0, 0, 120), 4.0), (QColor(255, 255, 255), 1.6)):
            painter.setPen(QPen(color, width))
            painter.drawLine(line, rect.top(), line, rect.bottom())

    def _drag_wipe(self, event: QMouseEvent) -> None:
        if self._before is not None:
            rect = self.picture_rect()
            self._wipe = min(max((event.position().x() - rect.left()) / max(rect.width(), 1), 0.0), 1.0)
            self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_cards()

    def sizeHint(self) -> QSize:
        return QSize(600, 600)

    def _scaled_picture(self, picture: QImage, size: QSize) -> QImage:
        ratio = self.devicePixelRatioF()
        wanted = QSize(round(size.width() * ratio), round(size.height() * ratio))
        if self._scaled is None or self._scaled.size() != wanted:
            # Averages, unlike the painter's bilinear look-up: 1024² on a small screen would shimmer otherwise.
            self._scaled = picture.scaled(
                wanted, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
            )
            self._scaled.setDevicePixelRatio(ratio)
        return self._scaled

    def _place_cards(self) -> None:
        rect = self.picture_rect()
        for card in (self._progress, self._failure):
            width = min(max(rect.width() - 32, 180), 400)
            card.resize(width, card.heightForWidth(width))
            x = rect.center().x() - width // 2
            # In the middle of an empty pane, at the foot of a picture.
            y = rect.center().y() - card.height() // 2 if self._picture is None else rect.bottom() - card.height() - 16
            card.move(x, y)


class _ProgressCard(QFrame):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("progress")
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._line = ProgressLine()
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 14, 18, 16)
        column.setSpacing(12)
        column.addWidget(self._text)
        column.addWidget(self._line)

    def show_state(self, text: str, fraction: float) -> None:
        self._text.setText(text)
        self._line.set_fraction(fraction)


class _FailureCard(QFrame):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        sign = QLabel()
        sign.setPixmap(plain_icon("warning", current_colors().danger).pixmap(20, 20))
        sign.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.retry = QPushButton(self.tr("Try again"))

        words = QVBoxLayout()
        words.setSpacing(10)
        words.addWidget(self._text)
        words.addWidget(self.retry, 0, Qt.AlignmentFlag.AlignLeft)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 13, 16, 13)
        row.setSpacing(11)
        row.addWidget(sign)
        row.addLayout(words, 1)

    def show_text(self, text: str, can_retry: bool) -> None:
        self._text.setText(text)
        self.retry.setVisible(can_retry)

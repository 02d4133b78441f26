"""A rounded card with a heading, something large in the middle, and a foot of fixed height."""

from __future__ import annotations

from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget


class Pane(QFrame):
    """Two of these side by side line up: head and foot are of the same height in all."""

    def __init__(self, heading: str, body: QWidget, foot: QWidget | None = None) -> None:
        super().__init__()
        self.setObjectName("pane")
        title = QLabel(heading)
        title.setProperty("role", "heading")
        self._detail = QLabel()
        self._detail.setProperty("role", "muted")

        head = QWidget()
        head.setObjectName("paneHead")
        head_row = QHBoxLayout(head)
        head_row.setContentsMargins(14, 0, 14, 0)
        head_row.addWidget(title)
        head_row.addStretch(1)
        head_row.addWidget(self._detail)

        body.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        column.addWidget(head)
        column.addWidget(body, 1)
        if foot is not None:
            foot.setObjectName("paneFoot")
            column.addWidget(foot)

    def set_detail(self, text: str) -> None:
        """The quiet words at the right end of the heading."""
        self._detail.setText(text)

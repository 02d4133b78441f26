"""A list that shows pictures in rows, each with its name below."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QAbstractItemView, QListView, QListWidget


class PictureList(QListWidget):
    """Rows follow the width; nothing can be dragged about."""

    def __init__(
        self, accessible_name: str, side: int, room: tuple[int, int], selection: QAbstractItemView.SelectionMode
    ) -> None:
        """side: of the pictures, in pixels. room: how much wider and higher than a picture its cell is."""
        super().__init__()
        self.setAccessibleName(accessible_name)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setIconSize(QSize(side, side))
        self.setGridSize(QSize(side + room[0], side + room[1]))
        self.setSelectionMode(selection)

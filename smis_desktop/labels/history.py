"""Undo and redo: the stacks that edits lie on."""

from __future__ import annotations

from collections import deque

from smis_desktop.labels.document import Document
from smis_desktop.labels.edits import Change, Edit


class History:
    """The edits that can be undone and redone, bounded in number and in bytes; the oldest are forgotten first.

    The last `min_steps` stay whatever they weigh.
    """

    def __init__(self, max_steps: int = 1000, budget_bytes: int = 256 * 2**20, min_steps: int = 1) -> None:
        if not 1 <= min_steps <= max_steps:
            raise ValueError("a history needs at least one step, and no more kept than allowed")
        self._max_steps = max_steps
        self._min_steps = min_steps
        self._budget_bytes = budget_bytes
        self._done: deque[Edit] = deque()
        self._undone: list[Edit] = []
        self._nbytes = 0
        self._bottom = object()

    @property
    def undo_name(self) -> str | None:
        """What undo would take back, for people; None if there is nothing."""
        return self._done[-1].name if self._done else None

    @property
    def redo_name(self) -> str | None:
        """What redo would make again, for people; None if there is nothing."""
        return self._undone[-1].name if self._undone else None

    @property
    def mark(self) -> object:
        """Tells one state of the document from another: the same object again after undo or redo back to it."""
        return self._done[-1] if self._done else self._bottom

    @property
    def num_steps(self) -> int:
        """How many edits can be undone."""
        return len(self._done)

    @property
    def nbytes(self) -> int:
        """What all edits take in memory."""
        return self._nbytes

    def push(self, edit: Edit) -> None:
        """Add an edit that has just been made; what was undone before can no longer be redone."""
        self._undone.clear()
        self._done.append(edit)
        # Counted anew: an edit that holds a deleted layer weighs what that layer weighs now.
        self._nbytes = sum(done.nbytes for done in self._done)
        while len(self._done) > self._max_steps or (
            self._nbytes > self._budget_bytes and len(self._done) > self._min_steps
        ):
            self._nbytes -= self._done.popleft().nbytes
            self._bottom = object()  # undoing everything leads to another state from now on

    def undo(self, document: Document) -> Change | None:
        """Take the last edit back. Returns what changed, None if there is nothing to undo."""
        if not self._done:
            return None
        change = self._done[-1].undo(document)
        self._undone.append(self._done.pop())
        return change

    def redo(self, document: Document) -> Change | None:
        """Make the last undone edit again. Returns what changed, None if there is nothing to redo."""
        if not self._undone:
            return None
        change = self._undone[-1].redo(document)
        self._done.append(self._undone.pop())
        return change

"""Reports faults of the program: logs them, shows a dialog, saves the painting."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from smis_desktop.diagnostics.crash_marks import Crash
from smis_desktop.diagnostics.report import diagnostics
from smis_desktop.ui.widgets.theme import current_colors, plain_icon

_WIDTH = 520


class FaultDialog(QDialog):
    """Shows a headline, a few sentences, and details to pass on, with a button for each possible action."""

    def __init__(
        self,
        headline: str,
        sentences: str,
        details: str,
        actions: list[tuple[str, Callable[[], object]]],
        parent: QWidget | None = None,
    ) -> None:
        """Build the dialog.

        Args:
            headline: What happened.
            sentences: What that means for the person.
            details: Plain text, hidden at first.
            actions: Button texts and what they do, the recommended one first; each closes the dialog.
        """
        super().__init__(parent)
        self.setWindowTitle(self.tr("SMIS Desktop"))
        self.details = QPlainTextEdit(details)
        self.details.setReadOnly(True)
        self.details.setAccessibleName(self.tr("Details"))
        self.details.setMinimumHeight(220)
        self.details.hide()
        self.copy_button = QPushButton(self.tr("Copy details"))
        self.copy_button.clicked.connect(lambda: QGuiApplication.clipboard().setText(details))
        self.details_button = QPushButton(self.tr("Show details"))
        self.details_button.clicked.connect(self._show_details)
        sign = QLabel()
        sign.setPixmap(plain_icon("warning", current_colors().danger).pixmap(32, 32))
        title = QLabel(headline)
        title.setProperty("role", "title")
        title.setWordWrap(True)
        words = QLabel(sentences)
        words.setWordWrap(True)
        head = QHBoxLayout()
        head.addWidget(sign)
        head.addSpacing(8)
        head.addWidget(title, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 22, 24, 18)
        column.setSpacing(12)
        column.addLayout(head)
        column.addWidget(words)
        column.addWidget(self.details, 1)
        row = QHBoxLayout()
        row.addWidget(self.details_button)
        row.addWidget(self.copy_button)
        row.addStretch(1)
        self.action_buttons: list[QPushButton] = []
        for text, act in reversed(actions):
            button = QPushButton(text)
            button.clicked.connect(lambda _=False, act=act: self._do(act))
            row.addWidget(button)
            self.action_buttons.insert(0, button)
        self.action_buttons[0].setProperty("role", "primary")
        self.action_buttons[0].setDefault(True)
        column.addLayout(row)
        self.action_buttons[0].setFocus()
        self.setMinimumWidth(_WIDTH)

    def _show_details(self) -> None:
        self.details.show()
        self.details_button.setEnabled(False)

    def _do(self, act: Callable[[], object]) -> None:
        self.accept()
        act()


log = logging.getLogger(__name__)


class FaultReporting(QObject):
    """Reports faults and crashes for one window."""

    message = Signal(str)
    """A short message for the status bar."""
    _caught = Signal(str, str)

    def __init__(
        self,
        window: QWidget,
        facts: Callable[[], Mapping[str, str]],
        save_recovery: Callable[[], bool],
        save_as: Callable[[], object],
    ) -> None:
        """Connect to a window.

        Args:
            window: Parent of the dialogs.
            facts: Returns what a report says of the window.
            save_recovery: Brings the recovery file up to date; returns whether there is one.
            save_as: Lets the person save the painting.
        """
        super().__init__(window)
        self._window, self._facts, self._save_recovery, self._save_as = window, facts, save_recovery, save_as
        self._places: set[str] = set()
        # Faults of other threads come here too.
        self._caught.connect(self._show_fault)

    def copy_diagnostics(self) -> None:
        """Copy the diagnostics to the clipboard."""
        QGuiApplication.clipboard().setText(diagnostics(self._facts()))
        self.message.emit(self.tr("The diagnostics are on the clipboard, without your name and folders."))

    @contextmanager
    def catching(self) -> Iterator[None]:
        """Log and report uncaught exceptions while the context lasts; the window stays open."""
        before, thread_before = sys.excepthook, threading.excepthook

        def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
            log.critical("a fault in this program", exc_info=(kind, error, trace))
            frames = traceback.extract_tb(trace)
            place = f"{kind.__name__} {frames[-1].filename}:{frames[-1].lineno}" if frames else kind.__name__
            self._caught.emit(place, "".join(traceback.format_exception(kind, error, trace)))

        def thread_hook(arguments: threading.ExceptHookArgs) -> None:
            if arguments.exc_value is not None:
                hook(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)

        sys.excepthook, threading.excepthook = hook, thread_hook
        try:
            yield
        finally:
            sys.excepthook, threading.excepthook = before, thread_before

    def show_crashes(self, crashes: Sequence[Crash]) -> None:
        """Show the crashes that `take_crashes` found at the start."""
        if not crashes:
            return
        crash = next((crash for crash in crashes if crash.trace), None)
        if crash is None:
            self.message.emit(self.tr("Last time, the program ended unexpectedly."))
            return
        self._show(
            FaultDialog(
                self.tr("Last time, the program crashed"),
                self.tr(
                    "The program ended because of a fault of its own, not because of you. If something was not "
                    "saved, you are asked whether to restore it.\n\nThe details say where the program was, which "
                    "helps to find the fault. They do not contain your name or folders."
                ),
                diagnostics(self._facts(), crash.trace),
                [(self.tr("Continue"), lambda: None)],
                self._window,
            )
        )

    def _show_fault(self, place: str, trace: str) -> None:
        if place in self._places:
            return  # a fault that comes with every picture is logged each time, and shown once
        self._places.add(place)
        is_saved = self._save_recovery()
        words = self.tr(
            "What you just did may not have worked. This is a fault of the program, not yours. "
            "You can usually continue."
        )
        if is_saved:
            words += "\n\n" + self.tr(
                "Your painting is still here, and a copy was just saved. If you quit, the program offers to restore "
                "the copy at the next start."
            )
        actions: list[tuple[str, Callable[[], object]]] = [(self.tr("Continue"), lambda: None)]
        if is_saved:
            actions.append((self.tr("Save painting as…"), self._save_as))
        actions.append((self.tr("Quit"), lambda: QApplication.exit(1)))
        details = diagnostics(self._facts(), trace)
        self._show(FaultDialog(self.tr("Something went wrong"), words, details, actions, self._window))

    def _show(self, dialog: FaultDialog) -> None:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

"""Imports a generator: asks for its name, and for the class of a conditional one, then shows the progress."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from smis_desktop.generators.catalog import is_good_name, proposed_name
from smis_desktop.ui.widgets.callbacks import weak_callback
from smis_desktop.workers.checkpoint_import import (
    ClassAsked,
    GeneratorImport,
    GeneratorImported,
    ImportFailed,
    ImportProgress,
)


class ImportGeneratorDialog(QDialog):
    """Closes itself when the generator is installed, and emits `imported` with its name."""

    imported = Signal(str)
    _job_sent = Signal(object)

    def __init__(self, checkpoint: Path, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Import a generator"))
        self._checkpoint = checkpoint
        self._job: GeneratorImport | None = None
        self.name = QLineEdit(proposed_name(checkpoint))
        self.name.selectAll()
        self.name.textChanged.connect(self._check)
        self.class_index = QSpinBox()
        self.class_index.setAccessibleName(self.tr("Class of the conditional generator"))
        self._form = QFormLayout()
        self._form.addRow(self.tr("File"), QLabel(checkpoint.name))
        self._form.addRow(self.tr("Name"), self.name)
        self._form.addRow(self.tr("Class"), self.class_index)
        self._form.setRowVisible(self.class_index, False)
        self.words = QLabel(
            self.tr(
                "A StyleGAN2 checkpoint (.pt, .pkl or .safetensors). It is read as data: no code in it is run. "
                "Check that its licence lets you use it."
            )
        )
        self.words.setWordWrap(True)
        self._bar = QProgressBar()
        self._bar.setRange(0, 0)
        self._bar.setVisible(False)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.import_button = self.buttons.button(QDialogButtonBox.StandardButton.Ok)
        self.import_button.setText(self.tr("Import"))
        self.buttons.accepted.connect(self.begin)
        self.buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addLayout(self._form)
        column.addWidget(self.words)
        column.addWidget(self._bar)
        column.addWidget(self.buttons)
        self._job_sent.connect(self._receive, Qt.ConnectionType.QueuedConnection)

    def begin(self) -> None:
        """Starts the import."""
        chosen = self.class_index.value() if self._form.isRowVisible(self.class_index) else None
        send = weak_callback(self, self._job_sent.emit)
        self._job = GeneratorImport(self._checkpoint, self.name.text().strip(), chosen, send)
        self._show_busy(True)
        self._job.start()

    def reject(self) -> None:
        """Does nothing during an import: it takes seconds and cannot be interrupted."""
        if self._job is None:
            super().reject()

    @Slot(object)
    def _receive(self, message: object) -> None:
        match message:
            case ImportProgress():
                self.words.setText(message.words)
                return
            case GeneratorImported():
                self._end_job()
                self.accept()
                self.imported.emit(message.name)
            case ClassAsked():
                self._end_job()
                self.class_index.setRange(0, message.num_classes - 1)
                self._form.setRowVisible(self.class_index, True)
                self.words.setText(
                    self.tr("This generator knows {count} classes. Choose one; each becomes a generator.").format(
                        count=message.num_classes
                    )
                )
            case ImportFailed():
                self._end_job()
                self.words.setText(message.text)

    def _end_job(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.join(5.0)
        self._show_busy(False)

    def _show_busy(self, busy: bool) -> None:
        self._bar.setVisible(busy)
        self.name.setEnabled(not busy)
        self.class_index.setEnabled(not busy)
        self.buttons.setEnabled(not busy)

    def _check(self) -> None:
        self.import_button.setEnabled(is_good_name(self.name.text().strip()))

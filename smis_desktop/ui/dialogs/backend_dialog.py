"""The dialog that chooses the backend, with the results of this computer's self-test."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QButtonGroup, QDialog, QDialogButtonBox, QLabel, QRadioButton, QVBoxLayout, QWidget


class BackendDialog(QDialog):
    """Offers the fastest backend or one of those tested; unavailable ones say why."""

    def __init__(self, chosen: str, tests: tuple[dict[str, Any], ...], parent: QWidget | None = None) -> None:
        """Args: chosen, tests: as in `BackendChoice`."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("Backend"))
        intro = QLabel(self.tr("All backends make the same pictures, at different speeds."))
        intro.setWordWrap(True)
        self._names: dict[int, str] = {}
        self.choices = QButtonGroup(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(22, 18, 22, 16)
        column.setSpacing(10)
        column.addWidget(intro)
        column.addWidget(self._choice("auto", self.tr("Automatic (the fastest)"), chosen, True))
        if chosen != "auto" and chosen not in [test["backend"] for test in tests]:
            tests = ({"backend": chosen}, *tests)
        for test in tests:
            column.addWidget(self._choice(str(test["backend"]), self._words(test), chosen, not test.get("fault")))
        if not tests:
            column.addWidget(QLabel(self.tr("No backend has been measured yet.")))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

    @property
    def chosen(self) -> str:
        """`auto`, or a backend's name."""
        return self._names.get(self.choices.checkedId(), "auto")

    def _choice(self, name: str, words: str, chosen: str, is_possible: bool) -> QRadioButton:
        button = QRadioButton(words)
        button.setObjectName(name)
        button.setChecked(name == chosen)
        button.setEnabled(is_possible)
        number = len(self._names)
        self._names[number] = name
        self.choices.addButton(button, number)
        return button

    def _words(self, test: dict[str, Any]) -> str:
        names = {
            "torch": self.tr("PyTorch"),
            "torch-bf16": self.tr("PyTorch, reduced precision"),
            "torch-graphs": self.tr("PyTorch, reduced precision, CUDA graphs"),
            "openvino": self.tr("OpenVINO"),
            "openvino-bf16": self.tr("OpenVINO, reduced precision"),
        }
        name = names.get(test["backend"], str(test["backend"]))
        if test.get("fault"):
            return self.tr("{name}: {fault}").format(name=name, fault=test["fault"])
        if not test.get("milliseconds"):
            return self.tr("{name}: not measured yet").format(name=name)
        return self.tr("{name}: {milliseconds:.0f} ms per draft").format(
            name=name, milliseconds=float(test["milliseconds"])
        )

"""A format of one module more, as somebody would add it: text with one digit a pixel."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import smis_desktop.formats

TOY = '''
"""Text with one digit a pixel."""
import numpy as np
from smis_desktop.document.document import Document
from smis_desktop.formats.registry import Format, LayoutFile

def _ids(path):
    return np.array([[int(digit) for digit in line] for line in path.read_text().split()], np.uint8)

FORMAT = Format(
    "Digits", "layers", suffixes=(".digits",), order=5, layout_name="texts of digits",
    read_document=lambda path, palette: Document.of_label_map(_ids(path), palette).state(),
    read_layout=lambda path: LayoutFile(_ids(path)),
    write=lambda path, export: path.write_text("digits") and [path],
)
'''
DIGITS = np.repeat(np.repeat(np.array([[0, 1], [1, 0]], np.uint8), 32, 0), 32, 1)


def add_toy_format(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the module where the package looks for formats. Returns a file of that format, which holds `DIGITS`."""
    package = folder / "more"
    package.mkdir()
    (package / "toy_digits.py").write_text(TOY)
    monkeypatch.setattr(smis_desktop.formats, "__path__", [*smis_desktop.formats.__path__, str(package)])
    monkeypatch.delitem(sys.modules, "smis_desktop.formats.toy_digits", raising=False)
    path = folder / "drawn.digits"
    path.write_text("\n".join("".join(str(i) for i in row) for row in DIGITS))
    return path

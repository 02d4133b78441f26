"""Small documents for the tests of painting."""

from __future__ import annotations

import pytest

from smis_desktop.document.document import Document
from smis_desktop.document.editor import DocumentEditor
from smis_desktop.document.palette import Palette, SemanticClass

PALETTE = Palette(tuple(SemanticClass(i, f"class {i}", (i, i, i)) for i in (0, 3, 7, 200)))


@pytest.fixture
def bench() -> DocumentEditor:
    """A blank document of 64 pixels in four classes."""
    return DocumentEditor(Document.blank(PALETTE, 64))

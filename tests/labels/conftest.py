"""Small documents for the tests of painting."""

from __future__ import annotations

import pytest

from smis_desktop.labels.document import Document
from smis_desktop.labels.palette import Palette, SemanticClass
from smis_desktop.labels.workbench import Workbench

PALETTE = Palette(tuple(SemanticClass(i, f"class {i}", (i, i, i)) for i in (0, 3, 7, 200)))


@pytest.fixture
def bench() -> Workbench:
    """A blank document of 64 pixels in four classes."""
    return Workbench(Document.blank(PALETTE, 64))

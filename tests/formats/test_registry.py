"""One registry of formats: dialogs, drag and drop and the command line are built from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from smis_desktop.errors import UserError
from smis_desktop.formats.registry import FoundFile, formats, layout_suffixes, read_layout
from smis_desktop.main import main
from smis_desktop.ui.dialogs.file_dialogs import readable_filter
from tests.formats.toy_format import DIGITS, add_toy_format


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of a format that one module more declares."""
    return add_toy_format(tmp_path, monkeypatch)


def test_every_format_is_declared_once_and_in_full() -> None:
    found = formats()
    assert len({f.name for f in found}) == len(found) >= 10
    for f in found:
        assert f.is_folder or all(suffix.startswith(".") and suffix == suffix.lower() for suffix in f.suffixes)
        assert bool(f.layout_name) == (f.read_layout is not None)
    assert layout_suffixes() == (".png", ".smis")


def test_a_format_is_one_file_that_dialogs_and_the_command_line_find(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "*.digits" in readable_filter("Paintings", ("project", "picture", "layers", "layout"))
    assert FoundFile(toy).suffix in layout_suffixes()
    np.testing.assert_array_equal(read_layout(toy).label_map, DIGITS)
    assert main(["render", "--help"]) == 0
    assert "texts of digits" in " ".join(capsys.readouterr().out.split())


def test_what_no_format_reads_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="layout"):
        read_layout(tmp_path)

"""Diagnostics say what helps, and nobody's name."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from smis_desktop import __version__
from smis_desktop.diagnostics.log_file import kept_log
from smis_desktop.diagnostics.report import diagnostics, without_personal_names


@pytest.fixture
def anna(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of a user named anna at the computer annas-laptop."""
    home = tmp_path / "people" / "anna"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "anna")
    monkeypatch.setattr("socket.gethostname", lambda: "annas-laptop")
    monkeypatch.setenv("SMIS_DATA_DIR", str(home / "data"))
    return home


def test_they_hold_versions_facts_and_the_end_of_the_log_without_names(anna: Path) -> None:
    with kept_log():
        logging.getLogger("smis").info("opened %s on annas-laptop", anna / "Pictures" / "face.smis")
    text = diagnostics({"Model": "faces"}, f'  File "{anna}/lib/brush.py", line 3\nValueError: /media/anna/stick')
    assert f"SMIS Desktop: {__version__}" in text
    assert "Model: faces" in text
    assert "torch 2." in text
    assert "opened ~/Pictures/face.smis on COMPUTER" in text
    assert 'File "~/lib/brush.py", line 3' in text
    assert "/media/USER/stick" in text
    assert "anna" not in text.lower()
    assert str(anna) not in text


def test_only_whole_names_are_taken_out(anna: Path) -> None:
    assert without_personal_names("Susanna and savannah, Anna's") == "Susanna and savannah, USER's"
    assert without_personal_names(f"{anna}belle/x {anna}/x") == f"{anna.parent}/annabelle/x ~/x"

"""Into the menu of a Linux desktop and out again, by its own readers where they are at hand."""

from __future__ import annotations

import configparser
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from PIL import Image

from smis_desktop import main as cli
from smis_desktop.storage.desktop_entry import install_desktop_entry, remove_desktop_entry


def entry_of(share: Path) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(share / "applications" / "smis-desktop.desktop", encoding="utf-8")
    return parser["Desktop Entry"]


def test_the_entry_starts_the_program_with_the_file_that_was_opened(tmp_path: Path) -> None:
    words = ['/opt/my programs/100%/s"m$i`s\\x', "-m", "smis_desktop"]
    install_desktop_entry(tmp_path, words)
    line = entry_of(tmp_path)["Exec"]
    # What a desktop does: undo the escapes of a string, then those of quoted words, then the doubled percent signs.
    found = re.findall(r'"((?:\\.|[^"\\])*)"|(\S+)', line.replace("\\\\", "\\"))
    split = [re.sub(r"\\(.)", r"\1", quoted) or plain for quoted, plain in found]
    assert [word.replace("%%", "%") for word in split] == [*words, "%f"]


def test_every_type_that_it_opens_is_described_and_every_icon_has_its_size(tmp_path: Path) -> None:
    written = install_desktop_entry(tmp_path, ["smis"])
    entry = entry_of(tmp_path)
    space = "{http://www.freedesktop.org/standards/shared-mime-info}"
    types = (
        ElementTree.parse(tmp_path / "mime" / "packages" / "smis-desktop.xml").getroot().findall(f"{space}mime-type")
    )
    assert sorted(kind.attrib["type"] for kind in types) == sorted(filter(None, entry["MimeType"].split(";")))
    endings = {glob.attrib["pattern"] for kind in types for glob in kind.findall(f"{space}glob")}
    assert endings == {"*.smis", "*.smismodel"}
    icons = [path for path in written if path.suffix == ".png"]
    assert len(icons) == 8
    for path in icons:
        with Image.open(path) as image:
            assert f"{image.width}x{image.height}" == path.parent.parent.name
        assert path.stem == entry["Icon"]


def test_what_was_put_there_is_taken_away_again_and_nothing_else(tmp_path: Path) -> None:
    written = install_desktop_entry(tmp_path, ["smis"])
    other = tmp_path / "applications" / "other.desktop"
    other.write_text("[Desktop Entry]\n")
    assert sorted(remove_desktop_entry(tmp_path)) == sorted(written)
    assert other.is_file()
    assert remove_desktop_entry(tmp_path) == []


def test_the_command_does_it_for_this_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    assert cli.main(["desktop-entry"]) == 0
    assert entry_of(tmp_path / "share")["Exec"].endswith(" -m smis_desktop %f")
    assert cli.main(["desktop-entry", "--remove"]) == 0
    assert not (tmp_path / "share" / "applications" / "smis-desktop.desktop").exists()


def test_a_place_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "share").write_text("a file")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    assert cli.main(["desktop-entry"]) == 2
    assert "XDG_DATA_HOME" in capsys.readouterr().err

"""Adds the program to a Linux desktop: its menu entry, its icons, and the files that a double click opens.

Source: the freedesktop.org specifications of desktop entries, icon themes and shared MIME information.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from smis_desktop.errors import UserError
from smis_desktop.resources import ICON_SIDES, desktop_icon_path, resources_folder
from smis_desktop.storage.atomic import write_bytes

_NAME = "smis-desktop"


def user_share() -> Path:
    """Return where a user's desktop looks for such files: `$XDG_DATA_HOME`, else `~/.local/share`."""
    chosen = os.environ.get("XDG_DATA_HOME")
    return Path(chosen) if chosen else Path.home() / ".local" / "share"


def start_command() -> list[str]:
    """Return the command line that starts this program: the packaged program, or `python -m smis_desktop`."""
    if getattr(sys, "frozen", False):
        return [sys.executable]
    return [sys.executable, "-m", "smis_desktop"]


def install_desktop_entry(share: Path, command: Sequence[str]) -> list[Path]:
    """Write entry, MIME types and icons below `share`, each atomically. Returns the files written.

    command: what starts the program. Raises UserError when the disk refuses.
    """
    source = resources_folder() / "desktop"
    entry = (source / f"{_NAME}.desktop").read_text(encoding="utf-8")
    started = " ".join(_quoted(word) for word in command)
    contents = {
        _entry_path(share): entry.replace("Exec=smis ", f"Exec={started} ").encode(),
        _mime_path(share): (source / f"{_NAME}.xml").read_bytes(),
        _icon_path(share, "scalable"): (resources_folder() / "icons" / "smis.svg").read_bytes(),
        **{_icon_path(share, f"{side}x{side}"): desktop_icon_path(side).read_bytes() for side in ICON_SIDES},
    }
    for path, content in contents.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{path.parent} cannot be made ({error.strerror}); make it, or set XDG_DATA_HOME."
            ) from error
        write_bytes(path, content)
    _refresh_desktop(share)
    return list(contents)


def remove_desktop_entry(share: Path) -> list[Path]:
    """Remove what `install_desktop_entry` wrote. Returns the files removed."""
    places = ["scalable", *(f"{side}x{side}" for side in ICON_SIDES)]
    paths = [_entry_path(share), _mime_path(share), *(_icon_path(share, place) for place in places)]
    removed = [path for path in paths if path.is_file()]
    for path in removed:
        try:
            path.unlink()
        except OSError as error:
            raise UserError(f"{path} cannot be removed ({error.strerror}); remove it by hand.") from error
    _refresh_desktop(share)
    return removed


def _entry_path(share: Path) -> Path:
    return share / "applications" / f"{_NAME}.desktop"


def _mime_path(share: Path) -> Path:
    return share / "mime" / "packages" / f"{_NAME}.xml"


def _icon_path(share: Path, place: str) -> Path:
    ending = "svg" if place == "scalable" else "png"
    return share / "icons" / "hicolor" / place / "apps" / f"{_NAME}.{ending}"


def _quoted(word: str) -> str:
    """Quote a word of an entry's command line as the specification asks, and double its percent signs.

    A backslash is written twice in a quoted word, and each of the two twice again as in every string of an entry.
    """
    word = word.replace("%", "%%")
    if word and all(sign.isalnum() or sign in "/._-+%" for sign in word):
        return word
    escaped = "".join("\\" + sign if sign in '"`$\\' else sign for sign in word)
    return '"' + escaped.replace("\\", "\\\\") + '"'


def _refresh_desktop(share: Path) -> None:
    """Make the desktop read its folders again; where the update programs are missing, it does so by itself later."""
    for words in (
        ["update-mime-database", str(share / "mime")],
        ["update-desktop-database", str(share / "applications")],
    ):
        program = shutil.which(words[0])
        if program is not None and Path(words[1]).is_dir():
            subprocess.run([program, *words[1:]], stdin=subprocess.DEVNULL, capture_output=True, check=False)

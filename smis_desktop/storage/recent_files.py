"""The projects that were open lately, newest first."""

from __future__ import annotations

import json
from pathlib import Path

from smis_desktop.errors import UserError
from smis_desktop.storage.atomic import write_bytes

_MOST = 12


class RecentFiles:
    """A list in a file of the data folder; whatever is wrong with that file, the list is then empty."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "recent.json"

    def paths(self) -> tuple[Path, ...]:
        """Those that still exist."""
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return ()
        if not isinstance(found, list):
            return ()
        paths = [Path(name) for name in found if isinstance(name, str)]
        return tuple(path for path in paths[:_MOST] if path.is_file())

    def add(self, path: Path) -> None:
        """It becomes the newest. A list that cannot be written is not worth a word."""
        path = path.absolute()
        names = [str(path), *(str(p) for p in self.paths() if p != path)][:_MOST]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(self._path, json.dumps(names).encode())
        except (OSError, UserError):
            return

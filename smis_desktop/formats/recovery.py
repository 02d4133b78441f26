"""Recovery files of unsaved paintings, and the list of recent projects.

One folder for each running window, with a lock that the system releases when the process ends, however it ends: a
folder whose lock is free belongs to nobody that lives.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from smis_desktop.errors import UserError
from smis_desktop.formats.project import Project, encode_project, read_project
from smis_desktop.storage.atomic import take_lock, write_bytes

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


_PROJECT, _FACTS, _LOCK = "project.smis", "facts.json", "lock"


@dataclass(frozen=True)
class RecoveryOffer:
    """A painting that outlived its window. `origin`: the project file that it belongs to; `saved_at`: seconds since
    1970."""

    folder: Path
    origin: Path | None
    saved_at: float

    @property
    def name(self) -> str:
        """What to call it."""
        return self.origin.name if self.origin else "Untitled"


class RecoveryFolder:
    """This window's own recovery file, and those that others left behind. Use as a context manager, or `close` it."""

    def __init__(self, data_folder: Path) -> None:
        """Raises UserError when the folder cannot be written."""
        self._root = data_folder / "recovery"
        self._own = self._root / f"{int(time.time())}-{secrets.token_hex(4)}"
        try:
            self._own.mkdir(parents=True)
            self._lock = (self._own / _LOCK).open("wb")
        except OSError as error:
            raise UserError(f"{self._root} cannot be written ({error.strerror}); autosaving is off.") from error
        take_lock(self._lock)

    def __enter__(self) -> RecoveryFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def save(self, project: Project, origin: Path | None) -> None:
        """Writes the painting as it is. Raises UserError when the disk refuses."""
        facts = {"origin": None if origin is None else str(origin), "saved_at": time.time()}
        write_bytes(self._own / _PROJECT, encode_project(project))
        write_bytes(self._own / _FACTS, json.dumps(facts).encode())

    def forget(self) -> None:
        """Nothing is unsaved any more."""
        for name in (_PROJECT, _FACTS):
            with contextlib.suppress(OSError):
                (self._own / name).unlink()

    def close(self) -> None:
        """The window closes in peace: nothing is left of it."""
        if not self._lock.closed:
            self._lock.close()
            shutil.rmtree(self._own, ignore_errors=True)

    def offers(self) -> tuple[RecoveryOffer, ...]:
        """Paintings of windows that no longer live, newest first. Folders that hold none are removed."""
        found = []
        for folder in self._others():
            with _free(folder) as is_free:
                if not is_free:
                    continue
                if not (folder / _PROJECT).is_file():
                    shutil.rmtree(folder, ignore_errors=True)
                    continue
                found.append(_offer(folder))
        return tuple(sorted(found, key=lambda offer: -offer.saved_at))

    def load(self, offer: RecoveryOffer) -> Project:
        """Raises UserError when it is damaged."""
        return read_project(offer.folder / _PROJECT)

    def discard(self, offer: RecoveryOffer) -> None:
        """It is not wanted, or saved elsewhere by now."""
        if offer.folder.parent == self._root:
            shutil.rmtree(offer.folder, ignore_errors=True)

    def _others(self) -> list[Path]:
        try:
            return [path for path in self._root.iterdir() if path.is_dir() and path != self._own]
        except OSError:
            return []


def _offer(folder: Path) -> RecoveryOffer:
    saved_at = (folder / _PROJECT).stat().st_mtime
    origin = None
    try:
        facts = json.loads((folder / _FACTS).read_bytes())
        if isinstance(facts.get("origin"), str):
            origin = Path(facts["origin"])
    except (OSError, ValueError, AttributeError, RecursionError):
        origin = None  # the project itself is there, and that is what matters
    return RecoveryOffer(folder, origin, saved_at)


@contextlib.contextmanager
def _free(folder: Path) -> Iterator[bool]:
    """Whether nobody holds the folder's lock, held by us meanwhile."""
    try:
        lock = (folder / _LOCK).open("r+b")
    except OSError:
        yield True  # without a lock it cannot be anybody's
        return
    with lock:
        yield take_lock(lock)

"""Recovery files of unsaved paintings, and the list of recent projects.

Each running window has a folder with a lock that the system releases when the process ends, however it ends: a folder
whose lock is free belongs to a window that has crashed.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from smis_desktop.errors import UserError
from smis_desktop.formats.project import Project, encode_project, read_project
from smis_desktop.storage.atomic import take_lock, write_bytes

_MAX_RECENT = 12


class RecentFiles:
    """The recent projects, in a file of the data folder; a damaged file counts as an empty list."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "recent.json"

    def paths(self) -> tuple[Path, ...]:
        """Return the files that still exist, newest first."""
        try:
            names = msgspec.json.decode(self._path.read_bytes(), type=list[str])
        except (OSError, UnicodeDecodeError, msgspec.DecodeError, RecursionError):
            return ()
        return tuple(path for path in map(Path, names[:_MAX_RECENT]) if path.is_file())

    def add(self, path: Path) -> None:
        """Make a file the newest. Ignores a list that cannot be written."""
        path = path.absolute()
        names = [str(path), *(str(p) for p in self.paths() if p != path)][:_MAX_RECENT]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(self._path, msgspec.json.encode(names))
        except (OSError, UserError):
            return


_PROJECT, _FACTS, _LOCK = "project.smis", "facts.json", "lock"


class _RecoverySchema(msgspec.Struct):
    origin: str | None = None
    saved_at: float = 0.0


@dataclass(frozen=True)
class RecoveryOffer:
    """A painting whose window has crashed. origin: the project file it belongs to; saved_at: seconds since 1970."""

    folder: Path
    origin: Path | None
    saved_at: float

    @property
    def name(self) -> str:
        """The painting's name, for people."""
        return self.origin.name if self.origin else "Untitled"


class RecoveryFolder:
    """This window's own recovery file, and those of crashed windows. Use it as a context manager, or `close` it."""

    def __init__(self, data_folder: Path) -> None:
        """Make this window's folder. Raises UserError when it cannot be written."""
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
        """Write the painting as it is now. Raises UserError when the disk refuses."""
        facts = _RecoverySchema(None if origin is None else str(origin), time.time())
        write_bytes(self._own / _PROJECT, encode_project(project))
        write_bytes(self._own / _FACTS, msgspec.json.encode(facts))

    def forget(self) -> None:
        """Remove the recovery file: nothing is unsaved any more."""
        for name in (_PROJECT, _FACTS):
            with contextlib.suppress(OSError):
                (self._own / name).unlink()

    def close(self) -> None:
        """Remove this window's folder, when the window closes normally."""
        if not self._lock.closed:
            self._lock.close()
            shutil.rmtree(self._own, ignore_errors=True)

    def offers(self) -> tuple[RecoveryOffer, ...]:
        """Return the paintings of crashed windows, newest first. Folders that hold none are removed."""
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
        """Read an offered painting. Raises UserError when it is damaged."""
        return read_project(offer.folder / _PROJECT)

    def discard(self, offer: RecoveryOffer) -> None:
        """Remove an offered painting that is not wanted, or that has been saved elsewhere."""
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
        facts = msgspec.json.decode((folder / _FACTS).read_bytes(), type=_RecoverySchema)
        origin = None if facts.origin is None else Path(facts.origin)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        origin = None  # the project itself is there, and that is what matters
    return RecoveryOffer(folder, origin, saved_at)


@contextlib.contextmanager
def _free(folder: Path) -> Iterator[bool]:
    """Yield whether no other process holds the folder's lock; this one holds it until the block ends."""
    try:
        lock = (folder / _LOCK).open("r+b")
    except OSError:
        yield True  # without a lock it cannot be anybody's
        return
    with lock:
        yield take_lock(lock)

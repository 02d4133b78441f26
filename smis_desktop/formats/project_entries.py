"""The entries of a project's zip: written with a fixed date, read with a limit on what they unpack to."""

from __future__ import annotations

import zipfile

_MAX_UNPACKED = 1 << 30


class EntryWriter:
    """Writes entries with a fixed date, so that the same project always gives the same bytes."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def put(self, name: str, data: bytes) -> None:
        """Add an entry. PNG is not deflated again."""
        compression = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
        self._archive.writestr(zipfile.ZipInfo(name), data, compression)


class EntryReader:
    """Reads entries by name, and refuses more bytes than a project can plausibly hold. Unpacks nothing to disk."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._left = _MAX_UNPACKED

    def read(self, name: str, most: int = _MAX_UNPACKED) -> bytes:
        """Return an entry's bytes. Raises ValueError for more than `most`, KeyError where there is none."""
        most = min(most, self._left)
        with self._archive.open(name) as entry:
            data = entry.read(most + 1)
        self._left -= len(data)
        if self._left < 0:
            raise ValueError("it unpacks to more than a gigabyte")
        if len(data) > most:
            raise ValueError(f"{name} is too long")
        return data

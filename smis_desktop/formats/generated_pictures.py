"""`generated.json` beside generated pictures: which latents they were made from.

A generated picture needs no inversion to become a shot: its `z` can be drawn again from the seed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from smis_desktop.errors import UserError
from smis_desktop.storage.atomic import write_bytes

FILE_NAME = "generated.json"
_VERSION = 1
_MAX_BYTES = 50_000_000


@dataclass(frozen=True)
class GeneratedPicture:
    """One picture: `name` is its file's stem; `w = mapping(seeded_z(seed), truncation)`."""

    name: str
    seed: int
    truncation: float


@dataclass(frozen=True)
class GeneratedPictures:
    """The generated pictures of one folder, all by one generator."""

    generator: str
    weights_sha256: str
    pictures: tuple[GeneratedPicture, ...]

    def by_name(self) -> dict[str, GeneratedPicture]:
        """{file stem: picture}."""
        return {picture.name: picture for picture in self.pictures}

    def with_pictures(self, pictures: Iterable[GeneratedPicture]) -> GeneratedPictures:
        """These pictures added; one of the same name takes the older one's place."""
        merged = self.by_name() | {picture.name: picture for picture in pictures}
        return GeneratedPictures(self.generator, self.weights_sha256, tuple(merged[name] for name in sorted(merged)))


class _Entry(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    seed: Annotated[int, msgspec.Meta(ge=0)]
    truncation: Annotated[float, msgspec.Meta(ge=0, le=2)]


class _Version(msgspec.Struct):
    format_version: Annotated[int, msgspec.Meta(ge=1)]


class _File(msgspec.Struct):
    format_version: int
    generator: str
    weights_sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    pictures: list[_Entry]


def read_generated_pictures(folder: Path) -> GeneratedPictures | None:
    """What the folder's `generated.json` tells; None where there is none.

    Raises UserError when it cannot be read, was written by a newer version, or says something else.
    """
    path = folder / FILE_NAME
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({(error.strerror or str(error)).lower()}); check the file.") from error
    if len(data) > _MAX_BYTES:
        raise UserError(f"{path} is too large for a list of generated pictures; delete it.")
    try:
        version = msgspec.json.decode(data, type=_Version).format_version
        if version > _VERSION:
            raise UserError(
                f"{path} was written by a newer version of this program (format {version}, this one reads up to "
                f"{_VERSION}); update the program."
            )
        content = msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{path} is not a list of generated pictures ({error}); delete it.") from error
    pictures = tuple(GeneratedPicture(entry.name, entry.seed, entry.truncation) for entry in content.pictures)
    return GeneratedPictures(content.generator, content.weights_sha256, pictures)


def write_generated_pictures(folder: Path, generated: GeneratedPictures) -> Path:
    """Write the folder's `generated.json`, atomically, and return its path. Raises UserError when it cannot be."""
    entries = [_Entry(picture.name, picture.seed, picture.truncation) for picture in generated.pictures]
    content = _File(_VERSION, generated.generator, generated.weights_sha256, entries)
    path = folder / FILE_NAME
    write_bytes(path, msgspec.json.format(msgspec.json.encode(content), indent=1))
    return path

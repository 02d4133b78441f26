"""Shots folders: photos with their label maps, and `classes.json`."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np

from smis_desktop.document.palette import EMPTY, UNLABELLED_SPARSE_ID, LabelKind, Palette, SemanticClass, default_color
from smis_desktop.errors import UserError
from smis_desktop.formats.image_file import (
    PHOTO_SUFFIXES,
    middle_squares,
    read_label_map,
    read_picture,
    same_proportions,
)

_MAX_BYTES = 1_000_000


class _ClassEntry(msgspec.Struct, forbid_unknown_fields=True):
    id: Annotated[int, msgspec.Meta(ge=0, le=254)]
    name: Annotated[str, msgspec.Meta(pattern=r"^\S(.{0,78}\S)?$")]
    color: Annotated[str, msgspec.Meta(pattern="^#[0-9a-fA-F]{6}$")] | None = None


class _ClassesFile(msgspec.Struct, forbid_unknown_fields=True):
    classes: list[_ClassEntry]


def read_classes(path: Path) -> dict[int, SemanticClass]:
    """Read `{"classes": [{"id": 0, "name": "sky", "color": "#aabbcc"}, …]}` as {id: class}.

    Ids are 0–254, each once, and so are names (1–80 characters); a class without `color` gets its id's default colour.
    Other keys are refused. Raises UserError when the file cannot be read or holds anything else.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({(error.strerror or str(error)).lower()}): check the file.") from error
    if len(data) > _MAX_BYTES:
        raise UserError(f"{path} is too large for a list of classes: check the file.")
    try:
        # Some editors put a byte-order mark in front.
        content = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=_ClassesFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(
            f'{path} is not a list of classes ({error}): write {{"classes": [{{"id": 0, "name": "sky", '
            '"color": "#aabbcc"}]}.'
        ) from error
    classes: dict[int, SemanticClass] = {}
    names: set[str] = set()
    for entry in content.classes:
        if entry.id in classes:
            raise UserError(f"{path} names class {entry.id} twice: give every id one name.")
        if entry.name in names:
            raise UserError(f"{path} gives the name {entry.name!r} to two classes: give every class its own.")
        names.add(entry.name)
        red, green, blue = bytes.fromhex(entry.color[1:]) if entry.color else default_color(entry.id)
        classes[entry.id] = SemanticClass(entry.id, entry.name, (red, green, blue))
    return classes


TransferRule = Literal["informed", "probe", "vectors"]
"""How labels are transferred to other pictures: by a probe with the generator's part prior, by a probe of the
shots alone, or by the representative vectors of Endo and Kanamori (see `personal_model/`)."""

MAX_SHOTS = 100

_AREAS_FROM = 0.5
"""Share of unlabelled pixels (255) above which labels are scribbles or points."""
_THING_FROM = 0.1
"""Share of pixels other than 0 above which 0 looks like the background of an object rather than unlabelled."""


@dataclass(frozen=True, eq=False)
class Shot:
    """One labelled photo, both square and showing the same frame, at sizes of their own.

    name: the file stem. picture: uint8 [S, S, 3] sRGB. label_map: uint8 [s, s] class ids, 255 = empty.
    notes: sentences for the person about what was done to it (cropping).
    """

    name: str
    picture: np.ndarray = field(repr=False)
    label_map: np.ndarray = field(repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ShotsFolder:
    """The shots in natural order of their names, the palette of their classes, and all notes."""

    shots: tuple[Shot, ...]
    palette: Palette
    notes: tuple[str, ...]


def shot_names(folder: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the stems of a shots folder's pairs, in natural order, without opening a picture.

    Raises UserError for a folder that is none, and for files without their counterpart; see `read_shots`.
    """
    return tuple(_find_pairs(Path(folder))[0])


def likely_label_kind(label_maps: Sequence[np.ndarray], zero_is_a_class: bool) -> LabelKind:
    """Guess the kind of labels, uint8 [s, s] each: sparse where most pixels are 255, or nearly all of them 0 or 255.

    A small object on a ground of class 0 covers more than scribbles do. zero_is_a_class: whether it is known to be one.
    """
    empty = np.mean([(label_map == EMPTY).mean() for label_map in label_maps])
    unsaid = np.mean([np.isin(label_map, (UNLABELLED_SPARSE_ID, EMPTY)).mean() for label_map in label_maps])
    is_sparse = empty > _AREAS_FROM or (unsaid > 1 - _THING_FROM and not zero_is_a_class)
    return "sparse" if is_sparse else "dense"


def read_shots(
    folder: str | os.PathLike[str], label_kind: LabelKind = "dense", names: Collection[str] | None = None
) -> ShotsFolder:
    """Read a folder of `images/NAME.jpg|jpeg|png|webp` and `labels/NAME.png`, with an optional `classes.json`.

    Pairs are found by file stem. A label may have another size than its photo, but must have its proportions;
    pairs that are not square are cropped to their common middle, and a note says so.
    names: of the pairs to read, if not all of them.

    The palette holds exactly the ids that occur in the labels used and those that `classes.json` names (names and
    colours; without it a class is called `class 7`). Ids are never renumbered. 255 is never a class, nor is 0 where
    label_kind is "sparse": there it means unknown.

    Raises UserError for everything that keeps the folder from being used whole: it or its parts missing, empty or
    unreadable, a photo without label or a label without photo, two files of one name, proportions that differ, a
    label without a labelled pixel, more than 100 pairs.
    """
    folder = Path(folder)
    pairs, notes = _find_pairs(folder)
    if names is not None:
        pairs = {name: pair for name, pair in pairs.items() if name in names}
    named = read_classes(folder / "classes.json") if (folder / "classes.json").exists() else {}
    no_class = _no_class(label_kind)
    shots = tuple(_read_shot(name, picture, label, no_class) for name, (picture, label) in pairs.items())
    present = {int(i) for shot in shots for i in np.unique(shot.label_map)}
    palette = _palette(present, named, no_class)
    return ShotsFolder(shots, palette, (*notes, *(note for shot in shots for note in shot.notes)))


def _read_shot(name: str, picture_path: Path, label_path: Path, no_class: frozenset[int]) -> Shot:
    label_map = read_label_map(label_path)
    picture = read_picture(picture_path)
    picture_size, label_size = _size(picture), _size(label_map)
    if not same_proportions(picture_size, label_size):
        raise UserError(
            f"{label_path} is {_times(label_size)} but {picture_path} is {_times(picture_size)}: "
            "make the label from the photo, at any size of the same proportions."
        )
    picture_square, label_square = middle_squares(picture_size, label_size)
    picture, label_map = picture_square.of(picture), label_square.of(label_map)
    if np.isin(label_map, list(no_class)).all():
        raise UserError(f"{label_path} has no labelled pixel: label at least one class in its middle square.")
    notes: tuple[str, ...] = ()
    if _size(picture) != picture_size or _size(label_map) != label_size:
        what = f"photo ({_times(picture_size)}) and label ({_times(label_size)}) are"
        kept = f"{_times(_size(picture))} and {_times(_size(label_map))} are"
        if picture_size == label_size:
            what, kept = f"photo and label ({_times(label_size)}) are", f"{_times(_size(label_map))} is"
        notes = (f"{name}: {what} not square; their middle {kept} used.",)
    return Shot(name, picture, label_map, notes)


def _no_class(label_kind: LabelKind) -> frozenset[int]:
    return frozenset({EMPTY, UNLABELLED_SPARSE_ID} if label_kind == "sparse" else {EMPTY})


def _palette(present: set[int], named: dict[int, SemanticClass], no_class: frozenset[int]) -> Palette:
    ids = sorted((present | named.keys()) - no_class)
    return Palette(tuple(named.get(i) or SemanticClass(i, f"class {i}", default_color(i)) for i in ids))


def _find_pairs(folder: Path) -> tuple[dict[str, tuple[Path, Path]], list[str]]:
    """Return {stem: (picture, label)} in natural order, and notes about files that are neither."""
    if not folder.exists():
        raise UserError(f"{folder} does not exist: give a folder that holds images/ and labels/.")
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder: give a folder that holds images/ and labels/.")
    for part in ("images", "labels"):
        if not (folder / part).is_dir():
            raise UserError(f"{folder} has no folder {part}/: put photos into images/ and their labels into labels/.")
    pictures, other_pictures = _by_stem(folder / "images", PHOTO_SUFFIXES)
    labels, other_labels = _by_stem(folder / "labels", (".png",))
    if not pictures and not labels:
        raise UserError(f"{folder} holds no shots: put photos into images/ and their labels, as PNG, into labels/.")
    for stem in _natural(pictures.keys() - labels.keys()):
        for path in other_labels:
            if _stem(path) == stem:
                raise UserError(f"{path} is no PNG: save the label as an index PNG named {stem}.png.")
        raise UserError(f"{pictures[stem]} has no label: add {folder / 'labels' / stem}.png or take the photo away.")
    for stem in _natural(labels.keys() - pictures.keys()):
        for path in other_pictures:
            if _stem(path) == stem:
                raise UserError(f"{path} is no JPEG, PNG or WebP file: save the photo as one of these.")
        raise UserError(f"{labels[stem]} has no photo: add {stem}.jpg or .png to {folder / 'images'}.")
    if len(pictures) > MAX_SHOTS:
        raise UserError(f"{folder} holds {len(pictures)} shots: keep the best {MAX_SHOTS} at most (one to five do).")
    notes = [f"{path.parent.name}/{path.name} was left out: it is no image file." for path in other_pictures]
    notes += [f"{path.parent.name}/{path.name} was left out: it is no PNG file." for path in other_labels]
    return {stem: (pictures[stem], labels[stem]) for stem in _natural(pictures)}, notes


def _by_stem(folder: Path, suffixes: tuple[str, ...]) -> tuple[dict[str, Path], list[Path]]:
    """Return the files with one of the suffixes by stem, and the other files; hidden and system files are left out."""
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise UserError(
            f"{folder} cannot be read ({(error.strerror or str(error)).lower()}): check its permissions."
        ) from error
    found: dict[str, Path] = {}
    others: list[Path] = []
    for path in paths:
        if path.name.startswith(".") or path.name.lower() in ("thumbs.db", "desktop.ini"):
            continue
        if path.suffix.lower() not in suffixes:
            others.append(path)
            continue
        stem = _stem(path)
        if stem in found:
            raise UserError(f"{found[stem]} and {path.name} have the same name: keep one of them.")
        found[stem] = path
    return found, others


def _stem(path: Path) -> str:
    # The same letters may be composed in one folder and decomposed in the other (files that passed through a Mac).
    return unicodedata.normalize("NFC", path.stem)


def _natural(names: Iterable[str]) -> list[str]:
    """Return a key that sorts numbers by value: 2 before 10."""

    def key(name: str) -> tuple[list[tuple[int, int | str]], str]:
        parts = re.split(r"(\d+)", name)
        return [(0, int(part)) if k % 2 else (1, part.casefold()) for k, part in enumerate(parts)], name

    return sorted(names, key=key)


def _size(pixels: np.ndarray) -> tuple[int, int]:
    return pixels.shape[1], pixels.shape[0]


def _times(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"

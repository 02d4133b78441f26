"""Imports StyleGAN2 checkpoints of other programs: a confined process reads and checks them."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from pathlib import Path

import msgspec
from safetensors import SafetensorError
from safetensors.torch import load_file

from smis_desktop.errors import UserError
from smis_desktop.generators.catalog import CHECKPOINT_SUFFIXES, DEFAULT_GENERATOR, is_good_name
from smis_desktop.generators.checkpoints.confined_reader import ESCAPE_TRIED, Outcome, work
from smis_desktop.generators.store import InstalledGenerator, install_generator, is_installed
from smis_desktop.storage.data_folder import data_folder
from smis_desktop.storage.wheel_download import Progress

LICENCE = "unknown, given by the person"
_MAX_FILE_SIZE = 4 << 30
_TIMEOUT_SECONDS = 120.0
_MAX_ANSWER_SIZE = 1 << 16
_UNREADABLE = "cannot be read (the process that read it was stopped)"


class ClassWanted(UserError):
    """Raised when the checkpoint is conditional and no class was chosen: 0 to `num_classes` - 1."""

    def __init__(self, path: Path, num_classes: int) -> None:
        super().__init__(
            f"{path} holds a generator of {num_classes} classes, 0 to {num_classes - 1}; "
            "choose one with --class-index (each becomes a generator of its own)."
        )
        self.num_classes = num_classes


def import_generator(
    path: Path, name: str, progress: Progress, class_index: int | None = None
) -> tuple[InstalledGenerator, tuple[str, ...]]:
    """Install the StyleGAN2 of a checkpoint under `name`. No code in the file is ever run.

    Returns:
        The installed generator, and sentences about what could not be imported exactly.

    Raises:
        ClassWanted: the generator is conditional and no class is given.
        UserError: the file is refused, the name is taken or not allowed, or the disk is full. Nothing is installed.
    """
    check_name(name)
    if is_installed(name):
        raise UserError(f"There is a generator named {name!r} already; choose another name, or delete that one first.")
    _check_file(path)
    progress(f"Reading {path.name}", 0.0)
    with tempfile.TemporaryDirectory(prefix="import-", dir=data_folder("generators")) as folder:
        target = Path(folder) / "weights"
        outcome = _read_confined(path, target, class_index)
        if outcome.class_needed:
            raise ClassWanted(path, outcome.num_classes)
        if outcome.refused:
            raise UserError(f"{path} {outcome.refused}.")
        try:
            weights = load_file(target)
            source = path.name if not outcome.num_classes else f"{path.name}, class {class_index}"
            installed = install_generator(name, "stylegan2", weights, source, LICENCE, progress)
        except (SafetensorError, RuntimeError, KeyError, ValueError, IndexError) as error:
            raise UserError(f"{path} does not hold a complete StyleGAN2 generator.") from error
    progress(f"{name} is installed", 1.0)
    return installed, outcome.notes


def check_name(name: str) -> None:
    """Raise UserError if a new generator cannot have that name."""
    if not is_good_name(name):
        raise UserError(f"{name!r} cannot be a generator's name; use letters, digits, spaces, dots and dashes.")
    if name == DEFAULT_GENERATOR:
        raise UserError(f"The name {name!r} belongs to the default generator; choose another.")


def _check_file(path: Path) -> None:
    try:
        if not path.exists():
            raise UserError(f"{path} does not exist.")
        if not path.is_file():
            raise UserError(f"{path} is not a file; give a checkpoint ({', '.join(CHECKPOINT_SUFFIXES)}).")
        if path.stat().st_size > _MAX_FILE_SIZE:
            raise UserError(f"{path} is larger than any StyleGAN2 checkpoint.")
        with path.open("rb"):
            pass
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from error


def _read_confined(path: Path, target: Path, class_index: int | None) -> Outcome:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(sender, str(path), str(target), class_index), daemon=True)
    process.start()
    sender.close()
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    try:
        answer = receiver.recv_bytes(_MAX_ANSWER_SIZE) if receiver.poll(_TIMEOUT_SECONDS) else None
    except (EOFError, OSError):
        answer = None
    process.join(max(0.0, deadline - time.monotonic()))
    if process.is_alive():
        process.kill()
        process.join()
    receiver.close()
    if process.exitcode == ESCAPE_TRIED:
        return Outcome("tried to do something that reading a file never needs, and was stopped")
    if answer is None or process.exitcode != 0:
        return Outcome(_UNREADABLE)
    try:
        return msgspec.json.decode(answer, type=Outcome)
    except msgspec.DecodeError:
        return Outcome(_UNREADABLE)

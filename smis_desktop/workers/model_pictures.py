"""Makes a small picture of each personal model in the library: a photograph with its layout in a corner."""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from smis_desktop.errors import UserError
from smis_desktop.formats.image_file import write_picture
from smis_desktop.personal_model.library import picture_path
from smis_desktop.workers.process import Inbox, Send, WorkerProcess

if TYPE_CHECKING:
    from smis_desktop.generators.generator import Generator
    from smis_desktop.inference.backends import SynthesisBackend
    from smis_desktop.personal_model.model import PersonalModel

log = logging.getLogger(__name__)

SIDE = 256
_INSET, _EDGE = 96, 3
_TRUNCATION = 0.7


@dataclass(frozen=True)
class ModelPictured:
    """A model's picture has been written."""

    path: Path


def model_pictures(paths: tuple[Path, ...], deliver: Callable[[Any], None]) -> WorkerProcess:
    """Return a process that makes the pictures, not started yet; models whose generator is missing are skipped.

    deliver: receives a `ModelPictured` for each picture.
    """
    return WorkerProcess(picture_models, (paths,), deliver)


def picture_models(send: Send, inbox: Inbox, paths: tuple[Path, ...]) -> None:
    """Make the pictures; runs in the process."""
    import torch

    from smis_desktop.generators.store import is_installed, open_generator
    from smis_desktop.inference.backend_selection import open_chosen_backend
    from smis_desktop.personal_model.model import read_personal_model

    threads = max(1, os.cpu_count() or 1)
    torch.set_num_threads(threads)
    opened: dict[str, tuple[Generator, SynthesisBackend]] = {}
    for path in paths:
        try:
            model = read_personal_model(path)
            name = model.generator_name
            if name not in opened:
                if not is_installed(name):
                    continue
                opened.clear()  # only one at a time fits into memory
                generator = open_generator(name)
                opened[name] = generator, open_chosen_backend(generator, threads, lambda words, fraction: None)
            keep_picture(path, *opened[name], model)
        except UserError as error:
            log.info("no picture of %s: %s", path.name, error)
            continue
        send(ModelPictured(path))


def keep_picture(path: Path, generator: Generator, pictures: SynthesisBackend, model: PersonalModel) -> None:
    """Write a model's picture next to its file.

    Raises:
        UserError: It cannot be written, or the model belongs to another generator.
    """
    write_picture(picture_path(path), picture_of(generator, pictures, model))


def picture_of(generator: Generator, pictures: SynthesisBackend, model: PersonalModel) -> np.ndarray:
    """Return a model's picture, uint8 [256, 256, 3], with its layout in a corner.

    The layout is what the model sees in a random picture, whose seed depends on the model's name.

    Raises:
        UserError: The model belongs to another generator.
    """
    from smis_desktop.document.style import Style
    from smis_desktop.generators.generator import latents_of_seed
    from smis_desktop.inference.synthesizer import PictureRequest, Synthesizer
    from smis_desktop.personal_model.model import segment_latents

    model.require(generator)
    model.move_to(generator.device)
    seed = zlib.crc32(model.name.encode()) % 1_000_000
    layout = segment_latents(generator, model, latents_of_seed(generator, seed, _TRUNCATION), SIDE)
    request = PictureRequest(layout, Style.of_seed(seed), SIDE, "draft")
    picture = Synthesizer(generator, model, pictures).render(request).picture.copy()
    cells = np.arange(_INSET) * SIDE // _INSET
    picture[-_INSET - _EDGE :, : _INSET + _EDGE] = 255
    picture[-_INSET:, :_INSET] = model.palette.color_table[layout[np.ix_(cells, cells)]]
    return picture

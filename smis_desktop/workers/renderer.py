"""The renderer of the preview thread: a personal model with its generator, and how they are opened."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from smis_desktop.document.palette import Palette

if TYPE_CHECKING:
    from smis_desktop.generators.generator import Generator
    from smis_desktop.inference.backends import CpuFallbackBackend
    from smis_desktop.inference.synthesizer import PictureRequest, PictureResult


class Renderer(Protocol):
    """Turns requests into pictures: a `Synthesizer`, or a stand-in for tests."""

    @property
    def name(self) -> str:
        """The personal model's name."""
        ...

    @property
    def palette(self) -> Palette:
        """The model's classes."""
        ...

    @property
    def device(self) -> str:
        """Device and backend for people, such as `CPU, 4 threads, torch, float32`; changes when memory runs out."""
        ...

    @property
    def generator_name(self) -> str:
        """Name of the installed generator."""
        ...

    @property
    def full_size(self) -> int:
        """Side of the generator's pictures in pixels."""
        ...

    def render(self, request: PictureRequest) -> PictureResult:
        """Return the picture of a request, always the same for the same request.

        Raises:
            UserError: The person can put it right.
        """
        ...


Progress = Callable[[str, float], None]
"""Receives what is being done and the fraction done, 0–1; negative when unknown."""
OpenRenderer = Callable[[Progress], Renderer]
"""Opens a renderer, and reports its progress."""
OpenModel = Callable[[Path], OpenRenderer]
"""Returns how to open the personal model in a file."""


def open_renderer(model_path: Path) -> OpenRenderer:
    """Return a function that opens the personal model in a file, and first downloads a generator that is missing."""

    def opened(progress: Progress) -> Renderer:
        progress("Loading the networks", -1.0)
        # Not at the top of the file: torch takes seconds to import, and the window should be there long before.
        import torch

        from smis_desktop.inference.synthesizer import Synthesizer
        from smis_desktop.personal_model.model import read_personal_model

        # With more than two cores, one is left to the window; with two, the system divides them better than we could.
        cores = os.cpu_count() or 1
        threads = cores - 1 if cores > 2 else cores
        torch.set_num_threads(threads)
        progress("Opening the personal model", -1.0)  # also where the opening ends if the window is closed already
        model = read_personal_model(model_path)
        generator, backend = _open_generator(model.generator_name, threads, progress)
        model.move_to(generator.device)
        return Synthesizer(generator, model, backend)

    return opened


_last_opened: dict[tuple[str, str, str], tuple[Generator, CpuFallbackBackend]] = {}
"""The generator that was opened last, by name, digest of its weights (a deleted generator's name may be used again) and
requested backend: the next model usually has the same generator, and opens at once."""


def _open_generator(name: str, threads: int, progress: Progress) -> tuple[Generator, CpuFallbackBackend]:
    from smis_desktop.generators.device import best_device
    from smis_desktop.generators.store import installed_generators, open_generator
    from smis_desktop.inference.backend_selection import open_chosen_backend, requested_backend

    requested = requested_backend()
    weights = next((found.weights_sha256 for found in installed_generators() if found.name == name), "")
    if (name, weights, requested) not in _last_opened:
        progress("Opening the generator", -1.0)
        generator = open_generator(name, progress)
        generator.to(best_device())
        backend = open_chosen_backend(generator, threads, progress)
        _last_opened.clear()
        weights = generator.weights_sha256  # known only now if it was downloaded
        _last_opened[name, weights, requested] = generator, backend
    return _last_opened[name, weights, requested]

"""What the preview thread renders with: a personal model and its generator, opened once and asked again and again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from smis_desktop.document.palette import Palette

if TYPE_CHECKING:
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


OpenRenderer = Callable[[Callable[[str, float], None]], Renderer]
"""Opens a renderer, and reports what it is doing with the fraction done, 0–1; a negative fraction is unknown."""
OpenModel = Callable[[Path], OpenRenderer]
"""Returns how to open the personal model in a file."""

"""What the preview thread paints with: opened once, asked again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from smis_desktop.labels.palette import Palette

if TYPE_CHECKING:  # synthesis imports torch, which takes seconds: only the thread itself waits for that
    from smis_desktop.synthesis import PictureRequest, PictureResult


class Renderer(Protocol):
    """What turns requests into pictures: a generator and a personal model, opened and ready."""

    @property
    def name(self) -> str:
        """The personal model's name, for people."""
        ...

    @property
    def palette(self) -> Palette:
        """The classes that layouts are painted in."""
        ...

    @property
    def device(self) -> str:
        """What computes, for people: `CPU, 4 threads`. Another after a picture that did not fit into its memory."""
        ...

    @property
    def generator_name(self) -> str:
        """The installed generator that makes the pictures."""
        ...

    @property
    def full_size(self) -> int:
        """Side of the generator's own pictures in pixels."""
        ...

    def render(self, request: PictureRequest) -> PictureResult:
        """A pure function of the request. Raises UserError for what a person can put right."""
        ...


OpenRenderer = Callable[[Callable[[str, float], None]], Renderer]
"""Opens a renderer, reporting `(what is being done, fraction 0–1)` on the way; a negative fraction: nobody knows."""

"""Where the files that ship with the program are: in an installed package's `_data`, or in the checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent

MODEL_SUFFIX = ".smismodel"
"""The ending of personal model files."""

ICON_SIDES = (16, 24, 32, 48, 64, 128, 256, 512)
"""In pixels: the sizes in which the program's sign is there for desktops."""


def models_folder() -> Path:
    """Shipped models."""
    return _shipped("models")


def resources_folder() -> Path:
    """Icons, the example layout, the default model's shots."""
    return _shipped("resources")


def desktop_icon_path(side: int) -> Path:
    """The program's sign as a PNG of one of `ICON_SIDES`."""
    return resources_folder() / "desktop" / "icons" / f"{side}.png"


def shipped_networks_folder(part: str) -> Path:
    """Networks that a packaged program brings along, so that it needs no network to begin: `generators` or `networks`.

    The folder need not exist: a checkout and a wheel bring none, and fetch what they need.
    """
    return _shipped(part)


def default_model_path() -> Path:
    """The personal model for faces that a new user paints with."""
    return models_folder() / f"faces{MODEL_SUFFIX}"


def example_layout_path() -> Path:
    """A layout in the default model's classes."""
    return resources_folder() / "example_layout.png"


def _shipped(name: str) -> Path:
    installed = _PACKAGE / "_data" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name

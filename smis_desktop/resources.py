"""Where the files that ship with the program are: in an installed package's `_data`, or in the checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent

MODEL_SUFFIX = ".smismodel"
"""The ending of personal model files."""

ICON_SIDES = (16, 24, 32, 48, 64, 128, 256, 512)
"""Sides in pixels of the program's icon for desktops."""


def models_folder() -> Path:
    """Return the folder of shipped models."""
    return _shipped("models")


def resources_folder() -> Path:
    """Return the folder of icons, the example layout and the default model's shots."""
    return _shipped("resources")


def desktop_icon_path(side: int) -> Path:
    """Return the program's icon as a PNG, for one of `ICON_SIDES`."""
    return resources_folder() / "desktop" / "icons" / f"{side}.png"


def shipped_networks_folder(part: str) -> Path:
    """Return the folder of networks that a packaged program includes, so that it starts offline.

    part: `generators` or `networks`. The folder need not exist: a checkout and a wheel download what they need.
    """
    return _shipped(part)


def default_model_path() -> Path:
    """Return the personal model for faces, which a new user starts with."""
    return models_folder() / f"faces{MODEL_SUFFIX}"


def example_layout_path() -> Path:
    """Return a layout in the default model's classes."""
    return resources_folder() / "example_layout.png"


def _shipped(name: str) -> Path:
    installed = _PACKAGE / "_data" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name

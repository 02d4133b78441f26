"""Where the files that ship with the program are: in an installed package's `_data`, or in the checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def models_folder() -> Path:
    """Shipped models."""
    return _shipped("models")


def resources_folder() -> Path:
    """Icons, the example layout, the default model's shots."""
    return _shipped("resources")


def default_model_path() -> Path:
    """The personal model for faces that a new user paints with."""
    return models_folder() / "faces.smismodel"


def example_layout_path() -> Path:
    """A layout in the default model's classes."""
    return resources_folder() / "example_layout.png"


def _shipped(name: str) -> Path:
    installed = _PACKAGE / "_data" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name

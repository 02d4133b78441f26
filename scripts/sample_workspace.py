"""Makes a workspace as a person would, from the labelled pictures that ship with the program."""

from __future__ import annotations

from pathlib import Path

from smis_desktop.formats.shots_folder import read_shots
from smis_desktop.resources import resources_folder
from smis_desktop.training.shots import read_generated_pictures
from smis_desktop.training.workspace import Workspace, WorkspaceSettings

SHOTS = resources_folder() / "faces-shots"


def sample_workspace(parent: Path, name: str, count: int) -> Workspace:
    """Create a workspace in a new folder in `parent`, with that many generated and labelled shots."""
    folder, known = read_shots(SHOTS, "dense"), read_generated_pictures(SHOTS)
    assert known is not None, "the shipped shots come with their seeds"
    workspace = Workspace.create(parent, WorkspaceSettings(name, known.generator, known.weights_sha256), folder.palette)
    seeds = known.by_name()
    for shot in folder.shots[:count]:
        own = workspace.add_generated(shot.picture, seeds[shot.name].seed, seeds[shot.name].truncation)
        workspace.set_label(own, shot.label_map)
    return workspace

"""Files from before 0.1.0, of the times when their formats grew: what they say nothing of is as it was then."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from smis_desktop.document.document import DocumentState
from smis_desktop.document.layers import Layer
from smis_desktop.document.style import Look, Style
from smis_desktop.errors import UserError
from smis_desktop.formats.exported_picture import read_picture_project
from smis_desktop.formats.open_raster import read_ora
from smis_desktop.formats.photoshop import read_psd
from smis_desktop.formats.project import KeptPicture, KeptStyle, Project, read_project
from smis_desktop.personal_model.library import ModelLibrary
from smis_desktop.personal_model.model import read_personal_model
from smis_desktop.training.shots import kept_latents, latent_pair
from smis_desktop.training.workspace import ShotState, Workspace, WorkspaceSettings
from tests.golden import description
from tests.golden.subjects import PALETTE, document, layouts

OLDER = Path(__file__).parent / "older"
MODEL = ("Gesichter", "ab" * 32, "/home/painter/faces.smismodel")


def latents(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(10, 24)).astype(np.float32)


def before_faders() -> Project:
    """A style was a seed and how much of it is mixed in."""
    bands = DocumentState(64, PALETTE, (Layer(1, "Layer 1", pixels=layouts()[1]),), 1)
    style = KeptStyle(Style.of_seed(11, 0.75), {"later": [1, "x"]}, latents(1))
    return Project(document(), style, *MODEL, (KeptPicture(b"png 1", bands, KeptStyle(Style.of_seed(7, 0.5))),))


def before_variety() -> Project:
    """Nothing was taken from a look but what the faders say."""
    own, other = Look.of_latents(latents(1), "Foto ä"), Look.of_latents(latents(2), "2")
    style = Style(own, 0.75, 0.125, 0.25, 0.875, Look(11), 0.375, ((3, Look(5)), (7, other)), variety=0.0)
    kept = KeptPicture(b"png 1", document(), KeptStyle(Style.of_seed(7, 0.5, variety=0.0)))
    return Project(document(), KeptStyle(style, {"later": [1, "x"]}, latents(3), (Look(0), other)), *MODEL, (kept,))


def test_projects_from_before_there_were_faders() -> None:
    expected = description.project(before_faders())
    assert description.project(read_project(OLDER / "before-faders" / "painting.smis")) == expected
    recipe = read_picture_project(OLDER / "before-faders" / "picture.png")
    assert recipe is not None
    assert description.project(recipe) == expected


def test_layered_files_of_that_time() -> None:
    expected = description.document(document())
    assert description.document(read_ora(OLDER / "before-faders" / "layers.ora", PALETTE)) == expected
    assert description.document(read_psd(OLDER / "before-faders" / "layers.psd", PALETTE)) == expected


def test_projects_from_before_there_was_variety() -> None:
    found = read_project(OLDER / "before-variety" / "painting.smis")
    assert description.project(found) == description.project(before_variety())


def test_an_assistants_folder_of_the_first_kind(tmp_path: Path) -> None:
    shutil.copytree(OLDER / "first-workshops", tmp_path / "workshops")
    (workspace,) = Workspace.all_in(tmp_path / "workshops")
    assert workspace.settings == WorkspaceSettings("Things", "golden", "ab" * 32, "dense", 4, 0.25, "informed", False)
    assert workspace.palette == PALETTE
    photo = ShotState("photo", True, None, 20.5, 0.25, is_found_by_label=False)
    assert workspace.shots() == (photo, ShotState("seed-000005", True, 5))
    for name, label_map in zip(("photo", "seed-000005"), layouts(), strict=True):
        np.testing.assert_array_equal(workspace.label(name), label_map)
        assert workspace.picture(name).shape == (48, 48, 3)
    found = kept_latents(workspace.path, "photo")
    assert found is not None
    np.testing.assert_array_equal(latent_pair(found).numpy(), np.stack((latents(4), latents(4))))


@pytest.mark.parametrize("version", [1, 2])
def test_models_of_older_formats_are_to_be_trained_again(version: int, tmp_path: Path) -> None:
    """They cannot be used any more, and say so; the library lists them all the same."""
    path = tmp_path / f"format-{version}.smismodel"
    with zipfile.ZipFile(OLDER / "models-of-formats-1-and-2.zip") as archive:
        path.write_bytes(archive.read(path.name))
    with pytest.raises(UserError) as refusal:
        read_personal_model(path)
    assert str(refusal.value) == f"{path} was made by an older version of this program; train the model again."
    (listed,) = ModelLibrary(tmp_path).models()
    assert (listed.name, listed.generator) == ("small", "golden")
    assert listed.palette is not None
    assert listed.palette.class_ids == (0, 3, 7, 9)

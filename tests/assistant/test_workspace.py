"""A workspace on the disk: what was done is there again, and is a shots folder that can be trained from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from smis_desktop.document.palette import Palette, SemanticClass
from smis_desktop.errors import UserError
from smis_desktop.formats.shots_folder import read_shots
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.training.shots import kept_latents, latent_pair, training_shots
from smis_desktop.training.workspace import SHOT_SIDE, ShotState, Workspace
from tests.assistant.conftest import CLASSES


def photo(side: int = 96) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (side, side, 3), np.uint8)


def test_everything_is_there_again(workspace: Workspace, tmp_path: Path) -> None:
    name = workspace.add_photo("Tante Änne!", photo(2 * SHOT_SIDE))
    again = Workspace.all_in(tmp_path / "workshops")
    assert [w.path for w in again] == [workspace.path]
    shots = {shot.name: shot for shot in again[0].shots()}
    assert shots["seed-000001"].seed == 1
    assert shots["seed-000001"].is_labelled
    assert shots["seed-000001"].is_located
    assert (shots[name].is_labelled, shots[name].is_located) == (False, False)
    assert again[0].picture(name).shape == (SHOT_SIDE, SHOT_SIDE, 3)
    assert again[0].palette == CLASSES
    assert again[0].settings.name == "Things"


def test_names_never_collide_and_a_removed_shot_is_gone(workspace: Workspace) -> None:
    first, second = workspace.add_photo("a/b", photo()), workspace.add_photo("a/b", photo())
    assert first != second
    workspace.remove_shot(first)
    assert first not in {shot.name for shot in workspace.shots()}
    assert workspace.label(first) is None


def test_a_photo_with_the_name_of_a_removed_generated_shot_is_a_photo(workspace: Workspace) -> None:
    workspace.remove_shot("seed-000001")
    assert workspace.add_photo("seed-000001", photo()) == "seed-000001"
    seeds = {shot.name: shot.seed for shot in workspace.shots()}
    assert seeds == {"seed-000001": None, "seed-000002": 2}


def test_an_empty_label_is_none_and_classes_keep_their_ids(workspace: Workspace) -> None:
    name = workspace.shots()[0].name
    label = workspace.label(name)
    assert label is not None
    workspace.set_palette(Palette((*CLASSES.classes, SemanticClass(9, "sky", (1, 2, 3)))))
    np.testing.assert_array_equal(workspace.label(name), label)
    workspace.set_label(name, np.full((64, 64), 255, np.uint8))
    assert workspace.label(name) is None
    assert not workspace.shots()[0].is_labelled


def test_latents_belong_to_the_picture_they_were_found_for(workspace: Workspace, small: MobileStyleGAN) -> None:
    name = workspace.add_photo("photo", photo())
    ws = np.zeros((small.num_ws, small.w_dim), np.float32)
    workspace.set_latents(name, ws, ws + 1, 20.0, 0.25)
    shot = next(shot for shot in workspace.shots() if shot.name == name)
    assert (shot.psnr, shot.perceptual, shot.is_located) == (20.0, 0.25, True)
    found = kept_latents(workspace.path, name)
    assert found is not None
    near, close = latent_pair(found).numpy()
    np.testing.assert_array_equal(near, ws)
    np.testing.assert_array_equal(close, ws + 1)
    near, close = latent_pair({"ws": found["ws"]}).numpy()
    np.testing.assert_array_equal(near, close, "as earlier versions wrote it")
    workspace.remove_shot(name)
    assert workspace.add_photo("photo", photo()[::-1]) == name
    assert kept_latents(workspace.path, name) is None


def test_the_labelled_shots_are_a_shots_folder(workspace: Workspace, small: MobileStyleGAN) -> None:
    name = workspace.add_photo("photo", photo())
    workspace.set_label(name, np.where(np.arange(96) < 40, 1, 2).astype(np.uint8)[None].repeat(96, 0))
    ones = np.ones((small.num_ws, small.w_dim))
    workspace.set_latents(name, ones, ones, 20.0, 0.3)
    workspace.add_photo("nobody labelled", photo())
    folder = read_shots(workspace.labelled_folder())
    assert [shot.name for shot in folder.shots] == [name, "seed-000001", "seed-000002"]
    shots = training_shots(workspace.path / "labelled", folder, small)
    assert all(shot.is_known for shot in shots), "nothing is searched for again"
    assert shots[0].found is not None
    assert shots[1].ws is not None


def test_the_better_find_stays_and_that_labels_helped_is_remembered(
    workspace: Workspace, small: MobileStyleGAN
) -> None:
    name = workspace.add_photo("photo", photo())
    near, other = np.zeros((small.num_ws, small.w_dim)), np.ones((small.num_ws, small.w_dim))

    def state() -> ShotState:
        return next(shot for shot in workspace.shots() if shot.name == name)

    assert workspace.set_better_latents(name, near, near + 1, 20.0, 0.2)
    assert not state().is_found_by_label
    assert not workspace.set_better_latents(name, other, other, 19.0, 0.3, by_label=True)
    assert state() == ShotState(name, False, None, 20.0, 0.2, is_found_by_label=True)
    found = kept_latents(workspace.path, name)
    assert found is not None
    np.testing.assert_array_equal(latent_pair(found).numpy(), np.stack((near, near + 1)))
    assert workspace.set_better_latents(name, other, other, 21.0, 0.1, by_label=True)
    assert (state().perceptual, state().is_found_by_label) == (0.1, True)


def test_found_before_it_was_labelled_it_is_searched_for_again_where_labels_help(
    workspace: Workspace, small: MobileStyleGAN, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = workspace.add_photo("photo", photo())
    workspace.set_label(name, np.where(np.arange(96) < 40, 1, 2).astype(np.uint8)[None].repeat(96, 0))
    ones = np.ones((small.num_ws, small.w_dim))
    workspace.set_latents(name, ones, ones, 20.0, 0.3)
    path = workspace.labelled_folder()
    folder = read_shots(path)
    monkeypatch.setattr(small, "part_prior", {8: torch.ones(2, small.feature_channels(8))})
    assert [shot.is_known for shot in training_shots(path, folder, small)] == [False, True, True]
    workspace.set_better_latents(name, ones, ones, 20.0, 0.3, by_label=True)
    path = workspace.labelled_folder()
    assert all(shot.is_known for shot in training_shots(path, folder, small))


def test_a_damaged_workshop_is_told_in_a_sentence(workspace: Workspace) -> None:
    (workspace.path / "workshop.json").write_text("{")
    with pytest.raises(UserError, match=r"workshop\.json is damaged"):
        _ = workspace.settings

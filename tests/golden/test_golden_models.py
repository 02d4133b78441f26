"""Generators and models that earlier versions wrote make the same pictures, and trainings that they began go on."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from smis_desktop import main as cli
from smis_desktop.errors import UserError
from smis_desktop.formats.project import read_project
from smis_desktop.formats.shots_folder import read_shots
from smis_desktop.generators.generator import latents_of_seed, to_rgb8
from smis_desktop.generators.store import installed_generators, open_generator
from smis_desktop.personal_model.model import read_personal_model, write_personal_model
from smis_desktop.storage.data_folder import data_folder
from smis_desktop.training.events import StageProgress
from smis_desktop.training.perceptual import PerceptualDistance
from smis_desktop.training.sample_pool import FeatureCache
from smis_desktop.training.shots import training_shots
from smis_desktop.training.training import TrainingFolder
from tests.golden import description
from tests.golden.conftest import Golden, as_json, assert_same_pictures
from tests.golden.pictures import picture_of_project, pictures_of_layouts
from tests.golden.subjects import picture_latents
from tests.golden.trained import SETTINGS, TRAIN_OPTIONS, trained

MODELS = ("dense", "informed", "points", "scribbles", "stylegan2", "vectors")


def test_generators_are_listed_and_make_the_same_pictures(golden: Golden) -> None:
    found = {one.name: one for one in installed_generators()}
    for expected in golden.expected["generators"]:
        facts = dict(expected)
        tensors = facts.pop("tensors")
        name = facts["name"]
        listed = dataclasses.asdict(found[name])
        assert listed.pop("path") == golden.data / "generators" / f"{name}.safetensors"
        assert listed == facts
        generator = open_generator(name)
        assert description.network(generator) == tensors
        assert (generator.num_ws, generator.img_resolution) == (facts["num_ws"], facts["img_resolution"])
        ws = latents_of_seed(generator, 5, 0.7)
        with torch.inference_mode():
            picture = to_rgb8(generator.synthesis(ws[None])[0])[::2, ::2]
        assert_same_pictures({"ws": ws.numpy(), "picture": picture}, golden.pictures(name))


@pytest.mark.parametrize("file", MODELS)
def test_a_model_is_read_whole_and_makes_the_same_pictures(golden: Golden, file: str, tmp_path: Path) -> None:
    expected = golden.expected["models"][file]
    model = read_personal_model(golden.library / f"{file}.smismodel")
    assert as_json(description.model(model)) == expected
    write_personal_model(tmp_path / "again.smismodel", model)
    again = read_personal_model(tmp_path / "again.smismodel")
    assert as_json(description.model(again)) == expected, "written once more, it is the same"
    generator = open_generator(expected["generator"][0])
    assert_same_pictures(pictures_of_layouts(generator, model, golden.arrays["layouts"]), golden.pictures(file))


def test_every_model_is_looked_at(golden: Golden) -> None:
    assert sorted(golden.expected["models"]) == list(MODELS)


def test_a_project_shows_the_same_picture_in_its_style(golden: Golden) -> None:
    model = read_personal_model(golden.library / "dense.smismodel")
    project = read_project(golden.folder / "files" / "painting.smis")
    found = picture_of_project(open_generator("golden"), model, project)
    assert_same_pictures(found, golden.pictures("painting"))


def test_features_that_were_kept_are_read(golden: Golden) -> None:
    settings = dataclasses.replace(SETTINGS, samples=1, round_size=1)
    kept = FeatureCache.of(open_generator("golden"), settings)
    for name, expected in golden.expected["features"].items():
        found = kept.read(name)
        assert found is not None, name
        assert {key: description.array(value) for key, value in found.items()} == expected


def test_shots_keep_where_they_were_found(golden: Golden) -> None:
    generator, folder = open_generator("golden"), read_shots(golden.folder / "shots")
    shots = {shot.name: shot for shot in training_shots(golden.folder / "shots", folder, generator)}
    np.testing.assert_allclose(shots["seed-000001"].ws, latents_of_seed(generator, 1, 1.0))
    for name in ("photo-by-label", "photo-by-itself"):
        found = shots[name].found
        assert found is not None
        near, close = (picture_latents(generator, seed) for seed in (200, 220))
        np.testing.assert_allclose(found.numpy(), np.stack((near, close)), atol=1e-5)
    assert not shots["photo-not-found"].is_known


def test_a_training_that_was_stopped_goes_on_from_where_it_was(golden: Golden) -> None:
    """What its last steps aim at may have changed since; what the steps before them learned is all there."""
    heard: list[Any] = []
    generator, stages = open_generator("golden"), TrainingFolder(golden.folder / "unfinished" / "taught")
    model = trained(generator, "taught", SETTINGS, stages, on_event=heard.append)
    steps = [event for event in heard if isinstance(event, StageProgress) and event.loss is not None]
    assert [(event.stage, event.done) for event in steps] == [("obedience", step) for step in (21, 22, 23, 24)]
    assert as_json(model.settings) == golden.expected["taught"]
    found = pictures_of_layouts(generator, model, golden.arrays["layouts"])
    expected = golden.pictures("taught")
    assert found.keys() == expected.keys()
    for name, wanted in expected.items():
        if name.endswith("ws"):
            spread = wanted - wanted.mean(0)
            assert np.square(found[name] - wanted).mean() < 0.1 * np.square(spread).mean(), name


def test_another_training_does_not_go_on_from_it(golden: Golden) -> None:
    stages = TrainingFolder(golden.folder / "unfinished" / "taught")
    with pytest.raises(UserError, match="other shots or settings"):
        trained(open_generator("golden"), "taught", dataclasses.replace(SETTINGS, seed=1), stages)


@pytest.fixture
def with_perceptual_network(perceptual: PerceptualDistance) -> Callable[[Golden], None]:
    """Give the golden data folder the network of the tests' own one."""
    networks = data_folder("networks")
    return lambda golden: (golden.data / "networks").symlink_to(networks)


def test_the_search_for_a_photo_goes_on_on_the_command_line(
    with_perceptual_network: Callable[[Golden], None], golden: Golden, capsys: pytest.CaptureFixture[str]
) -> None:
    with_perceptual_network(golden)
    out = golden.folder / "found.smismodel"
    shutil.copytree(golden.folder / "unfinished" / "found", TrainingFolder.beside(out).path)
    assert cli.main(["train", str(golden.folder / "shots"), "--out", str(out), *TRAIN_OPTIONS, "--resume"]) == 0
    assert "begins anew" not in capsys.readouterr().err
    assert not TrainingFolder.beside(out).path.exists()
    generator, model = open_generator("golden"), read_personal_model(out)
    assert_same_pictures(pictures_of_layouts(generator, model, golden.arrays["layouts"]), golden.pictures("found"))

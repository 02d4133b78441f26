"""`smis models`: what is installed, and what lies in a folder."""

from __future__ import annotations

from pathlib import Path

from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from tests.cli.conftest import Smis


def test_lists_generators_and_models(smis: Smis, small_data: Path, small_model: Path, small: MobileStyleGAN) -> None:
    facts = smis("models", small_model.parent, "--json").facts
    shipped, generator = facts["generators"]
    assert (shipped["name"], shipped["architecture"], shipped["img_resolution"]) == ("landscapes", "stylegan2", 128)
    assert (generator["name"], generator["architecture"]) == ("small", "mobile-stylegan")
    assert (generator["img_resolution"], generator["num_ws"]) == (256, small.num_ws)
    (model,) = [m for m in facts["models"] if m["path"] == str(small_model.resolve())]
    assert model["name"] == "small classes"
    assert (model["generator"], model["generator_installed"], model["label_kind"]) == ("small", True, "dense")
    assert model["classes"] == [{"id": 0, "name": "ground"}, {"id": 1, "name": "skin"}, {"id": 7, "name": "hair"}]
    text = smis("models", small_model.parent).out
    assert "small classes" in text
    assert "0 ground, 1 skin, 7 hair" in text
    assert "faces: not installed yet" in text


def test_a_damaged_model_is_warned_about_and_the_rest_is_listed(
    smis: Smis, small_data: Path, small_model: Path
) -> None:
    damaged = small_model.with_name("damaged.smismodel")
    damaged.write_bytes(small_model.read_bytes()[:1000])
    ended = smis("models", small_model.parent, "--json")
    assert str(small_model.resolve()) in [m["path"] for m in ended.facts["models"]]
    (warning,) = ended.facts["warnings"]
    assert str(damaged.resolve()) in warning


def test_a_model_without_its_generator_says_so(smis: Smis, small_model: Path) -> None:
    """Here the data folder is the tests' own, where `small` is not installed."""
    facts = smis("models", small_model.parent, "--json").facts
    (model,) = [m for m in facts["models"] if m["name"] == "small classes"]
    assert model["generator_installed"] is False


def own_models(smis: Smis, *words: object) -> dict[str, dict[str, object]]:
    """One's own models by name, after a change; those that come with the program left out."""
    return {m["name"]: m for m in smis("models", *words, "--json").facts["models"] if m["name"] != "faces"}


def test_a_model_goes_round_through_one_file(smis: Smis, tmp_path: Path, small_data: Path, small_model: Path) -> None:
    """Imported, copied, renamed, described and exported; the note is still there when the file is imported again."""
    assert set(own_models(smis, "--import", small_model)) == {"small classes"}
    assert set(own_models(smis, "--duplicate", "small classes", "another")) == {"small classes", "another"}
    assert set(own_models(smis, "--rename", "another", "kept")) == {"small classes", "kept"}
    described = own_models(smis, "--note", "kept", "made of three shots")["kept"]
    assert described["note"] == "made of three shots"
    exported = tmp_path / "out.smismodel"
    own_models(smis, "--export", "kept", exported)
    own_models(smis, "--import", exported)
    notes = [m["note"] for m in smis("models", "--json").facts["models"] if m["name"] == "kept"]
    assert notes == ["made of three shots"] * 2
    assert "made of three shots" in smis("models").out


def test_a_model_that_is_not_there_or_there_twice_is_refused(
    smis: Smis, tmp_path: Path, small_data: Path, small_model: Path
) -> None:
    ended = smis("models", "--rename", "nobody", "somebody")
    assert ended.code == 2
    assert "None of your models is named 'nobody'" in ended.err
    for _ in range(2):
        smis("models", "--import", small_model)
    ended = smis("models", "--export", "small classes", tmp_path / "out.smismodel")
    assert ended.code == 2
    assert "name its file" in ended.err
    assert not (tmp_path / "out.smismodel").exists()

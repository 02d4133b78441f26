"""`smis repaint`: the picture changes where its layout does, and the next change goes on from it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from smis_desktop.document.composition import EDGE, MAX_EDGE, Repaint, repainted_region
from smis_desktop.document.document import Document
from smis_desktop.document.style import Anchor, Look, Style
from smis_desktop.formats.exported_picture import encode_project_picture, read_picture_project, write_photograph
from smis_desktop.formats.project import ANCHOR_KEY, KeptStyle, Project, anchor_to_json, write_project
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.inference.synthesizer import PictureRequest, Synthesizer
from smis_desktop.personal_model.model import read_personal_model
from smis_desktop.resources import default_model_path, example_layout_path
from smis_desktop.workers.preview_thread import STEPS_AT_REST
from tests.cli.conftest import PALETTE, Smis, files_below, label_map, untrained_model, write_layout
from tests.formats.projects import same_composition


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def with_spot() -> np.ndarray:
    """The usual layout with a spot of another class in it."""
    layout = label_map()
    layout[48:54, 10:16] = 7
    return layout


def recipe_of(path: Path) -> Project:
    project = read_picture_project(path)
    assert project is not None
    return project


@pytest.fixture
def picture(smis: Smis, tmp_path: Path, small_data: Path, small_model: Path) -> Path:
    """A rendered picture of the usual layout."""
    layout = write_layout(tmp_path / "face.png")
    assert smis("render", layout, "--model", small_model, "--out", tmp_path / "rendered", "--seed", 3).code == 0
    return tmp_path / "rendered" / "face.png"


@pytest.fixture
def spot(tmp_path: Path) -> Path:
    return write_layout(tmp_path / "spot.png", with_spot())


def test_a_rendered_picture_carries_what_it_is_made_of(picture: Path, small_model: Path) -> None:
    found = recipe_of(picture)
    np.testing.assert_array_equal(found.document.label_map(), label_map())
    assert found.document.palette == PALETTE
    assert (found.model_name, found.model_path) == ("small classes", str(small_model))
    assert (found.style.style, found.style.refined, found.style.generator) == (Style.of_seed(3), 0, "small")
    model = read_personal_model(small_model)
    assert found.style.composition_for("small", model.generator_sha256) is not None
    assert found.style.composition is not None
    assert found.style.ws is not None
    assert found.style.ws.shape == found.style.composition.base.shape


def test_the_picture_changes_where_the_layout_does(
    smis: Smis, tmp_path: Path, picture: Path, spot: Path, small: MobileStyleGAN, small_model: Path
) -> None:
    facts = smis("repaint", picture, spot, "--out", tmp_path / "o", "--json").facts
    (entry,) = facts["pictures"]
    assert (facts["model"], facts["generator"], facts["size"]) == ("small classes", "small", 256)
    assert (facts["edge"], facts["refine"]) == (EDGE, STEPS_AT_REST)
    target = tmp_path / "o" / "spot.png"
    assert (entry["path"], entry["layout"], entry["unknown_ids"]) == (str(target), str(spot), [])
    assert (entry["followed_as_a_whole"], entry["size"]) == (False, 256)
    mask = repainted_region(label_map(), with_spot())
    change = np.abs(pixels(target).astype(int) - pixels(picture)).mean(2)
    inside = mask.repeat(2, 0).repeat(2, 1) > 0
    assert 0.05 < inside.mean() < 0.5
    assert entry["change_outside"] == pytest.approx(change[~inside].mean(), abs=1e-3)
    assert entry["change_outside_p99"] == pytest.approx(np.percentile(change[~inside], 99), abs=1e-3)
    assert entry["change_inside"] == pytest.approx(change[inside].mean(), abs=1e-3)
    assert entry["change_outside"] <= 0.5 < entry["change_inside"]
    assert entry["iou"].keys() == {"ground", "skin", "hair"}, "the spot lies on the border of two"
    assert entry["iou_mean"] == pytest.approx(np.mean(list(entry["iou"].values())), abs=1e-3)
    assert entry["seconds"] > 0
    composition = recipe_of(picture).style.composition
    assert composition is not None
    request = PictureRequest(
        with_spot(), Style.of_seed(3), 256, refine_steps=STEPS_AT_REST, repaint=Repaint(composition, label_map())
    )
    wanted = Synthesizer(small, read_personal_model(small_model)).render(request).picture
    assert np.abs(pixels(target).astype(int) - wanted).max() <= 1


def test_the_next_change_goes_on_from_the_last(smis: Smis, tmp_path: Path, picture: Path, spot: Path) -> None:
    assert smis("repaint", picture, spot, "--out", tmp_path / "o", "--refine", 2).code == 0
    both = with_spot()
    both[20:26, 50:56] = 1
    write_layout(tmp_path / "both.png", both)
    ended = smis("repaint", tmp_path / "o" / "spot.png", tmp_path / "both.png", "--out", tmp_path / "o")
    assert ended.out == f"{tmp_path / 'o' / 'both.png'}\n"
    first, second = (recipe_of(tmp_path / "o" / name) for name in ("spot.png", "both.png"))
    assert (first.style.refined, second.style.refined) == (2, STEPS_AT_REST)
    before, after = first.style.composition, second.style.composition
    assert before is not None
    assert after is not None
    assert len(after.patches) == 2
    assert same_composition(replace(after, patches=after.patches[:1]), before)
    np.testing.assert_array_equal(second.document.label_map(), both)
    again = smis("repaint", tmp_path / "o" / "both.png", tmp_path / "both.png", "--out", tmp_path / "same", "--json")
    (entry,) = again.facts["pictures"]
    assert (entry["change_outside"], entry["change_inside"], entry["iou"], entry["iou_mean"]) == (0, None, {}, None)
    np.testing.assert_array_equal(pixels(tmp_path / "same" / "both.png"), pixels(tmp_path / "o" / "both.png"))
    assert recipe_of(tmp_path / "same" / "both.png").style.refined == STEPS_AT_REST


def test_edge_and_refinement_matter(smis: Smis, tmp_path: Path, picture: Path, spot: Path) -> None:
    made = {}
    for words in ((), ("--edge", MAX_EDGE), ("--edge", 0.01), ("--refine", 0), ("--refine", "auto")):
        assert smis("repaint", picture, spot, "--out", tmp_path / "o", *words).code == 0
        made[words] = pixels(tmp_path / "o" / "spot.png")
    np.testing.assert_array_equal(made[()], made["--refine", "auto"])
    changed = {words: (found != pixels(picture)).any(2).mean() for words, found in made.items()}
    assert changed["--edge", 0.01] < changed[()] < changed["--edge", MAX_EDGE]
    assert (made["--refine", 0] != made[()]).any()


def test_a_picture_that_changes_for_the_most_part_follows_as_a_whole(smis: Smis, tmp_path: Path, picture: Path) -> None:
    other = write_layout(tmp_path / "other.png", np.rot90(label_map(ids=(7, 0, 1))).copy())
    facts = smis("repaint", picture, other, "--out", tmp_path / "o", "--json").facts
    (entry,) = facts["pictures"]
    assert entry["followed_as_a_whole"]
    assert (entry["change_outside"], entry["change_outside_p99"]) == (None, None), "the layout changed everywhere"
    assert entry["change_inside"] > 0.5
    made = recipe_of(tmp_path / "o" / "other.png").style.composition
    assert made is not None
    assert made.patches == ()


def test_what_was_not_repainted_is_measured_too_where_the_whole_picture_follows(
    smis: Smis, tmp_path: Path, picture: Path
) -> None:
    """A layout of which most is unlabelled leaves it to the model."""
    few = np.full((64, 64), 255, np.uint8)
    few[:, :20] = label_map()[:, :20]
    begun = write_layout(tmp_path / "few.png", few)
    assert smis("render", begun, "--out", tmp_path / "o", "--model", recipe_of(picture).model_path).code == 0
    few[60:, :4] = 7
    changed = write_layout(tmp_path / "changed.png", few)
    facts = smis("repaint", tmp_path / "o" / "few.png", changed, "--out", tmp_path / "o", "--json").facts
    (entry,) = facts["pictures"]
    assert entry["followed_as_a_whole"]
    assert entry["change_outside"] > 0
    assert entry["change_inside"] > 0


def test_a_picture_of_another_size_stays_of_that_size(smis: Smis, tmp_path: Path, picture: Path, spot: Path) -> None:
    """A project has its generator's size; a picture that another program has cropped is told apart."""
    project = recipe_of(picture)
    write_project(tmp_path / "whole.smis", project)
    write_photograph(tmp_path / "small.png", np.zeros((96, 96, 3), np.uint8), project)
    write_photograph(tmp_path / "cropped.png", np.zeros((96, 80, 3), np.uint8), project)
    made = {}
    for name in ("whole.smis", "small.png", "cropped.png"):
        facts = smis("repaint", tmp_path / name, spot, "--out", tmp_path / name[:5], "--refine", 0, "--json").facts
        made[name] = pixels(tmp_path / name[:5] / "spot.png")
        assert facts["size"] == facts["pictures"][0]["size"] == len(made[name])
        assert len(facts["notes"]) == (name == "cropped.png")
    np.testing.assert_array_equal(made["whole.smis"], made["cropped.png"])
    assert made["whole.smis"].shape == (256, 256, 3)
    assert made["small.png"].shape == (96, 96, 3)


def test_layouts_of_any_size_and_folders_of_them(smis: Smis, tmp_path: Path, picture: Path) -> None:
    """Where they hold the same, nothing changes."""
    large = with_spot().repeat(8, 0).repeat(8, 1)
    write_layout(tmp_path / "l" / "a.png", with_spot())
    write_layout(tmp_path / "l" / "b.png", large)
    write_layout(tmp_path / "l" / "c.png", label_map().repeat(8, 0).repeat(8, 1))
    write_layout(tmp_path / "l" / "d.png", label_map()[1::2, 1::2].copy())
    facts = smis("repaint", picture, tmp_path / "l", "--out", tmp_path / "o", "--refine", 1, "--json").facts
    assert [Path(entry["path"]).name for entry in facts["pictures"]] == ["a.png", "b.png", "c.png", "d.png"]
    np.testing.assert_array_equal(pixels(tmp_path / "o" / "a.png"), pixels(tmp_path / "o" / "b.png"))
    np.testing.assert_array_equal(pixels(tmp_path / "o" / "c.png"), pixels(picture))
    np.testing.assert_array_equal(pixels(tmp_path / "o" / "d.png"), pixels(picture))


def test_what_the_model_does_not_know_is_told_and_changes_nothing(smis: Smis, tmp_path: Path, picture: Path) -> None:
    odd = label_map()
    odd[20:24, 40:44] = 255
    asked = write_layout(tmp_path / "unlabelled.png", odd)
    odd[20:24, 40:44] = 99
    strange = write_layout(tmp_path / "strange.png", odd)
    facts = smis("repaint", picture, asked, strange, "--out", tmp_path / "o", "--refine", 1, "--json").facts
    assert [entry["unknown_ids"] for entry in facts["pictures"]] == [[], [99]]
    assert len(facts["warnings"]) == 1
    np.testing.assert_array_equal(*(pixels(tmp_path / "o" / f"{name}.png") for name in ("unlabelled", "strange")))


def test_a_recipe_of_an_older_version_is_rendered_anew_first(
    smis: Smis, tmp_path: Path, picture: Path, spot: Path, small: MobileStyleGAN, small_model: Path
) -> None:
    """As the window opens it: with the photo that it started from, and the looks of its style."""
    model, project = read_personal_model(small_model), recipe_of(picture)
    synthesizer = Synthesizer(small, model)
    photo = Anchor(label_map(), synthesizer.render(PictureRequest(label_map(), Style.of_seed(9), 256)).ws, "Anna")
    extras: dict[str, Any] = {ANCHOR_KEY: anchor_to_json(photo), "later": 1}
    style = Style.of_seed(5, 0.5)
    older = replace(project, style=KeptStyle(style, extras, pins=(Look(2),)))
    write_project(tmp_path / "older.smis", older)
    words = ["repaint", tmp_path / "older.smis", spot, "--out", tmp_path / "o", "--refine", 2, "--json"]
    facts = smis(*words).facts
    assert any("older.smis does not hold what its picture is made of" in note for note in facts["notes"])
    before = synthesizer.render(PictureRequest(label_map(), style, 256, refine_steps=2, anchor=photo))
    wanted = synthesizer.render(
        PictureRequest(with_spot(), style, 256, refine_steps=2, repaint=Repaint(before.composition, label_map()))
    )
    assert np.abs(pixels(tmp_path / "o" / "spot.png").astype(int) - wanted.picture).max() <= 1
    assert facts["pictures"][0]["change_outside"] <= 0.5
    found = recipe_of(tmp_path / "o" / "spot.png")
    assert json.loads(json.dumps(found.style.extras)) == json.loads(json.dumps(extras))
    assert (found.style.pins, found.style.style) == ((Look(2),), style)
    assert found.style.composition is not None
    assert not found.style.composition.takes_variety, "it is a photo's"


def test_the_model_is_the_named_one_or_the_recipes_or_the_default(
    smis: Smis, tmp_path: Path, picture: Path, spot: Path, small: MobileStyleGAN, small_model: Path
) -> None:
    from smis_desktop.personal_model.model import write_personal_model

    other = tmp_path / "models" / "other.smismodel"
    write_personal_model(other, untrained_model(small, "other"))
    words = ["repaint", picture, spot, "--out", tmp_path / "o", "--refine", 0, "--json"]
    assert smis(*words).facts["model"] == "small classes"
    assert smis(*words, "--model", other).facts["model"] == "other"
    project = recipe_of(picture)
    write_photograph(picture, pixels(picture), replace(project, model_path="/x" * 5000))
    assert "is not at /x/x" in smis(*words).err, "no path that this computer could have"
    write_photograph(picture, pixels(picture), project)
    small_model.unlink()
    refused = smis(*words)
    assert (refused.code, refused.out) == (2, "")
    assert "'small classes' is not at" in refused.err
    assert "--model" in refused.err
    assert smis(*words, "--model", other).facts["model"] == "other"


def test_without_its_model_a_face_is_repainted_with_the_default_one(
    smis: Smis, tmp_path: Path, faces: MobileStyleGAN
) -> None:
    model = read_personal_model(default_model_path())
    layout = write_layout(tmp_path / "l.png", np.full((64, 64), model.palette.class_ids[0], np.uint8))
    made = Synthesizer(faces, model).render(PictureRequest(label_map(), size=64))
    style = KeptStyle(composition=made.composition, generator="faces", generator_sha256=faces.weights_sha256)
    document = Document.of_label_map(label_map(), model.palette).state()
    project = Project(document, style, "Mine", None, str(tmp_path / "gone.smismodel"))
    (tmp_path / "p.png").write_bytes(encode_project_picture(made.picture, project))
    facts = smis("repaint", tmp_path / "p.png", layout, "--out", tmp_path / "o", "--refine", 0, "--json").facts
    assert facts["model"] == model.name
    assert any("'Mine'" in note and "gone.smismodel" in note for note in facts["notes"])


def test_the_model_for_faces_at_its_defaults(smis: Smis, tmp_path: Path, faces: MobileStyleGAN) -> None:
    """What a person does first: render the example, paint thicker brows, repaint."""
    palette = read_personal_model(default_model_path()).palette
    ids = {c.name: c.class_id for c in palette.classes}
    with Image.open(example_layout_path()) as image:
        layout = np.array(image)
    rows, columns = np.nonzero(layout == ids["brows"])
    layout[rows - 6, columns] = layout[rows - 12, columns] = ids["brows"]
    assert smis("render", example_layout_path(), "--out", tmp_path / "r").code == 0
    Image.fromarray(layout).save(tmp_path / "brows.png")
    base = tmp_path / "r" / f"{example_layout_path().stem}.png"
    facts = smis("repaint", base, tmp_path / "brows.png", "--out", tmp_path / "o", "--json").facts
    (entry,) = facts["pictures"]
    assert (facts["model"], facts["size"], facts["notes"]) == ("faces", 1024, [])
    assert not entry["followed_as_a_whole"]
    assert entry["change_outside"] <= 0.5
    assert entry["change_outside_p99"] <= 2
    assert entry["change_inside"] > 2
    assert entry["iou"]["brows"] >= 0.5
    assert pixels(tmp_path / "o" / "brows.png").shape == (1024, 1024, 3)


def _refused(smis: Smis, folder: Path, *words: object) -> str:
    """What is said of words that are refused; nothing is written."""
    before = files_below(folder)
    ended = smis(*words)
    assert (ended.code, ended.out) == (2, "")
    assert files_below(folder) == before
    (sentence,) = [line for line in ended.err.splitlines() if not line.startswith("usage") and line[:1] != " "]
    return sentence


def test_pictures_without_a_recipe_are_refused(smis: Smis, tmp_path: Path, picture: Path, spot: Path) -> None:
    Image.fromarray(pixels(picture)).save(tmp_path / "plain.png")
    Image.fromarray(pixels(picture)).save(tmp_path / "plain.jpg")
    (tmp_path / "cut.png").write_bytes(picture.read_bytes()[:500])
    for name, words in (
        ("plain.png", "carries no recipe"),
        ("plain.jpg", "carries no recipe"),
        ("spot.png", "carries no recipe"),
        ("cut.png", "damaged"),
        ("missing.png", "does not exist"),
        ("models", "is a folder"),
    ):
        told = _refused(smis, tmp_path, "repaint", tmp_path / name, spot, "--out", tmp_path / "o")
        assert str(tmp_path / name) in told
        assert words in told


def test_a_picture_of_another_generator_is_refused(
    smis: Smis, tmp_path: Path, picture: Path, spot: Path, faces_model: Path
) -> None:
    words = ["repaint", picture, spot, "--out", tmp_path / "o"]
    told = _refused(smis, tmp_path, *words, "--model", faces_model)
    assert "'small'" in told
    assert "'faces'" in told
    project = recipe_of(picture)
    renamed = replace(project, style=replace(project.style, generator_sha256="0" * 64))
    write_photograph(picture, pixels(picture), renamed)
    assert "other weights of 'small'" in _refused(smis, tmp_path, *words)


@pytest.mark.parametrize("edge", ["0", "-0.1", "0.21", "nan", "inf", "wide"])
def test_an_edge_out_of_range_is_refused(smis: Smis, tmp_path: Path, picture: Path, spot: Path, edge: str) -> None:
    told = _refused(smis, tmp_path, "repaint", picture, spot, "--out", tmp_path / "o", f"--edge={edge}")
    assert "--edge" in told


def test_nothing_that_was_given_is_overwritten(smis: Smis, tmp_path: Path, picture: Path, spot: Path) -> None:
    """Neither a layout, nor the picture, nor one result by another."""
    clash = write_layout(tmp_path / "l" / "face.png")
    assert str(picture) in _refused(smis, tmp_path, "repaint", picture, clash, "--out", picture.parent)
    assert str(spot) in _refused(smis, tmp_path, "repaint", picture, spot, "--out", tmp_path)
    second = write_layout(tmp_path / "l" / "spot.png")
    assert "rename" in _refused(smis, tmp_path, "repaint", picture, spot, second, "--out", tmp_path / "o")
    assert "folder" in _refused(smis, tmp_path, "repaint", picture, spot, "--out", spot)

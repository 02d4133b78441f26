"""`smis evaluate`: figures that follow from the pictures."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from smis_desktop.document.reduction import reduce_label_map
from smis_desktop.document.style import Style
from smis_desktop.evaluation.metrics import confusion_matrix
from smis_desktop.formats.registry import read_layout
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.inference.synthesizer import PictureRequest, Synthesizer
from smis_desktop.personal_model.model import read_personal_model, write_personal_model
from smis_desktop.resources import default_model_path, resources_folder
from tests.cli.conftest import Smis, files_below, label_map, write_layout


@pytest.fixture
def layouts(tmp_path: Path) -> Path:
    """Three layouts, one of them without hair."""
    write_layout(tmp_path / "layouts" / "a.png")
    write_layout(tmp_path / "layouts" / "b.png", label_map(100)[:, ::-1].copy())
    write_layout(tmp_path / "layouts" / "c.png", label_map(ids=(1, 0, 0)))
    return tmp_path / "layouts"


def test_figures_follow_from_the_models_own_segmentation(
    smis: Smis, tmp_path: Path, small_data: Path, small: MobileStyleGAN, small_model: Path, layouts: Path
) -> None:
    before = files_below(tmp_path)
    facts = smis("evaluate", layouts, "--model", small_model, "--kid-samples", 3, "--seed", 4, "--json").facts
    assert files_below(tmp_path) == before, "nothing is written"
    synthesizer = Synthesizer(small, read_personal_model(small_model))
    wanted, found = [], []
    for number, name in enumerate("abc"):
        layout = read_layout(layouts / f"{name}.png").label_map
        wanted.append(reduce_label_map(layout, 64))
        found.append(synthesizer.segment(synthesizer.render(PictureRequest(layout, Style.of_seed(4 + number))).ws))
    asked, seen = np.stack(wanted), np.stack(found)
    ious = []
    for entry in facts["classes"]:
        hits = ((asked == entry["id"]) & (seen == entry["id"])).sum()
        either = ((asked == entry["id"]) | (seen == entry["id"])).sum()
        assert entry["cells"] == (asked == entry["id"]).sum()
        assert entry["iou"] == pytest.approx(hits / either, abs=1e-4)
        ious.append(hits / either)
    assert facts["pixel_accuracy"] == pytest.approx((asked == seen).mean(), abs=1e-4)
    assert facts["mean_iou"] == pytest.approx(np.mean(ious), abs=1e-4)
    assert confusion_matrix(asked, seen, synthesizer.palette).trace() == (asked == seen).sum()
    assert facts["layouts"] == 3
    kid = facts["kid"]
    assert (kid["rendered"], kid["own"]) == (3, 3)
    assert np.isfinite(kid["times_1000"])
    assert "AlexNet" in kid["features"]
    assert "gamed" in facts["judge"]
    assert any("chance" in warning for warning in facts["warnings"])


def test_limit_text_and_leaving_kid_out(smis: Smis, small_data: Path, small_model: Path, layouts: Path) -> None:
    words = ["evaluate", layouts, "--model", small_model, "--kid-samples", 0, "--limit", 1]
    facts = smis(*words, "--json").facts
    assert (facts["layouts"], facts["kid"], facts["warnings"]) == (1, None, [])
    text = smis(*words).out
    for words_in_it in ("skin", "mean IoU", "pixel accuracy", "KID: not measured", "gamed"):
        assert words_in_it in text


def test_methods_stand_side_by_side_with_sheets_and_a_plot(
    smis: Smis, tmp_path: Path, small_data: Path, small: MobileStyleGAN, small_model: Path, layouts: Path
) -> None:
    out = tmp_path / "evaluation"
    words = [
        "evaluate",
        layouts,
        "--model",
        small_model,
        "--kid-samples",
        4,
        "--refine",
        5,
        "--variety",
        0,
        "--out",
        out,
    ]
    facts = smis(*words, "--json").facts
    by_name = {entry["method"]: entry for entry in facts["methods"]}
    assert list(by_name) == ["encoder", "refined"]
    assert (by_name["encoder"]["refine"], by_name["refined"]["refine"], facts["refine"]) == (0, 5, 5)
    assert facts["mean_iou"] == by_name["refined"]["mean_iou"]
    synthesizer = Synthesizer(small, read_personal_model(small_model))
    seen = []
    for number, name in enumerate("abc"):
        layout = read_layout(layouts / f"{name}.png").label_map
        ws = synthesizer.render(PictureRequest(layout, Style.of_seed(number, variety=0.0), refine_steps=5)).ws
        seen.append(synthesizer.segment(ws) == reduce_label_map(layout, 64))
    assert facts["pixel_accuracy"] == pytest.approx(np.mean(seen), abs=1e-4)
    diversity = facts["diversity"]
    assert diversity["styles"] == 8
    assert diversity["ratio"] > 0
    assert diversity["mixed_mean_iou"] == diversity["unmixed_mean_iou"], "fine slots decide no labels"
    assert sorted(path.name for path in out.iterdir()) == [
        "evaluation.json", "evaluation.svg", "methods.jpg", "styles.jpg",
    ]  # fmt: skip
    assert json.loads((out / "evaluation.json").read_text())["methods"] == facts["methods"]
    assert ElementTree.parse(out / "evaluation.svg").getroot().tag.endswith("svg")
    text = smis(*words[:-2]).out
    for words_in_it in ("encoder", "refined", "diversity", "--plain"):
        assert words_in_it in text


def test_the_plain_method_and_another_judge(
    smis: Smis, tmp_path: Path, small_data: Path, small: MobileStyleGAN, small_model: Path, layouts: Path
) -> None:
    plain = tmp_path / "plain.smismodel"
    write_personal_model(plain, dataclasses.replace(read_personal_model(small_model), probe=None))
    words = ["evaluate", layouts, "--model", small_model, "--kid-samples", 0, "--refine", 0, "--json"]
    facts = smis(*words, "--plain", plain, "--judge", plain).facts
    assert [entry["method"] for entry in facts["methods"]] == ["encoder", "plain"]
    assert facts["methods"][0]["mean_iou"] == facts["methods"][1]["mean_iou"], "the same encoder, the same judge"
    assert "small" in facts["judge"] or "plain" in facts["judge"]
    refused = smis(*words, "--plain", default_model_path())  # learned by a probe
    assert refused.code == 2
    assert "plain method" in refused.err


def test_a_class_that_no_layout_holds_has_no_figure(
    smis: Smis, tmp_path: Path, small_data: Path, small_model: Path
) -> None:
    write_layout(tmp_path / "l" / "a.png", label_map(ids=(0, 1, 1)))
    facts = smis("evaluate", tmp_path / "l", "--model", small_model, "--kid-samples", 0, "--json").facts
    hair = facts["classes"][2]
    assert (hair["id"], hair["iou"], hair["cells"]) == (7, None, 0)


@pytest.mark.network
def test_judges_of_faces_stand_side_by_side(smis: Smis, faces: MobileStyleGAN) -> None:
    layouts = resources_folder() / "faces-shots" / "labels"
    words = ["evaluate", layouts, "--limit", 2, "--kid-samples", 0, "--refine", 0]
    judges = ["--judge", "own", "--judge", "pixels", "--judge", "landmarks"]
    facts = smis(*words, *judges, "--json").facts
    (encoder,) = facts["methods"]
    own, pixels = encoder["judges"]
    assert (own["judge"], pixels["judge"]) == ("own", "pixels")
    assert (own["mean_iou"], own["classes"]) == (facts["mean_iou"], facts["classes"]), "the first judge's are the main"
    assert len(own["classes"]) == 12
    assert [c["name"] for c in own["merged"]["classes"]] == [c["name"] for c in pixels["classes"]]
    assert pixels["merged"] is None, "its classes are merged already"
    assert pixels["pixel_accuracy"] > 0.7
    assert encoder["landmarks"]["eyes"]["iou"] > 0.2
    text = smis(*words, *judges).out
    for words_in_it in ("IoU by own", "merged", "IoU by pixels", "eyes, offset", "MediaPipe", "gamed"):
        assert words_in_it in text


def test_judges_of_faces_refuse_other_classes(smis: Smis, small_data: Path, small_model: Path, layouts: Path) -> None:
    for judge in ("pixels", "landmarks"):
        refused = smis("evaluate", layouts, "--model", small_model, "--kid-samples", 0, "--judge", judge)
        assert refused.code == 2
        assert "knows faces alone" in refused.err

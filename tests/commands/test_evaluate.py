"""`smis evaluate`: figures that follow from the pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from smis_desktop.fewshot.metrics import confusion_matrix
from smis_desktop.gan.mobile_stylegan import MobileStyleGAN
from smis_desktop.labels.reduce import reduce_label_map
from smis_desktop.labels.shots import read_layout
from smis_desktop.storage.personal_model_file import read_personal_model
from smis_desktop.synthesis import PictureRequest, Synthesizer
from tests.commands.conftest import Smis, files_below, label_map, write_layout


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
        found.append(synthesizer.segment(synthesizer.render(PictureRequest(layout, 4 + number)).ws))
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


def test_refinement_makes_its_own_judge_happier(smis: Smis, small_data: Path, small_model: Path, layouts: Path) -> None:
    words = ["evaluate", layouts, "--model", small_model, "--kid-samples", 0, "--json"]
    plain, refined = smis(*words).facts, smis(*words, "--refine", 15).facts
    assert refined["pixel_accuracy"] > plain["pixel_accuracy"]
    assert refined["refine"] == 15


def test_a_class_that_no_layout_holds_has_no_figure(
    smis: Smis, tmp_path: Path, small_data: Path, small_model: Path
) -> None:
    write_layout(tmp_path / "l" / "a.png", label_map(ids=(0, 1, 1)))
    facts = smis("evaluate", tmp_path / "l", "--model", small_model, "--kid-samples", 0, "--json").facts
    hair = facts["classes"][2]
    assert (hair["id"], hair["iou"], hair["cells"]) == (7, None, 0)

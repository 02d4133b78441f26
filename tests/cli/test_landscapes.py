"""The second generator that comes with the program: the whole chain on it, and what is measured against its truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.evaluation.ground_truth import exact_picture, rendered_picture, renderer_psnr, scribble
from smis_desktop.formats.shots_folder import read_shots
from smis_desktop.generators.generator import seeded_z
from smis_desktop.generators.store import open_generator
from smis_desktop.generators.stylegan2 import StyleGAN2
from smis_desktop.landscapes.shapes import PALETTE
from smis_desktop.resources import resources_folder
from tests.cli.conftest import Smis
from tests.small_training import small_training

SHOTS = resources_folder() / "landscapes-shots"


@pytest.fixture(autouse=True)
def bare_install(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty data folder: nothing was ever fetched."""
    monkeypatch.setenv("SMIS_DATA_DIR", str(tmp_path_factory.mktemp("data")))
    small_training(monkeypatch)


@pytest.fixture(scope="module")
def landscapes() -> StyleGAN2:
    generator = open_generator("landscapes")
    assert isinstance(generator, StyleGAN2)
    return generator


def test_it_paints_what_its_latents_say(landscapes: StyleGAN2) -> None:
    other = float(
        np.mean([10 * torch.log10(4 / _error(landscapes, seed, seed + 1)).item() for seed in range(500, 516)])
    )
    assert renderer_psnr(landscapes, range(500, 516)) > max(17.0, other + 3), "nearer to its own scene than to another"


def test_looks_change_colours_alone(landscapes: StyleGAN2) -> None:
    ws = landscapes.broadcast(landscapes.mapping(torch.cat([seeded_z(1, 512), seeded_z(2, 512)])))
    mixed = ws.clone()
    mixed[:, landscapes.fine_slots.start :] = ws.flip(0)[:, landscapes.fine_slots.start :]
    before, after = landscapes.coarse_features(ws), landscapes.coarse_features(mixed)
    assert torch.equal(before.features, after.features)
    assert before.rgb is not None
    assert float(before.rgb.abs().max()) == 0, "nothing but fine slots decides colours"
    assert (landscapes.synthesis(ws) - landscapes.synthesis(mixed)).abs().mean() > 0.02


def test_the_shots_that_ship_are_exact(landscapes: StyleGAN2) -> None:
    folder = read_shots(SHOTS, "dense")
    assert folder.palette == PALETTE
    for shot in folder.shots:
        exact = exact_picture(landscapes, int(shot.name.removeprefix("seed-")))
        assert np.array_equal(shot.label_map, exact.label_map)


def test_the_whole_chain(smis: Smis, tmp_path: Path) -> None:
    model = tmp_path / "land.smismodel"
    facts = smis(
        "train", SHOTS, "--generator", "landscapes", "--out", model, "--samples", 16, "--json"
    ).facts  # fmt: skip
    assert all(shot["generated"] for shot in facts["shots"]), "nothing had to be inverted"
    layouts = tmp_path / "layouts"
    layouts.mkdir()
    for path in sorted((SHOTS / "labels").glob("*.png"))[:2]:
        (layouts / path.name).write_bytes(path.read_bytes())
    pictures = tmp_path / "pictures"
    rendered = smis("render", *sorted(layouts.iterdir()), "--model", model, "--out", pictures, "--json")
    assert len(rendered.facts["pictures"]) == 2
    judged = smis("evaluate", layouts, "--model", model, "--kid-samples", 0, "--refine", 2, "--json").facts
    assert judged["layouts"] == 2
    assert 0 < judged["pixel_accuracy"] <= 1
    sample = smis("sample", "--generator", "landscapes", "--seeds", "3-4", "--out", tmp_path / "seen", "--json")
    assert len(sample.facts["pictures"]) == 2
    segmented = smis(
        "segment", *sorted((tmp_path / "seen").glob("*.png")), "--model", model, "--out", tmp_path / "maps", "--json"
    ).facts
    assert len(segmented["layouts"]) == 2


def test_a_scribble_is_a_short_stroke_inside_its_class(landscapes: StyleGAN2) -> None:
    labels = exact_picture(landscapes, 3).labels
    strokes = scribble(labels)
    marked = strokes != UNKNOWN_CHANNEL
    assert torch.equal(strokes[marked], labels[marked])
    for channel in labels.unique():
        assert 1 <= int((strokes == channel).sum()) <= 10


@pytest.mark.slow
def test_the_tables_of_ground_truth(smis: Smis, tmp_path: Path) -> None:
    out = tmp_path / "ground-truth.md"
    words = ["--pictures", 6, "--layouts", 2, "--samples", 8, "--obedience-steps", 1, "--lessons", 48]
    facts = smis("ground-truth", *words, "--out", out, "--json").facts
    dense = {(row["transfer"], row["shots"]): row for row in facts["dense"]}
    assert set(dense) == {("vectors", 1), ("vectors", 5), ("probe", 1), ("probe", 5), ("probe", 6)}
    assert dense["probe", 5]["pixel_accuracy"] > 0.6
    assert dense["probe", 5]["mean_iou"] > dense["probe", 1]["mean_iou"]
    claims = {(row["shots"], row["top_k"], row["threshold"]): row["claimed"] for row in facts["sparse"]}
    assert len(claims) == 18
    assert claims[5, 10, 0.5] > claims[5, 1, 0.5] > 0
    assert claims[5, 10, 0.5] >= claims[5, 10, 0.9]
    assert [row["refine"] for row in facts["obedience"]] == [0, 0, 12, 0, 0, 12]
    page = out.read_text(encoding="utf-8")
    assert page.count("| --- |") >= 5
    assert facts["weights_sha256"][:12] in page


def _error(generator: StyleGAN2, seed: int, scene: int) -> torch.Tensor:
    picture = generator.synthesis(generator.broadcast(generator.mapping(seeded_z(seed, 512)))).clamp(-1, 1)
    return (picture - rendered_picture(generator, scene)).square().mean()

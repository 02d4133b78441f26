"""`smis bench`: the shape of what it tells (figures are the machine's own affair)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.training.inversion import InversionSettings
from tests.cli.conftest import Smis, write_photo

NETWORKS = [
    "encoder",
    "generator_256",
    "generator_1024",
    "request_256",
    "request_1024",
    "repaint_256",
    "repaint_256_over_100",
    "refine_step",
    "refine_step_in_patch",
    "refine_step_in_regions",
    "refine_first_look",
    "refine_at_rest",
    "limit_1024",
]


def _is_figures(value: dict[str, Any]) -> bool:
    return set(value) == {"median", "p95", "p99"} and 0 < value["median"] <= value["p95"] <= value["p99"]


def test_everything_that_can_be_measured(smis: Smis, small_data: Path, small_model: Path) -> None:
    words = ["bench", "--model", small_model, "--repeats", 2, "--paint", "--inversion", "--inversion-steps", 2]
    ended = smis(*words, "--json")
    facts = ended.facts
    assert set(facts["machine"]) == {"processor", "cores", "memory_gib", "system", "python"}
    assert facts["threads"] == torch.get_num_threads()
    assert facts["backend"].startswith("torch, float32")
    assert facts["device"]
    for name in [*NETWORKS, "stroke", "event_to_canvas", "event_to_preview", "event_to_repainted"]:
        assert _is_figures(facts[name]), name
    assert facts["samples_per_s"] > 0
    assert facts["training"]["samples_per_s"] > 0
    assert facts["training"]["obedience_step"] > 0
    assert facts["styles_per_s"] == pytest.approx(1000 / facts["restyled_256"]["median"], abs=0.01)
    assert set(facts["ratios"]) == {
        "generator_1024 / limit_1024",
        "repaint_256 / request_256",
        "repaint_256_over_100 / repaint_256",
        "refine_step_in_patch / refine_step",
    }
    assert facts["psnr"] == {"256": {"mean": 106.02, "worst": 106.02}}  # torch against itself
    assert facts["peer_1024"] is None
    assert "small" in facts["peer_reason"]
    assert _is_figures(facts["inversion"]["step"])
    assert [photo["name"] for photo in facts["inversion"]["photos"]] == ["seed 1", "seed 2", "seed 3"]
    assert facts["repeats"] == 2


def test_the_table_has_a_line_for_every_figure(smis: Smis, small_data: Path, small_model: Path) -> None:
    words = ["bench", "--model", small_model, "--repeats", 1, "--no-peer", "--inversion", "--inversion-steps", 1]
    text = smis(*words).out
    for name in [*NETWORKS, "peer_1024", "training samples a second", "seed 3", "plain L1", "on average: perceptual"]:
        assert name in text
    assert "stroke" not in text


def test_a_photo_is_found_again_beside_a_plain_descent_of_equal_time(
    smis: Smis, tmp_path: Path, small_data: Path, small_model: Path
) -> None:
    write_photo(tmp_path / "shots" / "images" / "anna.png", 80)
    sheet = tmp_path / "sheet.png"
    words = ["bench", "--model", small_model, "--repeats", 1, "--no-peer", "--inversion", tmp_path / "shots"]
    facts = smis(*words, "--inversion-steps", 2, "--sheet", sheet, "--json").facts["inversion"]
    (photo,) = facts["photos"]
    ours, plain = photo["inversion"], photo["plain"]
    assert photo["name"] == "anna"
    assert ours["steps"] == InversionSettings(steps=2).all_steps == 5
    assert plain["seconds"] >= ours["seconds"] > 0
    assert plain["steps"] > 0
    assert plain["latent_distance"] > 0
    assert facts["mean"]["plain"] == {name: plain[name] for name in ("psnr", "perceptual")}
    with Image.open(sheet) as image:
        assert image.width > 3 * 256


def test_a_sheet_without_an_inversion_and_folders_without_photos_are_refused(
    smis: Smis, tmp_path: Path, small_data: Path, small_model: Path
) -> None:
    words = ["bench", "--model", small_model]
    for more, why in (
        (["--sheet", tmp_path / "s.png"], "add --inversion"),
        (["--inversion", tmp_path / "models"], "holds no photos"),
        (["--inversion", tmp_path / "nowhere"], "nowhere"),
    ):
        ended = smis(*words, *more)
        assert (ended.code, ended.out) == (2, ""), more
        assert why in ended.err


def test_a_plain_descent_descends(small: MobileStyleGAN) -> None:
    from smis_desktop.evaluation.inversion import PlainDescent, generated_photos

    descent = PlainDescent(small, generated_photos(small)[0].picture)
    begun = descent.ws.clone()
    losses = [descent.step(number / 30) for number in range(30)]
    assert torch.equal(begun, small.broadcast(small.w_avg[None])[0])
    assert losses[-1] < 0.8 * losses[0]


def test_an_earlier_run_is_held_against_this_one(
    smis: Smis, tmp_path: Path, small_data: Path, small_model: Path
) -> None:
    words = ["bench", "--model", small_model, "--repeats", 1, "--no-peer"]
    earlier = tmp_path / "earlier.json"
    earlier.write_text('{"encoder": {"median": 1e9}, "gone": {"median": 1.0}, "threads": 2}')
    facts = smis(*words, "--compare", earlier, "--json").facts
    assert list(facts["compared"]) == ["encoder"]
    assert facts["compared"]["encoder"] == round(facts["encoder"]["median"] / 1e9, 3)
    for content, why in (("{", "is not JSON"), ('{"encoder": 3}', "holds no measurements")):
        earlier.write_text(content)
        ended = smis(*words, "--compare", earlier)
        assert (ended.code, ended.out) == (2, "")
        assert why in ended.err
        assert str(earlier) in ended.err


def test_the_program_itself(small_data: Path, small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from smis_desktop.evaluation.application import application_figures

    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    found = application_figures(small_model, is_cold=True, idle_seconds=1)
    assert isinstance(found, dict), found
    assert set(found) == {"first_preview_s", "cold_first_preview_s", "idle_cpu_percent", "memory_mib"}
    assert min(found["first_preview_s"], found["cold_first_preview_s"]) > 0
    assert found["memory_mib"] > 50


@pytest.mark.slow
def test_several_processes_and_one(small_data: Path, small: MobileStyleGAN) -> None:
    from smis_desktop.evaluation.several_processes import several_processes_figures

    told: list[float] = []
    found = several_processes_figures(small, 2, told.append)
    assert found["count"] == 2
    assert found["samples_per_s"] > 0
    assert found["ratio"] == pytest.approx(found["samples_per_s"] / found["alone"], rel=0.02)
    assert (told[0], told[-1]) == (0, 1)
    assert told == sorted(told)


def test_the_arithmetic_of_the_real_generator(faces: MobileStyleGAN) -> None:
    """Counted by hand from the layers' shapes: multiply and add are two operations."""
    from smis_desktop.evaluation.networks import synthesis_flop

    sides = [4 * 2**i for i in range(len(faces.channels))]
    at_side = [(faces.first.weight, 4), (faces.head.weight, sides[-1])]
    for block, side in zip(faces.blocks, sides[1:], strict=True):
        for conv in (block.conv1, block.conv2):
            at_side += [(conv.weight, side), (conv.depthwise, side)]
    affine = [
        layer.weight
        for name, layer in faces.named_modules()
        if name.endswith((".affine", ".up")) and not name.startswith("heads.")
    ]
    multiplications = sum(weight.numel() * side**2 for weight, side in at_side) + sum(w.numel() for w in affine)
    assert synthesis_flop(faces) == 2 * multiplications

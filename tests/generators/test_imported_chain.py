"""An imported StyleGAN2 of any side does what the default generator does: train, paint, refine, style, invert."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smis_desktop.document.style import Look, Style
from smis_desktop.generators.store import installed_generators
from smis_desktop.inference.synthesizer import PictureRequest
from smis_desktop.workers.renderer import open_renderer
from tests.checkpoints.published_layouts import conditional_state, nvidia_file, nvidia_state, rosinality_file
from tests.cli.conftest import Smis, label_map, small, small_data, smis, write_layout, write_photo
from tests.small_stylegan2 import small_stylegan2
from tests.small_training import small_training

__all__ = ["small", "small_data", "smis"]


SIDES = {16: (8, 8, 8), 32: (8, 8, 8, 8), 64: (8, 8, 8, 8, 8), 128: (8, 8, 8, 8, 8, 4), 512: (8, 8, 8, 8, 8, 4, 4, 4)}


@pytest.fixture(autouse=True)
def small_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    small_training(monkeypatch)


@pytest.mark.parametrize("side", [32, 128, *(pytest.param(side, marks=pytest.mark.slow) for side in (16, 64, 512))])
def test_import_sample_train_render_segment_evaluate(smis: Smis, small_data: Path, tmp_path: Path, side: int) -> None:
    checkpoint = tmp_path / "things.pt"
    checkpoint.write_bytes(rosinality_file(small_stylegan2(side, SIDES[side], w_dim=16)))
    assert smis("import-generator", checkpoint, "--name", "things", "--json").facts["img_resolution"] == side
    shots = tmp_path / "shots"
    assert smis("sample", "--generator", "things", "--seeds", "1", "--out", shots / "images").code == 0
    (shots / "images" / "generated.json").rename(shots / "generated.json")
    with Image.open(shots / "images" / "seed-0001.png") as picture:
        assert picture.size == (side, side)
    write_photo(shots / "images" / "photo.png", 80, 1)
    for name in ("seed-0001", "photo"):
        write_layout(shots / "labels" / f"{name}.png", label_map(ids=(2, 5, 9)))
    model, out = tmp_path / "things.smismodel", tmp_path / "out"
    words = ["train", shots, "--generator", "things", "--out", model, "--samples", 8, "--inversion-steps", 2]
    facts = smis(*words, "--json").facts
    assert {shot["name"]: shot["generated"] for shot in facts["shots"]} == {"seed-0001": True, "photo": False}
    layout = write_layout(tmp_path / "layout.png", label_map(ids=(2, 5, 9)))
    assert smis("render", layout, "--model", model, "--out", out, "--refine", 2, "--mix", 0.5).code == 0
    with Image.open(out / "layout.png") as picture:
        assert picture.size == (side, side)
    photo = shots / "images" / "photo.png"
    assert smis("segment", photo, "--model", model, "--out", tmp_path / "seen", "--inversion-steps", 2).code == 0
    with Image.open(tmp_path / "seen" / "photo.png") as seen:
        assert set(np.unique(np.asarray(seen))) <= {2, 5, 9}
    assert smis("evaluate", shots / "labels", "--model", model, "--kid-samples", 0).code == 0


@pytest.mark.parametrize("side", [32, pytest.param(512, marks=pytest.mark.slow)])
def test_the_window_gets_drafts_full_pictures_and_looks(
    smis: Smis, small_data: Path, tmp_path: Path, side: int
) -> None:
    checkpoint = tmp_path / "things.pkl"
    checkpoint.write_bytes(nvidia_file(nvidia_state(small_stylegan2(side, SIDES[side], w_dim=16))))
    assert smis("import-generator", checkpoint, "--name", f"things-{side}").code == 0
    shots = tmp_path / "shots"
    write_photo(shots / "images" / "photo.png", 80, 1)
    write_layout(shots / "labels" / "photo.png", label_map(ids=(2, 5, 9)))
    model = tmp_path / "things.smismodel"
    words = ["train", shots, "--generator", f"things-{side}", "--out", model, "--samples", 8, "--inversion-steps", 2]
    assert smis(*words).code == 0
    renderer = open_renderer(model)(lambda words, fraction: None)
    assert (renderer.full_size, renderer.generator_name) == (side, f"things-{side}")
    layout = label_map(ids=(2, 5, 9))
    layout.setflags(write=False)
    draft = renderer.render(PictureRequest(layout, quality="draft", size=256))
    assert draft.picture.shape == (256, 256, 3)
    full = renderer.render(PictureRequest(layout, size=side, refine_steps=2))
    assert full.picture.shape == (side, side, 3)
    assert full.predicted_labels is not None
    other = renderer.render(PictureRequest(layout, Style.of_seed(7), size=side))
    dressed = Style(class_looks=((5, Look(3)),))
    worn = renderer.render(PictureRequest(layout, dressed, size=side))
    plain = renderer.render(PictureRequest(layout, size=side))
    assert not np.array_equal(other.picture, plain.picture)
    if (plain.predicted_labels == 5).any():  # a class look applies where the picture shows the class
        assert not np.array_equal(worn.picture, plain.picture)
    film = renderer.render(PictureRequest(layout, Style().without_mixing(), size=2 * side, composition=full.shown))
    assert film.picture.shape == (2 * side, 2 * side, 3)


def test_a_generator_with_a_deleted_ones_name_is_opened_again(smis: Smis, small_data: Path, tmp_path: Path) -> None:
    shots, layout = tmp_path / "shots", label_map(ids=(2, 5, 9))
    write_photo(shots / "images" / "photo.png", 80, 1)
    write_layout(shots / "labels" / "photo.png", layout)
    for seed in (1, 2):
        checkpoint, model = tmp_path / f"{seed}.pt", tmp_path / f"{seed}.smismodel"
        checkpoint.write_bytes(rosinality_file(small_stylegan2(seed, SIDES[32], w_dim=16)))
        assert smis("import-generator", checkpoint, "--name", "changed").code == 0
        words = ["train", shots, "--generator", "changed", "--out", model, "--samples", 8, "--inversion-steps", 2]
        assert smis(*words).code == 0
        renderer = open_renderer(model)(lambda words, fraction: None)
        assert renderer.render(PictureRequest(layout, size=32)).picture.shape == (32, 32, 3)
        for installed in installed_generators():
            if installed.name == "changed":
                installed.path.unlink()


def test_two_classes_of_one_checkpoint_are_two_generators(small_data: Path, smis: Smis, tmp_path: Path) -> None:
    checkpoint = tmp_path / "things.pkl"
    checkpoint.write_bytes(nvidia_file(conditional_state(small_stylegan2(1, SIDES[32], w_dim=16), classes=3)))
    ended = smis("import-generator", checkpoint, "--name", "things")
    assert ended.code == 2
    assert "--class-index" in ended.err
    words = ("import-generator", checkpoint, "--json", "--name")
    imported = [smis(*words, f"things {k}", "--class-index", k).facts for k in (0, 2)]
    assert imported[0]["weights_sha256"] != imported[1]["weights_sha256"]
    assert [facts["source"] for facts in imported] == ["things.pkl, class 0", "things.pkl, class 2"]

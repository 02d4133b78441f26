"""`smis segment`: pictures to layouts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from smis_desktop.formats.image_file import read_label_map
from smis_desktop.generators.generator import latents_of_seed
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.inference.synthesizer import Synthesizer, render_ws
from smis_desktop.personal_model.model import read_personal_model, segment_latents, write_personal_model
from smis_desktop.training.shots import is_picture_of
from tests.cli.conftest import PALETTE, Smis, untrained_model, write_photo


def _sample(smis: Smis, folder: Path, generator: str, seed: int) -> Path:
    assert smis("sample", "--generator", generator, "--seeds", seed, "--size", 256, "--out", folder).code == 0
    return folder / f"seed-{seed:04d}.png"


def test_a_generated_picture_is_segmented_by_its_known_latents(
    smis: Smis, tmp_path: Path, faces_model: Path, faces: MobileStyleGAN
) -> None:
    picture = _sample(smis, tmp_path / "pictures", "faces", 4)
    facts = smis("segment", picture, "--model", faces_model, "--out", tmp_path / "o", "--json").facts
    (entry,) = facts["layouts"]
    assert entry["path"] == str(tmp_path / "o" / "seed-0004.png")
    assert (entry["inversion"], entry["size"]) == (None, 256)
    with Image.open(entry["path"]) as image:
        assert (image.format, image.mode) == ("PNG", "P")
        palette = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    assert [tuple(palette[c.class_id]) for c in PALETTE.classes] == [c.color for c in PALETTE.classes]
    found = read_label_map(entry["path"])
    assert entry["class_ids"] == sorted(np.unique(found).tolist())
    # At 64² it is what the model itself sees; in between only outlines are smoother.
    synthesizer = Synthesizer(faces, read_personal_model(faces_model))
    coarse = synthesizer.segment(latents_of_seed(faces, 4, 0.7).numpy())
    np.testing.assert_array_equal(segment_latents(faces, synthesizer.model, latents_of_seed(faces, 4, 0.7), 64), coarse)
    assert (found == coarse.repeat(4, 0).repeat(4, 1)).mean() > 0.85


def test_a_photo_is_inverted_and_cropped(smis: Smis, tmp_path: Path, small_data: Path, small_model: Path) -> None:
    photo = write_photo(tmp_path / "photo.jpg", 120)
    with Image.open(photo) as image:
        image.crop((0, 0, 120, 90)).save(photo)
    words = ["segment", photo, "--model", small_model, "--inversion-steps", 3, "--out", tmp_path / "o"]
    ended = smis(*words, "--json")
    (entry,) = ended.facts["layouts"]
    assert entry["size"] == 90
    assert entry["inversion"]["psnr"] > 0
    assert any("120×90" in note for note in ended.facts["notes"])
    assert "Inverting photo.jpg (1 of 1): 100 %" in ended.err
    found = read_label_map(tmp_path / "o" / "photo.png")
    assert found.shape == (90, 90)
    assert set(np.unique(found)) <= set(PALETTE.class_ids)


def test_another_picture_under_a_generated_ones_name_is_inverted(
    smis: Smis, tmp_path: Path, small_data: Path, small_model: Path
) -> None:
    picture = _sample(smis, tmp_path / "p", "small", 4)
    write_photo(picture, 256)
    words = ["segment", picture, "--model", small_model, "--inversion-steps", 1, "--out", tmp_path / "o", "--json"]
    (entry,) = smis(*words).facts["layouts"]
    assert entry["inversion"] is not None


def test_generated_pictures_are_known_again_after_saving(faces: MobileStyleGAN, tmp_path: Path) -> None:
    ws = latents_of_seed(faces, 1, 0.7)
    with torch.inference_mode():
        picture = render_ws(faces, ws[None], 512)
    Image.fromarray(picture).save(tmp_path / "p.jpg", quality=60)
    with Image.open(tmp_path / "p.jpg") as image:
        saved = np.array(image)
    assert is_picture_of(faces, ws, saved)
    assert not is_picture_of(faces, latents_of_seed(faces, 2, 0.7), saved)
    assert not is_picture_of(faces, ws, np.ascontiguousarray(saved[:, ::-1]))


@pytest.mark.parametrize("size", [64, 100, 256])
def test_sparse_models_say_nothing_where_they_know_nothing(small: MobileStyleGAN, tmp_path: Path, size: int) -> None:
    dense = untrained_model(small, "sparse")
    vectors = dense.vectors
    vectors.label_kind, vectors.top_k, vectors.threshold = "sparse", 3, -1.0
    model = dataclasses.replace(dense, label_kind="sparse")
    write_personal_model(tmp_path / "s.smismodel", model)
    found = segment_latents(small, read_personal_model(tmp_path / "s.smismodel"), latents_of_seed(small, 5, 1.0), size)
    assert found.shape == (size, size)
    counts = {int(i): int(n) for i, n in zip(*np.unique(found, return_counts=True), strict=True)}
    # Three cells for each of three vectors at the most (id 0 is a class of this palette and unknown alike).
    assert counts[0] > 0.9 * size**2
    assert 255 not in counts
    assert 1 <= sum(n for i, n in counts.items() if i) <= 6 * (size / 64 + 1) ** 2

"""A personal model is read back as it was written, and other files are refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from smis_desktop.errors import UserError
from smis_desktop.generators.generator import latents_of_seed
from smis_desktop.inference.synthesizer import PictureRequest, Synthesizer
from smis_desktop.personal_model.label_transfer import TransferKind
from smis_desktop.personal_model.library import KIND, VERSION, read_model_metadata
from smis_desktop.personal_model.model import read_personal_model, segment_latents, write_personal_model
from smis_desktop.storage.safetensors_file import read_tensors, write_tensors
from tests.small_generator import small_generator
from tests.small_model import PALETTE, small_model

GENERATOR = small_generator()


@pytest.mark.parametrize("transfer", ["probe", "vectors"])
def test_a_model_read_back_makes_the_same_pictures(tmp_path: Path, transfer: TransferKind) -> None:
    model = small_model(GENERATOR, transfer)
    path = tmp_path / "Müller 絵.smismodel"
    write_personal_model(path, model)
    back = read_personal_model(path)
    assert back.palette == PALETTE
    assert back.settings["samples"] == model.settings["samples"]
    assert (back.probe is None) == (back.fine_probe is None) == (transfer == "vectors")
    assert read_model_metadata(path)["generator"] == {"name": "small", "weights_sha256": GENERATOR.weights_sha256}
    layout = np.repeat(np.array([0, 3, 7, 9], np.uint8), 16)[:, None].repeat(64, 1)
    request = PictureRequest(layout, refine_steps=2)
    before, after = (Synthesizer(GENERATOR, m).render(request) for m in (model, back))
    assert np.array_equal(before.picture, after.picture)
    assert np.array_equal(
        Synthesizer(GENERATOR, model).segment(before.ws), Synthesizer(GENERATOR, back).segment(after.ws)
    )


def test_a_model_of_an_earlier_version_reads_pictures_with_its_only_probe(tmp_path: Path) -> None:
    path = tmp_path / "m.smismodel"
    write_personal_model(path, small_model(GENERATOR))
    whole = read_personal_model(path)
    assert whole.fine_probe is not None
    tensors, facts = read_tensors(path, KIND, VERSION, "no remedy")
    facts = {key: value for key, value in facts.items() if key not in ("kind", "format_version")}
    write_tensors(path, KIND, VERSION, {k: v for k, v in tensors.items() if not k.startswith("fine_probe.")}, facts)
    earlier = read_personal_model(path)
    assert earlier.fine_probe is None
    ws = latents_of_seed(GENERATOR, 5, 1.0)
    assert earlier.probe is not None
    coarse = earlier.probe.label(GENERATOR.label_features(ws[None]))[0].numpy()
    fine = whole.fine_probe.label(GENERATOR.features_of_kind(ws[None], "fine"))[0].numpy()
    ids = np.array(PALETTE.class_ids, np.uint8)
    assert np.array_equal(segment_latents(GENERATOR, earlier, ws, 64), ids[coarse])
    assert np.array_equal(segment_latents(GENERATOR, whole, ws, 128), ids[fine])


def test_a_file_that_lacks_a_part_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.smismodel"
    write_personal_model(path, small_model(GENERATOR))
    tensors, facts = read_tensors(path, KIND, VERSION, "no remedy")
    facts = {key: value for key, value in facts.items() if key not in ("kind", "format_version")}
    for missing in ("encoder.first.weight", "vectors.vectors", "probe.bias", "fine_probe.bias"):
        write_tensors(path, KIND, VERSION, {k: v for k, v in tensors.items() if k != missing}, facts)
        with pytest.raises(UserError, match=r"m\.smismodel is damaged"):
            read_personal_model(path)
    for missing in ("palette", "encoder", "labels", "name"):
        write_tensors(path, KIND, VERSION, tensors, {k: v for k, v in facts.items() if k != missing})
        with pytest.raises(UserError, match=r"m\.smismodel is damaged"):
            read_personal_model(path)


def test_truncated_foreign_and_newer_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.smismodel"
    write_personal_model(path, small_model(GENERATOR))
    whole = path.read_bytes()
    for content in (b"", b"hello", whole[:7], whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"m\.smismodel"):
            read_personal_model(path)
    write_tensors(path, KIND, VERSION + 1, {}, {})
    with pytest.raises(UserError, match="newer version"):
        read_personal_model(path)
    write_tensors(path, "generator", 1, {}, {})
    with pytest.raises(UserError, match="not a personal-model"):
        read_personal_model(path)
    with pytest.raises(UserError, match="does not exist"):
        read_personal_model(tmp_path / "nowhere.smismodel")

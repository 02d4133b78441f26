"""`smis train`: from a shots folder to a model file that the other commands take; stopped and gone on with."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from smis_desktop.document.palette import Palette
from smis_desktop.formats.image_file import encode_label_map
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.personal_model.encoder import LayoutEncoder
from smis_desktop.personal_model.model import read_personal_model
from smis_desktop.personal_model.scribbles import ScribbleTransfer
from smis_desktop.storage.safetensors_file import read_tensors
from smis_desktop.training import pace as training_pace
from smis_desktop.training.pace import Pace, measured_pace
from smis_desktop.training.perceptual import PerceptualDistance
from smis_desktop.training.training import TrainingSettings
from tests.cli.conftest import Smis, files_below, label_map, write_layout, write_photo
from tests.small_training import SMALL, small_training

CHECKOUT = Path(__file__).resolve().parents[2]

QUICK = ["--samples", 8, "--inversion-steps", 2]
PROGRAM = """
import pytest
from smis_desktop import main
from smis_desktop.__main__ import end
from tests.small_training import small_training
small_training(pytest.MonkeyPatch())
end(main.main())
"""


@pytest.fixture(autouse=True)
def small_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    small_training(monkeypatch)


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Two labelled photos, and names for two of their three ids."""
    folder = tmp_path / "shots"
    for name, seed in (("a", 1), ("b", 2)):
        write_photo(folder / "images" / f"{name}.png", 80, seed)
        write_layout(folder / "labels" / f"{name}.png", label_map(ids=(2, 5, 9)))
    named = {
        "classes": [{"id": 5, "name": "skin", "color": "#c89678"}, {"id": 9, "name": "hair"}, {"id": 11, "name": "hat"}]
    }
    (folder / "classes.json").write_text(json.dumps(named))
    return folder


def test_a_model_for_every_other_command(smis: Smis, tmp_path: Path, small_data: Path, shots: Path) -> None:
    out = tmp_path / "mine.smismodel"
    ended = smis("train", shots, "--generator", "small", "--out", out, *QUICK, "--json")
    facts = ended.facts
    assert (facts["name"], facts["model"], facts["generator"], facts["label_kind"]) == (
        "mine",
        str(out),
        "small",
        "dense",
    )
    assert [c["id"] for c in facts["classes"]] == [2, 5, 9, 11], "ids are kept"
    assert facts["classes_not_learned"] == ["hat"]
    assert any("hat" in warning for warning in facts["warnings"])
    assert [shot["name"] for shot in facts["shots"]] == ["a", "b"]
    assert all(shot["inversion"]["psnr"] > 0 and not shot["generated"] for shot in facts["shots"])
    assert facts["samples"] == 8
    stages = facts["stages"]
    assert list(stages) == [
        "opened", "photos_inverted", "labels_learned", "first_usable_encoder", "encoder_trained", "correction_trained",
        "obedience_trained", "written",
    ]  # fmt: skip
    assert list(stages.values()) == sorted(stages.values())
    took = stages["photos_inverted"] - stages["opened"]
    assert took >= sum(shot["inversion"]["seconds"] for shot in facts["shots"]) - 0.2, "rounded to tenths"
    assert facts["seconds"] >= stages["written"] > 0
    for line in ("Inverting a (1 of 2): 100 %", "Inverting b (2 of 2): 100 %", "Training the encoder: 100 %"):
        assert line in ended.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.smismodel", "shots"], "the stages are gone"
    model = read_personal_model(out)
    assert (model.name, model.label_kind, model.palette.class_ids) == ("mine", "dense", (2, 5, 9, 11))
    assert model.palette.by_id(5).color == (0xC8, 0x96, 0x78)
    assert model.transfer.kind == "probe"
    layout = tmp_path / "l.png"
    layout.write_bytes(encode_label_map(label_map(ids=(2, 5, 9)), Palette(())))
    assert smis("render", layout, "--model", out, "--out", tmp_path / "o").code == 0
    assert smis("segment", shots / "images" / "a.png", "--model", out, "--out", tmp_path / "o", *QUICK[2:]).code == 0
    assert smis("evaluate", shots / "labels", "--model", out, "--kid-samples", 0).code == 0


def test_the_papers_own_transfer_and_sparse_labels(smis: Smis, tmp_path: Path, small_data: Path, shots: Path) -> None:
    dense, sparse = tmp_path / "dense.smismodel", tmp_path / "sparse.smismodel"
    words = ["train", shots, "--generator", "small", *QUICK]
    ended = smis(*words, "--out", dense, "--transfer", "vectors")
    assert ended.code == 0
    for line in ("photos inverted", "  b", "labels learned", "first encoder that can be painted with", "model written"):
        assert f"\n{line} " in ended.out
    assert read_personal_model(dense).transfer.kind == "vectors"
    scribbles = np.zeros((64, 64), np.uint8)
    scribbles[10:12, 5:40], scribbles[30, 20:50] = 5, 9
    for name in "ab":
        write_layout(shots / "labels" / f"{name}.png", scribbles)
    (shots / "classes.json").unlink()
    words += ["--labels", "sparse", "--top-k", 2, "--threshold", 0.25, "--json", "--out"]
    facts = smis(*words, sparse, "--transfer", "vectors").facts
    assert "obedience_trained" not in facts["stages"], "there is no probe to teach it"
    assert [c["id"] for c in facts["classes"]] == [5, 9], "0 is unknown"
    model = read_personal_model(sparse)
    assert (model.label_kind, model.vectors.top_k, model.vectors.threshold) == ("sparse", 2, 0.25)
    assert model.transfer.kind == "vectors"
    assert smis(*words, tmp_path / "scribbles.smismodel").code == 0
    assert isinstance(read_personal_model(tmp_path / "scribbles.smismodel").transfer, ScribbleTransfer)
    assert smis("render", shots / "labels" / "a.png", "--model", sparse, "--out", tmp_path / "o").code == 0


def test_generated_pictures_need_no_inversion(smis: Smis, tmp_path: Path, small_data: Path) -> None:
    folder = tmp_path / "shots"
    assert smis("sample", "--generator", "small", "--seeds", "3,8", "--out", folder / "images").code == 0
    for seed in (3, 8):
        write_layout(folder / "labels" / f"seed-{seed:04d}.png", label_map(128))
    words = ["train", folder, "--generator", "small", *QUICK, "--json", "--out"]
    expected = {"seed-0003": True, "seed-0008": True}
    assert {s["name"]: s["generated"] for s in smis(*words, tmp_path / "m").facts["shots"]} == expected
    # Beside images/ instead of in it, as a JPEG; and one picture exchanged.
    (folder / "images" / "generated.json").rename(folder / "generated.json")
    with Image.open(folder / "images" / "seed-0003.png") as image:
        image.save(folder / "images" / "seed-0003.jpg", quality=90)
    (folder / "images" / "seed-0003.png").unlink()
    write_photo(folder / "images" / "seed-0008.png", 256)
    ended = smis(*words, tmp_path / "m")
    assert {s["name"]: s["generated"] for s in ended.facts["shots"]} == {"seed-0003": True, "seed-0008": False}
    assert "Inverting seed-0008" in ended.err


def test_cropping_is_noted(smis: Smis, tmp_path: Path, small_data: Path, shots: Path) -> None:
    write_photo(shots / "images" / "a.png", 80)
    with Image.open(shots / "images" / "a.png") as image:
        wide = image.resize((120, 80))
    wide.save(shots / "images" / "a.png")
    write_layout(shots / "labels" / "a.png", np.hstack([label_map(ids=(2, 5, 9)), np.full((64, 32), 2, np.uint8)]))
    ended = smis("train", shots, "--generator", "small", "--out", tmp_path / "m", *QUICK, "--json")
    assert any("120×80" in note for note in ended.facts["notes"])


def test_minutes_choose_the_samples(
    smis: Smis, tmp_path: Path, small_data: Path, shots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        training_pace, "measured_pace", lambda *given: Pace(0.5 * 2 * given[2].inversion.all_steps, 1.5, 0.5)
    )
    words = ["train", shots, "--generator", "small", "--json", "--out", tmp_path / "m", "--minutes", 0.1]
    # Six seconds: two photos, one step and one closer each, take two of them, two steps of layout consistency one, two
    # rounds the rest.
    facts = smis(*words, "--inversion-steps", 1).facts
    assert facts["samples"] == 128
    assert any("128 samples" in note for note in facts["notes"])
    before = files_below(tmp_path)
    ended = smis(*words, "--inversion-steps", 3)
    assert ended.code == 2
    assert "too short for these shots; allow 0.2 at least" in ended.err
    assert files_below(tmp_path) == before


def test_the_pace_is_measured_on_the_real_code(small: MobileStyleGAN, perceptual: PerceptualDistance) -> None:
    settings = TrainingSettings(**SMALL)  # type: ignore[arg-type]
    pace = measured_pace(small, perceptual, settings, to_invert=2)
    assert pace.inversion > 0
    assert pace.round > 0
    assert pace.consistency_step > 0
    assert measured_pace(small, None, settings).inversion == 0


def _start(shots: Path, out: Path, *words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, "train", shots, "--generator", "small", "--out", out, *words]
    return subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


@pytest.mark.parametrize(
    ("signal_number", "code", "moment"),
    [(signal.SIGINT, 130, "Training the encoder: 30 %"), (signal.SIGKILL, -9, "Inverting b (2 of 2)")],
)
def test_an_interrupted_training_goes_on_to_the_same_model(
    smis: Smis, tmp_path: Path, small_data: Path, shots: Path, signal_number: int, code: int, moment: str
) -> None:
    out = tmp_path / "m.smismodel"
    out.write_bytes(b"an older model")
    # Seconds of work are left at either moment.
    words = ["--samples", 192, "--inversion-steps", 4, "--transfer", "vectors"]
    with _start(shots, out, *words) as process:
        assert process.stderr is not None
        assert any(line.startswith(moment) for line in process.stderr)
        process.send_signal(signal_number)
        answer, rest = process.communicate()
    assert process.returncode == code, rest
    assert answer == ""
    assert "Traceback" not in rest
    assert out.read_bytes() == b"an older model"
    if signal_number == signal.SIGINT:
        assert rest.splitlines()[-1] == "smis: interrupted; the same command with --resume goes on from here."
        assert not list(tmp_path.rglob("*.part"))

    train = ["train", shots, "--generator", "small", "--out", out]
    refused = smis(*train, *words)
    assert refused.code == 2
    assert "--resume" in refused.err
    other = smis(*train, "--samples", 64, "--resume")
    assert other.code == 2
    assert "other shots or settings" in other.err
    torch.set_num_threads(1)  # another number rounds differently
    assert smis(*train, *words, "--resume").code == 0
    assert smis("train", shots, "--generator", "small", "--out", tmp_path / "whole", *words).code == 0
    resumed, _ = read_tensors(out, "personal-model", 3, "")
    whole, _ = read_tensors(tmp_path / "whole", "personal-model", 3, "")
    assert resumed.keys() == whole.keys()
    for name, tensor in whole.items():
        assert torch.equal(resumed[name], tensor), name
    assert not (tmp_path / "m.smismodel.training").exists()


def test_a_full_disk_is_told_with_what_to_do_and_the_rest_is_made_afterwards(
    smis: Smis, tmp_path: Path, small_data: Path, shots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "m"
    words = ["train", shots, "--generator", "small", "--out", out, *QUICK]
    with monkeypatch.context() as disk:

        def full(descriptor: int, data: memoryview) -> int:
            if len(data) > 100_000:  # the encoder; what is smaller finds a place
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(descriptor, data)

        write = os.write
        disk.setattr(os, "write", full)
        ended = smis(*words)
    assert (ended.code, ended.out) == (2, "")
    assert "no space left on device" in ended.err.splitlines()[-1]
    assert "What was learned so far is kept; the same command with --resume goes on from here." in ended.err
    assert not out.exists()
    ended = smis(*words, "--resume", "--json")
    assert ended.code == 0, ended.err
    assert "Inverting" not in ended.err
    assert out.is_file()


def test_too_little_memory_makes_batches_smaller_and_is_told(
    smis: Smis, tmp_path: Path, small_data: Path, shots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinates = LayoutEncoder.coordinates

    def limited(encoder: LayoutEncoder, layout: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if torch.is_grad_enabled() and len(layout) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return coordinates(encoder, layout)

    monkeypatch.setattr(LayoutEncoder, "coordinates", limited)
    ended = smis("train", shots, "--generator", "small", "--out", tmp_path / "m", *QUICK, "--json")
    assert [warning for warning in ended.facts["warnings"] if "memory" in warning] == [
        "There is too little memory; it goes on in batches of 2."
    ]
    assert (tmp_path / "m").is_file()


def test_resume_without_anything_to_resume_begins(smis: Smis, tmp_path: Path, small_data: Path, shots: Path) -> None:
    ended = smis("train", shots, "--generator", "small", "--out", tmp_path / "m", *QUICK, "--resume", "--json")
    assert any("begins anew" in note for note in ended.facts["notes"])


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_landscapes_with_foreign_ids_are_read_and_their_ids_kept(
    smis: Smis, tmp_path: Path, small_data: Path, kind: str
) -> None:
    """As below, with two shots that ship: grey RGB, ids far apart, no names."""
    source, shots = CHECKOUT / "resources" / "landscapes-shots", tmp_path / "shots"
    (shots / "images").mkdir(parents=True)
    (shots / "labels").mkdir()
    expected: set[int] = set()
    for path in sorted((source / "labels").iterdir())[:2]:
        shutil.copy(source / "images" / path.name, shots / "images")
        with Image.open(path) as image:
            foreign = np.asarray(image) * 13
        if kind == "sparse":  # a few points of each shot
            points = np.zeros_like(foreign)
            points[4::20, 4::20] = foreign[4::20, 4::20]
            foreign = points
        expected |= set(np.unique(foreign).tolist())
        Image.fromarray(np.repeat(foreign[:, :, None], 3, 2)).save(shots / "labels" / path.name)
    words = ["train", shots, "--generator", "small", "--labels", kind, "--out", tmp_path / "m", "--json"]
    facts = smis(*words, "--samples", 8, "--inversion-steps", 1, "--transfer", "vectors").facts
    assert {c["id"] for c in facts["classes"]} == expected - ({0} if kind == "sparse" else set())


@pytest.mark.parametrize(
    ("folder", "kind", "count"), [("car", "dense", 5), ("church", "dense", None), ("cat", "sparse", 8)]
)
def test_shots_of_other_domains_are_read_and_their_ids_kept(
    smis: Smis, tmp_path: Path, small_data: Path, folder: str, kind: str, count: int | None
) -> None:
    """Grey RGB ids, absent classes; a generator of another domain learns from them what it can."""
    shots = Path(__file__).resolve().parents[3] / "shared" / "shots" / folder
    if not shots.is_dir():
        pytest.skip("the shots are not on this machine")
    words = ["train", shots, "--generator", "small", "--labels", kind, "--out", tmp_path / "m", "--json"]
    words += ["--samples", 8, "--inversion-steps", 1, "--transfer", "vectors"]
    facts = smis(*words).facts
    expected: set[int] = set()
    for path in (shots / "labels").iterdir():
        with Image.open(path) as image:
            expected |= set(np.unique(np.asarray(image)).tolist())
    ids = {c["id"] for c in facts["classes"]}
    assert ids == expected - ({0} if kind == "sparse" else set())
    assert count is None or len(ids) == count

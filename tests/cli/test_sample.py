"""`smis sample`: pictures from seeds, and the list that makes shots of them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from smis_desktop.generators.generator import seeded_z
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.training.shots import GeneratedPicture, read_generated_pictures
from tests.cli.conftest import Smis


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        return np.asarray(image)


def test_the_real_generator_draws_the_face_of_a_seed(smis: Smis, tmp_path: Path, faces: MobileStyleGAN) -> None:
    ended = smis(
        "sample", "--generator", "faces", "--seeds", "3", "--size", "256", "--out", tmp_path / "new" / "o", "--json"
    )
    assert ended.facts["pictures"] == [
        {"path": str(tmp_path / "new" / "o" / "seed-0003.png"), "seed": 3, "truncation": 0.7}
    ]
    with torch.inference_mode():
        full = faces.synthesis(faces.broadcast(faces.mapping(seeded_z(3, 512), 0.7)))[0].clamp(-1, 1).double()
    averaged = full.view(3, 256, 4, 256, 4).mean((2, 4)).permute(1, 2, 0).numpy()
    expected = np.rint((averaged + 1) * 127.5)
    assert np.abs(_pixels(tmp_path / "new" / "o" / "seed-0003.png") - expected).max() <= 1


def test_names_list_and_text(smis: Smis, tmp_path: Path, small_data: Path, small: MobileStyleGAN) -> None:
    out = tmp_path / "o"
    ended = smis("sample", "--generator", "small", "--seeds", "0-2,12345,1", "--truncation", "0.5", "--out", out)
    names = ["seed-0000", "seed-0001", "seed-0002", "seed-12345"]
    assert ended.code == 0
    assert ended.out.splitlines() == [str(out / f"{name}.png") for name in names]
    assert sorted(path.name for path in out.iterdir()) == sorted(["generated.json", *(f"{name}.png" for name in names)])
    listed = json.loads((out / "generated.json").read_text())
    assert listed == {
        "format_version": 1,
        "generator": "small",
        "weights_sha256": small.weights_sha256,
        "pictures": [{"name": n, "seed": int(n[5:]), "truncation": 0.5} for n in names],
    }
    assert _pixels(out / "seed-0000.png").shape == (256, 256, 3)


def test_a_second_run_adds_to_the_list(smis: Smis, tmp_path: Path, small_data: Path) -> None:
    assert smis("sample", "--generator", "small", "--seeds", "1,2", "--out", tmp_path).code == 0
    first = _pixels(tmp_path / "seed-0001.png")
    assert smis("sample", "--generator", "small", "--seeds", "2-3", "--truncation", "1", "--out", tmp_path).code == 0
    generated = read_generated_pictures(tmp_path)
    assert generated is not None
    assert generated.pictures == (
        GeneratedPicture("seed-0001", 1, 0.7),
        GeneratedPicture("seed-0002", 2, 1.0),
        GeneratedPicture("seed-0003", 3, 1.0),
    )
    np.testing.assert_array_equal(_pixels(tmp_path / "seed-0001.png"), first)


def test_a_folder_of_another_generators_pictures_is_left_alone(smis: Smis, tmp_path: Path, small_data: Path) -> None:
    assert smis("sample", "--generator", "small", "--seeds", "1", "--out", tmp_path).code == 0
    content = json.loads((tmp_path / "generated.json").read_text())
    for change in ({"weights_sha256": "0" * 64}, {"format_version": 2}, {"pictures": [{"name": "x", "seed": -1}]}):
        (tmp_path / "generated.json").write_text(json.dumps(content | change))
        ended = smis("sample", "--generator", "small", "--seeds", "5", "--out", tmp_path)
        assert ended.code == 2
        assert ended.err.count("\n") == 1
        assert json.loads((tmp_path / "generated.json").read_text()) == content | change
        assert not (tmp_path / "seed-0005.png").exists()


def test_ctrl_c_leaves_whole_pictures_and_their_list(tmp_path: Path, small_data: Path) -> None:
    command = [sys.executable, "-m", "smis_desktop", "sample", "--generator", "small", "--seeds", "0-400", "--json"]
    with subprocess.Popen(
        [*command, "--out", str(tmp_path / "o")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert any("10 %" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        answer, rest = process.communicate()
    assert process.returncode == 130
    assert answer == ""
    assert rest.splitlines()[-1] == "smis: interrupted; files that were not finished are not kept."
    assert "Traceback" not in rest
    generated = read_generated_pictures(tmp_path / "o")
    assert generated is not None
    found = {path.stem for path in (tmp_path / "o").glob("*.png")}
    assert found <= generated.by_name().keys()
    assert 40 <= len(found) < 401
    for path in (tmp_path / "o").glob("*.png"):
        assert _pixels(path).shape == (256, 256, 3)
    assert not list((tmp_path / "o").glob(".*"))

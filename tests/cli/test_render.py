"""`smis render`: layouts to pictures, the same ones that every other door gives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smis_desktop.document.document import Document
from smis_desktop.document.style import Style
from smis_desktop.formats.exported_picture import read_picture_project, write_photograph
from smis_desktop.formats.project import Project, write_project
from smis_desktop.formats.registry import read_layout
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.inference.synthesizer import PictureRequest, Synthesizer
from smis_desktop.personal_model.model import read_personal_model
from smis_desktop.resources import resources_folder
from tests.cli.conftest import Smis, label_map, write_layout


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def test_a_layout_becomes_a_face(smis: Smis, tmp_path: Path, faces_model: Path, faces: MobileStyleGAN) -> None:
    layout = write_layout(tmp_path / "my face.png")
    facts = smis("render", layout, "--model", faces_model, "--out", tmp_path / "o", "--size", 512, "--json").facts
    (entry,) = facts["pictures"]
    assert entry["path"] == str(tmp_path / "o" / "my face.png")
    assert (entry["layout"], entry["unknown_ids"]) == (str(layout), [])
    assert (facts["size"], facts["mix"], facts["refine"]) == (512, 1.0, 0)
    assert (facts["model"], facts["generator"]) == ("mine", "faces")
    request = PictureRequest(read_layout(layout).label_map, Style.of_seed(entry["seed"]), size=512)
    expected = Synthesizer(faces, read_personal_model(faces_model)).render(request).picture
    # Another number of threads may round differently.
    assert np.abs(_pixels(tmp_path / "o" / "my face.png").astype(int) - expected).max() <= 1


def test_projects_and_pictures_with_a_recipe_are_layouts_too(
    smis: Smis, tmp_path: Path, small_data: Path, small_model: Path
) -> None:
    plain = _render(smis, write_layout(tmp_path / "l.png"), small_model, tmp_path / "o")
    palette = read_personal_model(small_model).palette
    project = Project(Document.of_label_map(read_layout(tmp_path / "l.png").label_map, palette).state())
    write_project(tmp_path / "p.smis", project)
    write_photograph(tmp_path / "r.png", np.zeros((8, 8, 3), np.uint8), project)
    for name in ("p.smis", "r.png"):
        assert smis("render", tmp_path / name, "--model", small_model, "--out", tmp_path / "o", "--seed", 0).code == 0
    seeded = _render(smis, tmp_path / "l.png", small_model, tmp_path / "o", "--seed", 0)
    assert plain.shape == seeded.shape
    np.testing.assert_array_equal(_pixels(tmp_path / "o" / "p.png"), seeded)
    np.testing.assert_array_equal(_pixels(tmp_path / "o" / "r.png"), seeded)


def _render(smis: Smis, layout: Path, model: Path, out: Path, *words: object) -> np.ndarray:
    assert smis("render", layout, "--model", model, "--out", out, *words).code == 0
    return _pixels(out / layout.name)


def test_every_option_matters_and_the_same_call_gives_the_same_picture(
    smis: Smis, tmp_path: Path, small_data: Path, small_model: Path
) -> None:
    layout = write_layout(tmp_path / "l.png")
    plain = _render(smis, layout, small_model, tmp_path / "o")
    assert plain.shape == (256, 256, 3)
    np.testing.assert_array_equal(_render(smis, layout, small_model, tmp_path / "again"), plain)
    for words in (["--seed", 5], ["--mix", 0.25], ["--refine", 3], ["--refine", "auto"]):
        assert (_render(smis, layout, small_model, tmp_path / "o", *words) != plain).any(), words
    without_style = _render(smis, layout, small_model, tmp_path / "o", "--mix", 0)
    np.testing.assert_array_equal(
        _render(smis, layout, small_model, tmp_path / "o", "--mix", 0, "--seed", 9), without_style
    )


def test_without_a_seed_every_layout_has_a_style_of_its_own(
    smis: Smis, tmp_path: Path, small_data: Path, small_model: Path
) -> None:
    layouts = [tmp_path / "a.png", tmp_path / "b.png"]
    for shade, path in zip((0, 1), layouts, strict=True):
        painted = label_map()
        painted[:2] = shade
        write_layout(path, painted)
    words = ["--model", small_model, "--json", "--out"]
    together = smis("render", *layouts, *words, tmp_path / "o").facts["pictures"]
    alone = smis("render", layouts[1], *words, tmp_path / "alone").facts["pictures"]
    assert together[0]["seed"] != together[1]["seed"] == alone[0]["seed"]
    np.testing.assert_array_equal(_pixels(tmp_path / "o" / "b.png"), _pixels(tmp_path / "alone" / "b.png"))
    one_for_all = smis("render", *layouts, "--seed", 4, *words, tmp_path / "same").facts["pictures"]
    assert [entry["seed"] for entry in one_for_all] == [4, 4]


def test_variations_are_the_pictures_of_their_seeds(
    smis: Smis, tmp_path: Path, small_data: Path, small_model: Path
) -> None:
    layout, out = write_layout(tmp_path / "l.png"), tmp_path / "o"
    words = ["render", layout, "--model", small_model, "--out", out, "--seed", 7, "--variations", 3]
    ended = smis(*words)
    assert [Path(line).name for line in ended.out.splitlines()] == [f"l-seed-000{seed}.png" for seed in (7, 8, 9)]
    np.testing.assert_array_equal(
        _pixels(out / "l-seed-0008.png"), _render(smis, layout, small_model, tmp_path / "one", "--seed", 8)
    )
    clash = write_layout(tmp_path / "l-seed-0008.png")
    ended = smis("render", layout, clash, "--model", small_model, "--out", tmp_path / "o2", "--variations", 1)
    assert ended.code == 0, "no clash without variations"


def test_a_folder_stands_for_the_layouts_in_it(smis: Smis, tmp_path: Path, small_data: Path, small_model: Path) -> None:
    for name in ("b.png", "a.PNG", ".hidden.png", "notes.txt", "below/c.png"):
        write_layout(tmp_path / "layouts" / name)
    single = write_layout(tmp_path / "z.png")
    ended = smis("render", tmp_path / "layouts", single, "--model", small_model, "--out", tmp_path / "o")
    assert ended.code == 0
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == ["a.png", "b.png", "z.png"]


def test_unknown_ids_and_cropping_are_told(smis: Smis, tmp_path: Path, small_data: Path, small_model: Path) -> None:
    pixels = np.hstack([label_map(), np.full((64, 10), 1, np.uint8)])
    pixels[:8, 20:40] = 99
    pixels[8:16, 20:40] = 42
    layout = write_layout(tmp_path / "odd.png", pixels)
    ended = smis("render", layout, "--model", small_model, "--out", tmp_path / "o", "--seed", 0, "--json")
    (entry,) = ended.facts["pictures"]
    assert entry["unknown_ids"] == [42, 99]
    (warning,) = ended.facts["warnings"]
    assert str(layout) in warning
    assert "42, 99" in warning
    (note,) = ended.facts["notes"]
    assert "74×64" in note
    assert f"Warning: {warning}\n" in ended.err
    # What is unknown counts as not painted.
    blank = np.where(np.isin(pixels, [42, 99]), 255, pixels).astype(np.uint8)
    expected = _render(smis, write_layout(tmp_path / "blank.png", blank), small_model, tmp_path / "o", "--seed", 0)
    np.testing.assert_array_equal(_pixels(tmp_path / "o" / "odd.png"), expected)


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_nothing_but_the_answer_is_on_stdout(
    smis: Smis, tmp_path: Path, small_data: Path, small_model: Path, words: list[str]
) -> None:
    layout = write_layout(tmp_path / "l.png")
    ended = smis("render", layout, "--model", small_model, "--out", tmp_path / "o", *words)
    assert ended.out.count("\n") == 1
    assert ended.err.splitlines() == ["Rendering 1 picture", "Rendering 1 picture: 100 %"]


def test_two_processes_render_a_folder_as_one_does(
    smis: Smis, tmp_path: Path, small_data: Path, small_model: Path
) -> None:
    for number in range(3):
        write_layout(tmp_path / "layouts" / f"{number}.png", np.roll(label_map(), 4 * number, 1))
    words = ["render", tmp_path / "layouts", "--model", small_model, "--json", "--out"]
    alone = smis(*words, tmp_path / "alone").facts
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    ended = subprocess.run(
        [*launcher, "-m", "smis_desktop", *map(str, words), str(tmp_path / "two")],
        cwd=resources_folder().parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    together = json.loads(ended.stdout)  # one answer: only the first process speaks
    assert [entry["seed"] for entry in together["pictures"]] == [entry["seed"] for entry in alone["pictures"]]
    assert all(entry["seconds"] > 0 for entry in together["pictures"])
    for path in sorted((tmp_path / "alone").glob("*.png")):
        # Another number of threads may round differently.
        difference = _pixels(path).astype(int) - _pixels(tmp_path / "two" / path.name)
        assert np.abs(difference).max() <= 1
        recipe, same = (read_picture_project(folder / path.name) for folder in (tmp_path / "two", tmp_path / "alone"))
        assert recipe is not None
        assert same is not None
        assert recipe.document.equals(same.document)
        assert recipe.style.style == same.style.style
        assert recipe.style.composition is not None

"""The real program: its own process, its own main(), the real default model, a real mouse on a real X server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smis_desktop.generators.generator import Generator

CHECKOUT = Path(__file__).resolve().parent.parent.parent


def environment(**changes: str) -> dict[str, str]:
    without_display = {key: value for key, value in os.environ.items() if key != "QT_QPA_PLATFORM"}
    return {**without_display, "PYTHONPATH": str(CHECKOUT), "PYTHONWARNINGS": "error", **changes}


def test_a_stroke_of_the_mouse_changes_the_photograph(faces: Generator, x_display: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(CHECKOUT / "tests" / "ui" / "stroke_story.py"), str(tmp_path)],
        env=environment(DISPLAY=x_display, QT_QPA_PLATFORM="xcb"),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    regions = json.loads((tmp_path / "regions.json").read_text())
    for name in ("canvas", "photograph"):
        before, after = (screen(tmp_path / f"{moment}.png", regions[name]) for moment in ("before", "after"))
        assert before.std() > 20, f"there was nothing to see in the {name}"
        changed = (np.abs(before - after) > 8).any(axis=2).mean()
        assert changed > 0.03, f"the stroke changed {changed:.1%} of the {name}"


def test_without_a_display_the_example_is_rendered_to_a_file(faces: Generator, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from smis_desktop.app import main; sys.exit(main([]))"],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first_line = done.stderr.splitlines()[0]
    assert "no display" in first_line
    assert "smis-example.png" in first_line
    assert [path.name for path in tmp_path.iterdir()] == ["smis-example.png"]
    with Image.open(tmp_path / "smis-example.png") as image:
        assert image.size == (1024, 1024)
        assert np.asarray(image).std() > 20


@pytest.mark.parametrize("words", [["--model", "nowhere.smismodel"], ["nowhere.smismodel"]])
def test_without_a_display_a_missing_model_is_one_sentence_and_exit_code_2(words: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable, "-c", "import sys; from smis_desktop.app import main; sys.exit(main(sys.argv[1:]))",
            *words,
        ],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "nowhere.smismodel" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_end_while_the_model_is_being_opened_it_closes_cleanly(
    number: signal.Signals, x_display: str, tmp_path: Path
) -> None:
    story = (
        "import os, sys; from scripts.driven_window import play\n"
        "def story(window):\n"
        f"    os.kill(os.getpid(), {int(number)})\n"
        "    yield lambda: not window.isVisible()\n"
        "sys.exit(play(story, []))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", story],
        env=environment(DISPLAY=x_display, QT_QPA_PLATFORM="xcb"),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_after_a_crash_the_next_start_tells(x_display: str, tmp_path: Path) -> None:
    (tmp_path / "first.py").write_text(
        "import os, signal, sys\n"
        "from scripts.driven_window import play\n"
        "def story(window):\n"
        "    os.kill(os.getpid(), signal.SIGSEGV)\n"
        "    yield lambda: False\n"
        "play(story, ['nowhere.smismodel'])\n"
    )
    (tmp_path / "second.py").write_text(
        "from scripts.driven_window import play\n"
        "from smis_desktop.ui.window.fault_reporting import FaultDialog\n"
        "def story(window):\n"
        "    yield lambda: window.findChild(FaultDialog) is not None\n"
        "    dialog = window.findChild(FaultDialog)\n"
        "    print(dialog.details.toPlainText())\n"
        "    dialog.action_buttons[0].click()\n"
        "play(story, ['nowhere.smismodel'])\n"
    )
    told = []
    for program in ("first.py", "second.py"):
        done = subprocess.run(
            [sys.executable, str(tmp_path / program)],
            env=environment(DISPLAY=x_display, QT_QPA_PLATFORM="xcb", SMIS_DATA_DIR=str(tmp_path / "data")),
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        told.append((done.returncode, done.stdout))
    assert told[0][0] == -signal.SIGSEGV
    assert told[1][0] == 0
    assert "Segmentation fault" in told[1][1]
    assert "in story" in told[1][1]


def screen(path: Path, region: list[int]) -> np.ndarray:
    """float32 [h, w, 3] of that part of a picture of the screen."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").crop(tuple(region)), np.float32)


@pytest.mark.slow
def test_a_model_of_landscapes_is_trained_rendered_judged_and_opened(x_display: str, tmp_path: Path) -> None:
    """The whole chain on the second generator through `main()`, with nothing fetched."""
    shots = CHECKOUT / "resources" / "landscapes-shots"
    model, layout = tmp_path / "land.smismodel", shots / "labels" / "seed-0002.png"
    settings = environment(SMIS_DATA_DIR=str(tmp_path / "data"), DISPLAY=x_display, QT_QPA_PLATFORM="xcb")

    def smis(*words: object) -> dict[str, object]:
        done = subprocess.run(
            [sys.executable, "-m", "smis_desktop", *map(str, words), "--json"],
            env=settings, cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found: dict[str, object] = json.loads(done.stdout)
        return found

    smis("train", shots, "--generator", "landscapes", "--out", model, "--samples", 64, "--transfer", "vectors")
    smis("render", layout, "--model", model, "--out", tmp_path / "pictures")
    with Image.open(tmp_path / "pictures" / "seed-0002.png") as picture:
        assert picture.size == (128, 128)
        assert np.asarray(picture).std() > 10
    assert smis("evaluate", layout.parent, "--model", model, "--kid-samples", 0)["layouts"] == 5
    story = (
        "import sys; from scripts.driven_window import Mouse, on_screen, play\n"
        "def story(window):\n"
        "    yield lambda: window.preview.is_up_to_date and window.preview.shown_ws is not None\n"
        "    before = window.preview_actions.pixels()\n"
        "    assert window.preview.about.generator_name == 'landscapes'\n"
        "    side = window.controller.document.size\n"
        "    window.classes.choose_row(5)\n"
        "    line = [(side * t / 20, side * 0.8) for t in range(2, 19)]\n"
        "    yield Mouse().stroke(on_screen(window, line))\n"
        "    controller, preview = window.controller, window.preview\n"
        "    yield lambda: controller.can_undo and not controller.is_painting and preview.is_up_to_date\n"
        "    assert (window.preview_actions.pixels() != before).any(), 'the picture did not follow the brush'\n"
        "sys.exit(play(story, sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", story, "--model", str(model), str(layout)],
        env=settings, cwd=CHECKOUT, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")

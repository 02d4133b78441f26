"""Tests the built program on a bare system: no Python on the path, an empty home, no data folder.

    python scripts/try_the_built_program.py dist/smis-desktop dist/smis_desktop-*.whl

A folder is the packaged program; it needs no network. A wheel is installed into an environment of its own, with what it
needs from the package index, or from the folder of installed packages that `--libraries` names; it fetches the
generator. Each then says its version, renders the example, imports checkpoints in both published layouts, refuses a
hostile one, trains for half a minute, and opens its window on a virtual display, where it continues a training in a
process of its own until it is asked to end. Needs Xvfb and xdotool. Exit code 0: all of it worked.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from scripts.sample_workspace import SHOTS, sample_workspace  # noqa: E402
from scripts.virtual_display import virtual_display  # noqa: E402
from smis_desktop.resources import example_layout_path  # noqa: E402
from tests.checkpoints.hostile_files import hostile_files  # noqa: E402
from tests.checkpoints.published_layouts import nvidia_file, nvidia_state, rosinality_file  # noqa: E402
from tests.small_stylegan2 import small_stylegan2  # noqa: E402

PATIENCE = 540.0
# What an installation behind a proxy needs; nothing that leads to a Python.
KEPT_VARIABLES = re.compile(r"(PIP_.*|SSL_CERT_.*|.*_proxy)", re.IGNORECASE)


class TryFailed(Exception):
    """Raised when something does not work, with one sentence."""


@dataclass(frozen=True)
class Built:
    """The built program. command: what starts it; home: an empty folder."""

    command: Path
    home: Path

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if KEPT_VARIABLES.fullmatch(name)}
        return {**kept, "HOME": str(self.home), "PATH": str(self.home / "nothing"), "LANG": "C.UTF-8", **more}

    def run(self, *words: object) -> str:
        """Run a command that must succeed. Returns its stdout."""
        done = self.end(*words)
        if done.returncode:
            raise TryFailed(f"smis {words[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def end(self, *words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.command), *map(str, words)],
            env=self.environment(), cwd=self.home, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip

    @property
    def data(self) -> Path:
        """The program's data folder."""
        return self.home / ".local" / "share" / "smis-desktop"


def try_everything(built: Built) -> None:
    """Try everything. Raises TryFailed."""
    step("version", lambda: built.run("--version").strip())
    step("generator", lambda: generator(built))
    step("render", lambda: render(built, "faces", []))
    step("backends", lambda: backends(built))
    step("import", lambda: imported(built))
    step("train", lambda: train(built))
    step("window", lambda: window(built))


def step(name: str, act: Callable[[], str]) -> None:
    started = time.monotonic()
    said = act()
    print(f"  {name:10} {said} ({time.monotonic() - started:.1f} s)", flush=True)


def generator(built: Built) -> str:
    installed = json.loads(built.run("models", "--json"))["generators"]
    if not installed:
        built.run("fetch", "faces")
        installed = json.loads(built.run("models", "--json"))["generators"]
    facts = installed[0]
    return f"{facts['name']}, {facts['img_resolution']}², {facts['licence']}, in {facts['path']}"


def render(built: Built, name: str, options: list[object]) -> str:
    out = built.home / f"pictures-{name}"
    built.run("render", example_layout_path(), "--out", out, *options)
    (path,) = out.glob("*.png")
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"), np.float32)
    if pixels.shape != (1024, 1024, 3) or pixels.std() < 20:
        raise TryFailed(f"{path} is no photograph: {pixels.shape}, standard deviation {pixels.std():.1f}")
    return f"{path.name}, {pixels.shape[1]} × {pixels.shape[0]}, standard deviation {pixels.std():.0f}"


def backends(built: Built) -> str:
    """Check the self-test of the first picture; OpenVINO has to be among the backends that work."""
    tests = json.loads((built.data / "backends" / "choice.json").read_text(encoding="utf-8"))["tests"]
    works = [f"{test['backend']} {test['milliseconds']:.0f} ms" for test in tests if not test["fault"]]
    if not any(words.startswith("openvino ") for words in works):
        raise TryFailed(f"OpenVINO does not run: {tests}")
    return ", ".join(works)


def imported(built: Built) -> str:
    """Import a checkpoint through the confined process, which a packaged program has to start as itself."""
    small = small_stylegan2(1)
    sides = []
    for name, data in (("one.pt", rosinality_file(small)), ("two.pkl", nvidia_file(nvidia_state(small)))):
        (built.home / name).write_bytes(data)
        facts = json.loads(built.run("import-generator", built.home / name, "--name", Path(name).stem, "--json"))
        sides.append(f"{name} {facts['img_resolution']}²")
        pictures = built.home / f"of-{name}"
        built.run("sample", "--generator", Path(name).stem, "--seeds", "1", "--out", pictures)
    one, two = (np.asarray(Image.open(built.home / f"of-{name}" / "seed-0001.png")) for name in ("one.pt", "two.pkl"))
    if np.abs(one.astype(int) - two).max() > 1:
        raise TryFailed("the same generator in two layouts makes different pictures")
    canary = built.home / "canary"
    (built.home / "bad.pkl").write_bytes(hostile_files(str(canary), 1)["os.system"])
    done = built.end("import-generator", built.home / "bad.pkl", "--name", "bad")
    if done.returncode != 2 or "would run code" not in done.stderr or canary.exists():
        raise TryFailed(f"a hostile file was not refused: {done.returncode}, {done.stderr[-2000:]}")
    return f"{', '.join(sides)}, the same pictures; a hostile file is refused"


def train(built: Built) -> str:
    model = built.home / "mine.smismodel"
    # The paper's plain transfer: it has no phase of fixed length, so that half a minute is half a minute everywhere.
    # The training in the window's background is of the usual kind.
    done = built.end("train", SHOTS, "--out", model, "--transfer", "vectors", "--minutes", "0.5", "--json")
    if done.returncode:
        raise TryFailed(f"smis train ended with {done.returncode}: {done.stderr[-2000:]}")
    facts = json.loads(done.stdout)
    made = render(built, "mine", ["--model", model])
    return f"{facts['samples']} samples in {facts['seconds']:.0f} s; its model renders {made}"


def window(built: Built) -> str:
    """Open the window with a data folder that holds an unfinished training."""
    stages = unfinished_training(built.data / "paintings")
    with virtual_display(1440, 900) as display:
        environment = built.environment(DISPLAY=display, QT_QPA_PLATFORM="xcb")
        process = subprocess.Popen(
            [str(built.command), str(example_layout_path())], env=environment, cwd=built.home, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            opened = wait(process, lambda: title(display, "aces — SMIS Desktop"), "the window with its model")
            trained = wait(process, lambda: bool(list(stages.glob("*.safetensors"))), "the training in the background")
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=60)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
    if process.returncode or "Traceback" in output:
        raise TryFailed(f"the window ended with {process.returncode}: {output[-2000:]}")
    log = (built.data / "log" / "smis.log").read_text(encoding="utf-8")
    if "ERROR" in log or "CRITICAL" in log:
        raise TryFailed(f"there are errors in the log: {log[-2000:]}")
    return f"open with its model after {opened:.0f} s, a training process at work {trained:.0f} s later, ended with 0"


def unfinished_training(paintings: Path) -> Path:
    """Make a workspace whose training was interrupted before it did anything; return the folder of its stages."""
    workspace = sample_workspace(paintings / "workshops", "Half done", 3)
    model = workspace.model_path(paintings / "models")
    stages = model.with_name(model.name + ".training")
    stages.mkdir(parents=True)
    (stages / "training.json").write_text("{}")
    return stages


def title(display: str, words: str) -> bool:
    """Return whether a window on that display has a title with these words."""
    found = subprocess.run(
        ["xdotool", "search", "--onlyvisible", "--name", words],
        env={**os.environ, "DISPLAY": display}, capture_output=True, check=False,
    )  # fmt: skip
    return found.returncode == 0


def wait(process: subprocess.Popen[str], is_so: Callable[[], bool], what: str) -> float:
    """Wait until the condition holds. Returns the seconds that it took."""
    started = time.monotonic()
    while not is_so():
        if process.poll() is not None:
            output = process.stdout.read() if process.stdout else ""
            raise TryFailed(f"waiting for {what}, the program ended with {process.returncode}: {output[-2000:]}")
        if time.monotonic() - started > PATIENCE:
            raise TryFailed(f"waited {PATIENCE:.0f} s in vain for {what}")
        time.sleep(0.2)
    return time.monotonic() - started


def of_folder(folder: Path, home: Path) -> Built:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    print(f"{folder}: {size / 1e6:,.0f} MB", flush=True)
    return Built(folder.resolve() / "smis", home)


def of_wheel(wheel: Path, home: Path, libraries: Path | None) -> Built:
    print(f"{wheel}: {wheel.stat().st_size / 1e6:,.1f} MB", flush=True)
    place = home / "environment"
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    options = [] if libraries is None else ["--no-deps"]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *options, str(wheel.resolve())], check=True, cwd=home)
    if libraries is not None:
        (site,) = (place / "lib").glob("python*/site-packages")
        # Only a place to import from: the environment's own packages, the wheel among them, go first.
        (site / "libraries.pth").write_text(f"{libraries.resolve()}\n")
    return Built(place / "bin" / "smis", home)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("built", nargs="+", type=Path, metavar="BUILT", help="a packaged program's folder, or a wheel")
    parser.add_argument("--libraries", type=Path, metavar="DIR", help="for wheels: take other packages from there")
    arguments = parser.parse_args()
    if shutil.which("xdotool") is None:
        sys.exit("xdotool is missing: install the package xdotool")
    for path in arguments.built:
        with tempfile.TemporaryDirectory(prefix="smis-bare-") as home:
            try:
                bare = Path(home)
                try_everything(of_folder(path, bare) if path.is_dir() else of_wheel(path, bare, arguments.libraries))
            except (TryFailed, subprocess.SubprocessError) as error:
                print(f"  failed: {error}", file=sys.stderr)
                return 1
    print("All of it works.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

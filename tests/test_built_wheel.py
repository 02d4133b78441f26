"""The wheel, built and tried with nothing else at hand; scripts/try_the_built_program.py says how."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
def test_the_wheel_starts_renders_trains_and_ends(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(CHECKOUT)]
    subprocess.run(pip, check=True, timeout=300)
    (wheel,) = tmp_path.glob("smis_desktop-*.whl")
    script = CHECKOUT / "scripts" / "try_the_built_program.py"
    libraries = ["--libraries", sysconfig.get_path("purelib")]
    done = subprocess.run(
        [sys.executable, str(script), *libraries, str(wheel)],
        capture_output=True, text=True, timeout=1200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "All of it works."

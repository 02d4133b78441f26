"""Renews the lock file, `requirements.lock`: `python scripts/renew_lock.py`. Needs a network.

Resolves the newest versions that `pyproject.toml` allows, all extras included, for every platform and every Python from
3.11 on. `uv` does it, in an environment of its own that is thrown away afterwards; index settings are uv's (`UV_*`).

Two things keep the lock independent of which build of torch (CPU, CUDA, ROCm) an index offers: torch is locked without
a local version, which every build of that version satisfies, and the libraries that only some builds need are left out,
since each build names those itself.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
LOCK = CHECKOUT / "requirements.lock"
OLDEST_PYTHON = "3.11"
OF_ONE_BUILD_OF_TORCH = ("cuda-", "nvidia-", "triton==")
HEADER = "# Versions that ./start and ./test install. Made by scripts/renew_lock.py; do not edit.\n"


def main() -> None:
    """Resolve anew and write the lock file."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        subprocess.run([Path(folder, "bin", "python"), "-m", "pip", "install", "--quiet", "uv"], check=True)
        resolve = [
            Path(folder, "bin", "uv"), "pip", "compile", "pyproject.toml", "--universal", "--all-extras", "--no-header",
            "--python-version", OLDEST_PYTHON, "--fork-strategy", "fewest", "--annotation-style", "line", "--quiet",
        ]  # fmt: skip
        resolved = subprocess.run(resolve, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=True).stdout
    lines = [line for line in resolved.splitlines(keepends=True) if not line.startswith(OF_ONE_BUILD_OF_TORCH)]
    LOCK.write_text(HEADER + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

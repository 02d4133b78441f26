"""Minutes of painting while a training runs: memory stays level, and no stroke waits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent.parent
MINUTES = os.environ.get("SMIS_SOAK_MINUTES", "12")
"""Memory is level from the third swapped encoder on, after some three minutes. Thirty say more."""


@pytest.mark.slow
def test_painting_while_training_neither_grows_nor_stutters(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(CHECKOUT / "scripts" / "soak.py"), "--minutes", MINUTES],
        cwd=tmp_path,
        env=os.environ | {"SMIS_BACKEND": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    facts = json.loads(done.stdout)
    assert (done.returncode, facts["faults"]) == (0, []), facts
    assert facts["strokes"] > 20

"""The window is there before the networks are."""

from __future__ import annotations

import subprocess
import sys


def test_the_window_is_built_without_waiting_for_torch() -> None:
    question = "import sys, smis_desktop.app, smis_desktop.ui.window.main_window; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"

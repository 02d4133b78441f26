"""A virtual X display, for windows that need not be visible."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def virtual_display(width: int, height: int) -> Iterator[str]:
    """Run a display and yield its name (`:7`). Needs Xvfb."""
    server = shutil.which("Xvfb")
    if server is None:
        sys.exit("Xvfb is missing: install the package xvfb")
    number_end, server_end = os.pipe()
    screen = f"{width}x{height}x24"
    process = subprocess.Popen(
        [server, "-displayfd", str(server_end), "-screen", "0", screen, "-nolisten", "tcp", "-noreset"],
        pass_fds=[server_end],
        stderr=subprocess.DEVNULL,
    )
    os.close(server_end)
    try:
        with os.fdopen(number_end) as answer:
            number = answer.readline().strip()
        if not number:
            sys.exit(f"Xvfb did not start (exit code {process.wait()})")
        yield f":{number}"
    finally:
        process.terminate()
        process.wait()

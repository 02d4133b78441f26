"""Memory that was freed stays with the process: told by the pages that it has to be given."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

COUNT_PAGES = """
import resource, sys
import numpy as np
from smis_desktop.malloc import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()

def come_and_go():
    maps = [np.ones(2**21) for _ in range(6)]  # of 16 MiB each

come_and_go()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    come_and_go()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def has_glibc() -> bool:
    return sys.platform.startswith("linux") and hasattr(ctypes.CDLL(None), "mallopt")


@pytest.mark.skipif(not has_glibc(), reason="only glibc's allocator is told")
def test_pages_come_once() -> None:
    taken, kept = (
        int(subprocess.run([sys.executable, "-c", COUNT_PAGES, how], check=True, capture_output=True).stdout)
        for how in ("taken anew", "kept")
    )
    assert kept < taken / 10

"""Keeps freed memory with the process, for feature maps that come and go.

glibc's allocator gives large freed blocks back to the system and asks for them anew. Each page is then filled with
zeros when it is first touched: where feature maps of eight megabytes come and go, a tenth to a quarter of the time
(docs/experiments/frozen-layers.md). The process's largest need of memory is the same; it falls less in between.
"""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""Names of `mallopt` in glibc's malloc.h."""
_MEGABYTE = 2**20


def keep_freed_memory() -> None:
    """Keep freed memory in this process from now on. Does nothing where the C library is not glibc."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_MMAP_THRESHOLD, 32 * _MEGABYTE)  # the most it takes
    mallopt(_TRIM_THRESHOLD, 2047 * _MEGABYTE)
    mallopt(_TOP_PAD, 64 * _MEGABYTE)  # a whole heap of a thread's: or it goes when it is empty

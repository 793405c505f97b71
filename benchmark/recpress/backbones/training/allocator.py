"""The C library's allocator, told that a training asks for the same large tables again and again."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # glibc, malloc.h


def keep_freed_memory() -> None:
    """Let this process keep what it frees, instead of having the kernel clear fresh pages for every table.

    By default glibc may map a large table anew each time, and unmap it when it is freed. On a graph of Gowalla's size
    that is up to a fifth of the time of a step. Other C libraries than glibc are left as they are.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 2**31 - 1)
        mallopt(M_TRIM_THRESHOLD, -1)  # never
        mallopt(M_TOP_PAD, 2**26)

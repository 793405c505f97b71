"""Lock files, between threads and between processes of one machine. The system frees those of a dead process.

A lock is held alone, or shared with others who share it.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

TICK = 0.02
# Seconds after which a wait for a lock is reported, and again.
SAY_SECONDS = 5.0

# Is called with what is waited for, and for how many seconds so far.
OnWait = Callable[[str, float], None]


def on_stderr(what: str, seconds: float) -> None:
    """Report on stderr what is waited for."""
    print(f"Waiting for {what}, for {seconds:.0f} s so far; Ctrl-C gives up.", file=sys.stderr, flush=True)


def saying(what: str, on_wait: OnWait = on_stderr) -> Callable[[], None]:
    """Return a function to call while waiting: every `SAY_SECONDS` it reports what is waited for."""
    start = said = time.monotonic()

    def check() -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= SAY_SECONDS:
            said = now
            on_wait(what, now - start)

    return check


@contextmanager
def locked(path: Path, check: Callable[[], None] = lambda: None, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock file inside a ``with`` block; threads of one process exclude each other too.

    Parameters
    ----------
    path : Path
    check : callable
        Is called while waiting; it raises to give up.
    shared : bool
        Whether others may hold it at the same time, if they share it too.
    """
    descriptor = open_lock(path)
    try:
        while not take(descriptor, shared=shared):
            check()
            time.sleep(TICK)
        yield
    finally:
        os.close(descriptor)


def open_lock(path: Path, *, folder: bool = False) -> int:
    """Return a descriptor of a lock file, which is made, or of a folder, which is there; closing it frees the lock."""
    if folder:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def take(descriptor: int, *, shared: bool = False) -> bool:
    """Take a lock if it is free, without waiting; return whether it was."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

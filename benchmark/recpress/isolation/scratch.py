"""The scratch folder of a run, and the leftovers of runs that were killed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from recpress.core.locking import open_lock, take
from recpress.isolation import leftovers
from recpress.isolation.locks import place

PREFIX = "run-"


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder that is gone after the ``with`` block; what a run that was killed left is removed first."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place()))
    # The lock says that we live; the system lets go of it however we end.
    descriptor = open_lock(folder, folder=True)
    take(descriptor)
    try:
        yield folder
    finally:
        os.close(descriptor)
        leftovers.remove(folder)


def sweep() -> None:
    """Remove the scratch folders of runs that are no more, and end the processes that still work in them."""
    dead = [folder for folder in place().glob(f"{PREFIX}*") if not _held(folder)]
    if dead:
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if any(Path(process.cwd()).is_relative_to(folder) for folder in dead):
                    process.kill()
        for folder in dead:
            leftovers.remove(folder)


def _held(folder: Path) -> bool:
    try:
        descriptor = open_lock(folder, folder=True)
    except OSError:
        return True  # It has just been removed.
    try:
        return not take(descriptor)
    finally:
        os.close(descriptor)

"""What a stage's process leaves behind: looked at before anything of it is opened, and removed however deep it is."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

# A checkpoint is a dozen files, and an artefact two; a search keeps a journal.
MOST_FILES: Final = 10_000
DEEPEST: Final = 16


@contextmanager
def folder(prefix: str, place: Path | None) -> Iterator[Path]:
    """Give a folder for what may be anything; it is gone after the ``with`` block."""
    made = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
    try:
        yield made
    finally:
        remove(made)


def remove(folder: Path) -> None:
    """Remove a folder and all in it, as far as that can be."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:  # Until Python 3.13 it goes down one call for each folder.
        subprocess.run(["rm", "-rf", "--", str(folder)], check=False, capture_output=True)


@contextmanager
def checked(*folders: Path) -> Iterator[None]:
    """Refuse what isn't regular files in a few folders: a link leads elsewhere, and a pipe waits for ever.

    They are looked at when the ``with`` block ends. What is refused is removed, so that whoever owns the folders can
    remove the rest. An exception in the block stays what it is.

    Raises
    ------
    ValueError
        With what was found.
    """
    try:
        yield
    except BaseException:
        for folder in folders:
            _emptied_if_odd(folder)
        raise
    for folder in folders:
        if found := _emptied_if_odd(folder):
            raise ValueError(found)


def _emptied_if_odd(folder: Path) -> str | None:
    found = _odd(folder)
    if found:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    remove(Path(entry))
                else:
                    Path(entry).unlink(missing_ok=True)
    return found


def _odd(folder: Path) -> str | None:
    left, count = [(folder, 0)], 0
    while left:
        place, depth = left.pop()
        if depth > DEEPEST:
            return f"it left folders more than {DEEPEST} deep"
        try:
            with os.scandir(place) as found:
                entries = list(islice(found, MOST_FILES + 1))
        except OSError as error:
            return f"it left a folder that can't be read: {error.strerror}"
        count += len(entries)
        if count > MOST_FILES:
            return f"it left more than {MOST_FILES:,} files"
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                left.append((Path(entry), depth + 1))
            elif not entry.is_file(follow_symlinks=False):
                return f"it left {entry.name!r}, which is no regular file"
    return None


def array(file: Path) -> NDArray[Any]:
    """Return the array of a file, which may promise more than it holds.

    Raises
    ------
    OSError, ValueError, EOFError
    """
    try:
        # What is mapped must be there: nothing is allocated for a promise.
        return np.array(np.load(file, mmap_mode="r", allow_pickle=False))
    except OverflowError as error:
        raise ValueError(str(error)) from error


def tail(file: Path, most: int) -> str:
    """Return the end of a text file that may be anything; "" where it isn't a regular one."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    with os.fdopen(descriptor, "rb") as reading:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            return ""
        reading.seek(max(0, about.st_size - most))
        return reading.read(most).decode("utf-8", "replace")

"""Files and folders that appear whole or not at all, also through a crash or a full disk."""

from __future__ import annotations

import ctypes
import glob
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from recpress.core.locking import open_lock, take

# From linux/fcntl.h and linux/fs.h.
AT_FDCWD: Final = -100
RENAME_EXCHANGE: Final = 2


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary file beside `path` to write to; it is flushed to disk and takes its place when the block ends.

    An exception in the block leaves what was at `path`, and no temporary file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    # With its mode from the start: a stage may set none.
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_atomic(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def creating(folder: Path) -> Iterator[Path]:
    """Give a temporary folder beside `folder` to fill; it is flushed to disk and takes its place when the block ends.

    Where another process was first and `folder` holds something by then, that stays and ours is dropped. An exception
    in the block leaves no temporary folder.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".tmp"))
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _flush(file)
        temporary.chmod(0o755)
        try:
            temporary.rename(folder)
        except OSError:
            if not (folder.is_dir() and any(folder.iterdir())):
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def swapping(folder: Path) -> Iterator[Path]:
    """Give an empty folder beside `folder` to fill; it takes its place whole when the block ends, whatever was there.

    An exception in the block leaves what was there, and so does the end of this process at any moment: what it had
    begun is removed by the next that writes there.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f".{glob.escape(folder.name)}.*.swap"):
        with suppress(OSError), _held(left):
            shutil.rmtree(left, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".swap"))
    try:
        with _held(temporary):
            yield temporary
            temporary.chmod(0o755)
            if folder.is_dir():
                _exchange(temporary, folder)
            else:
                temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, which ends with the process; OSError where another has it."""
    descriptor = open_lock(folder, folder=True)
    try:
        if not take(descriptor):
            raise BlockingIOError(f"another process writes {folder}")
        yield
    finally:
        os.close(descriptor)


def _exchange(one: Path, other: Path) -> None:
    """Let two folders change places: at once where the system can, else by way of a third name."""
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "renameat2"):
        told = libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE)
        if told == 0:
            return
    aside = one.with_suffix(".old.swap")
    other.rename(aside)
    one.rename(other)
    aside.rename(one)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())

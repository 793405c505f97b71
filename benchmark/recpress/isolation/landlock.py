"""What a process may do to files, sockets and other processes, held by the kernel (Landlock, no privileges needed).

Whatever isn't granted is refused: reading, too. https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

LINUX: Final = sys.platform == "linux"
# From this version on it knows files, TCP, devices, abstract sockets and signals.
WHOLE: Final = 6
# From linux/landlock.h; the numbers of system calls added since 2019 are the same on every machine.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_CHANGES = sum(1 << bit for bit in range(4, 13))  # remove, make: directories, files, links, sockets, devices
_REFER, _TRUNCATE, _DEVICE = 1 << 13, 1 << 14, 1 << 15  # since versions 2, 3 and 5
_TCP = 1 << 0 | 1 << 1  # bind, connect: since version 4
_ABSTRACT_SOCKETS, _SIGNALS = 1 << 0, 1 << 1  # since version 6
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _DEVICE
_READING = _EXECUTE | _READ_FILE | _READ_DIR


def version() -> int:
    """Return the version of Landlock that the kernel has; 0 without it."""
    if not LINUX:
        return 0
    return max(0, int(_syscall(_CREATE, None, ctypes.c_size_t(0), _VERSION_FLAG)))


def restrict(readable: Iterable[Path], writable: Iterable[Path], listed: Iterable[Path] = ()) -> None:
    """Hold this thread, and all that it starts, to these files and folders, and to itself.

    Of folders that are `listed`, names can be read, down to the last, but no file. New privileges must have been given
    up before. Paths that aren't there are passed over.

    Raises
    ------
    OSError
    """
    known = version()
    writing = _WRITE_FILE | _CHANGES
    for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _DEVICE)):
        writing |= right if known >= since else 0
    network = _TCP if known >= 4 else 0
    others = _ABSTRACT_SOCKETS | _SIGNALS if known >= WHOLE else 0
    handled = (ctypes.c_uint64 * 3)(_READING | writing, network, others)
    size = 8 if known < 4 else 16 if known < WHOLE else 24  # The struct grew.
    ruleset = _syscall(_CREATE, ctypes.byref(handled), ctypes.c_size_t(size), 0)
    try:
        for path in listed:
            _allow(ruleset, path, _READ_DIR)
        for path in readable:
            _allow(ruleset, path, _READING)
        for path in writable:
            _allow(ruleset, path, _READING | writing)
        if ruleset < 0 or _syscall(_RESTRICT, ruleset, 0) != 0:
            raise OSError("the process can't be held to its folders (Landlock)")
    finally:
        if ruleset >= 0:
            os.close(ruleset)


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def _allow(ruleset: int, path: Path, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # What isn't there needs no leave.
        return
    try:
        rule = _PathBeneath(access if path.is_dir() else access & _OF_A_FILE, descriptor)
        _syscall(_ADD, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        # A rule is of an inode, and procfs makes another when it has forgotten the name: what is open isn't forgotten.
        if Path("/proc") not in path.parents:
            os.close(descriptor)


def _syscall(number: int, *arguments: object) -> int:
    return int(ctypes.CDLL(None).syscall(ctypes.c_long(number), *arguments))

"""What a stage's process may do: where it may write and read, how much memory, on which cores.

The kernel holds a process to its folders (Landlock, Linux 5.13 and later, no privileges needed); where it can't, only
the scrubbed environment keeps a method from knowing where other files lie.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from recpress.measure.checkup import Advice
from recpress.measure.watch import scrubbed
from recpress.paths import PACKAGE, resources

LINUX = sys.platform == "linux"
# From linux/prctl.h and linux/landlock.h; the numbers of system calls added since 2019 are the same on every machine.
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
LANDLOCK_VERSION_FLAG, LANDLOCK_PATH_BENEATH = 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
CHANGES = sum(1 << bit for bit in range(4, 13))  # remove, make: directories, files, links, sockets, devices
REFER, TRUNCATE = 1 << 13, 1 << 14  # since versions 2 and 3
READING = EXECUTE | READ_FILE | READ_DIR
# Devices and switches of the process itself, and shared memory, which libraries make their semaphores in.
ALSO_WRITABLE = ("/dev/null", "/dev/zero", "/dev/shm", "/proc/self")


@dataclass(frozen=True)
class Bounds:
    """What a stage's process is given.

    Attributes
    ----------
    scratch : Path
        Its working folder and the place of its temporary files.
    writable : tuple of Path
        Other folders that it may write in.
    hidden : tuple of Path
        Folders that it may not read, whatever is writable or readable in them excepted.
    readable : tuple of Path
        Folders inside hidden ones that it may read all the same.
    memory : int or None
        Bytes that it may hold, beyond what it has from the start.
    cores : tuple of int or None
        Those that it may run on.
    """

    scratch: Path
    writable: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    readable: tuple[Path, ...] = ()
    memory: int | None = None
    cores: tuple[int, ...] | None = None


def enter(bounds: Bounds) -> None:
    """Hold the calling process, and all that it starts, to its bounds. There is no way back."""
    os.setsid()  # Its group is ended with it.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if LINUX:
        # The fork server ends when the run does, however that ends; so do we. Orphans of ours stay ours.
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        adopt_orphans()
        if bounds.cores:
            os.sched_setaffinity(0, bounds.cores)
    kept = scrubbed(os.environ)
    os.environ.clear()
    # Compiled kernels that a method brings may be kept in the scratch.
    os.environ.update(kept, TMPDIR=str(bounds.scratch), XDG_CACHE_HOME=str(bounds.scratch))
    tempfile.tempdir = None
    os.chdir(bounds.scratch)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if bounds.memory is not None and LINUX:
        # RLIMIT_DATA counts memory that can be written; RLIMIT_AS would count the tens of gigabytes that libraries
        # reserve and never touch.
        most = _data_bytes() + bounds.memory
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    if landlock_version():
        _restrict(bounds)


def adopt_orphans() -> None:
    """Make what outlives its parent, among all that this process starts, a child of this process. Linux only."""
    if LINUX:
        _prctl(PR_SET_CHILD_SUBREAPER, 1)


def landlock_version() -> int:
    """Return the version of Landlock that the kernel has; 0 without it."""
    if not LINUX:
        return 0
    return max(0, int(_syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), LANDLOCK_VERSION_FLAG)))


def isolation() -> str | None:
    """Return what is missing of the walls around a method's process; None where every one stands."""
    version = landlock_version()
    return None if version >= 6 else f"Landlock {version}, and 6 is needed"


def advice() -> Advice:
    """Return what `recpress doctor` says of the walls around a method's code."""
    if landlock_version():
        return Advice("isolation", "ok", f"the kernel holds methods to their folders (Landlock {landlock_version()})")
    return Advice(
        "isolation", "note", "no Landlock: a method's files are checked by audit alone; run only code that you trust"
    )


def _restrict(bounds: Bounds) -> None:
    version = landlock_version()
    writing = WRITE_FILE | CHANGES | (REFER if version >= 2 else 0) | (TRUNCATE if version >= 3 else 0)
    handled = ctypes.c_uint64(READING | writing)
    ruleset = _syscall(LANDLOCK_CREATE, ctypes.byref(handled), ctypes.c_size_t(8), 0)
    # Python and numba keep what they compiled beside the source.
    caches = (folder for root in (PACKAGE, resources("methods")) for folder in root.rglob("__pycache__"))
    accelerators = Path("/dev").glob("nvidia*")
    for path in (bounds.scratch, *bounds.writable, *map(Path, ALSO_WRITABLE), *accelerators, *caches):
        _allow(ruleset, path, READING | writing)
    for path in (*bounds.readable, *visible(bounds.hidden)):
        _allow(ruleset, path, READING)
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    if _syscall(LANDLOCK_RESTRICT, ruleset, 0) != 0:
        raise OSError("the process can't be held to its folders (Landlock)")
    os.close(ruleset)


def visible(hidden: Iterable[Path]) -> Iterator[Path]:
    """Yield paths that together hold every file there is now, except those in hidden folders."""
    closed = {path.resolve() for path in hidden}
    ancestors = {parent for path in closed for parent in path.parents}
    if not closed:
        yield Path("/")
    for folder in ancestors:
        try:
            entries = list(os.scandir(folder))
        except OSError:  # May not be listed: then it isn't ours to read.
            continue
        yield from (
            Path(entry) for entry in entries if Path(entry) not in ancestors | closed and not entry.is_symlink()
        )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def _allow(ruleset: int, path: Path, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # What isn't there needs no leave.
        return
    try:
        if not path.is_dir():
            access &= EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
        rule = _PathBeneath(access, descriptor)
        _syscall(LANDLOCK_ADD, ruleset, LANDLOCK_PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(descriptor)


def _data_bytes() -> int:
    """Return the bytes of this process that RLIMIT_DATA counts."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), 0, 0, 0)


def _syscall(number: int, *arguments: object) -> int:
    return int(ctypes.CDLL(None).syscall(ctypes.c_long(number), *arguments))

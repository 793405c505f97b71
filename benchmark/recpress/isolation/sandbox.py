"""What a stage's process may do: where it may read and write, how much memory, on which cores, and with whom.

The kernel holds it: Landlock to its files, and away from other processes and their sockets; a filter of system calls
(seccomp) away from the network and from what Landlock knows nothing of. Where the kernel can't, runs say so.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import process
from pathlib import Path

from recpress.core.paths import PACKAGE, checkout_root, resources
from recpress.isolation import landlock, seccomp
from recpress.isolation.landlock import LINUX
from recpress.measure import watch
from recpress.measure.checkup import Advice
from recpress.registry import method_sources

# From linux/prctl.h and linux/capability.h.
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
CAPABILITIES_VERSION, CAP_DAC_READ_SEARCH = 0x2008_0522, 2
# Programs and libraries, and what they look up of this machine and of the process itself.
SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/gnu/store",
    "/etc/ld.so.cache", "/etc/localtime", "/dev/random", "/dev/urandom",
    "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/loadavg", "/proc/uptime", "/proc/version", "/proc/sys",
    "/sys/devices/system", "/sys/fs/cgroup", "/sys/kernel/mm", "/sys/class/powercap", "/sys/devices/virtual/powercap",
)  # fmt: skip
# What tools such as lscpu open before what lies in it.
LISTED = ("/proc",)
# Devices that keep nothing, and switches of the process itself.
SINKS = ("/dev/null", "/dev/zero", "/dev/full", "/proc/self")
# What CUDA asks of the system, where there is a device for it.
ACCELERATED = ("/sys", "/proc/driver", "/proc/devices", "/proc/modules")
# Where what a stage prints goes, in its scratch folder.
PRINTED = "printed.txt"


@dataclass(frozen=True)
class Bounds:
    """What a stage's process is given.

    Attributes
    ----------
    scratch : Path
        Its working folder, its home and the place of its temporary files.
    writable : tuple of Path
        Other folders that it may write in.
    hidden : tuple of Path
        Folders that it may not read though code lies around them, whatever is writable or readable in them excepted.
    readable : tuple of Path
        Files and folders that it may read, besides programs, libraries and the code of methods.
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


def enter(bounds: Bounds, descriptor: int | None = None) -> None:
    """Hold the calling process, and all that it starts, to its bounds. There is no way back.

    Parameters
    ----------
    bounds : Bounds
    descriptor : int, optional
        The only open file that it keeps: its output goes to `PRINTED`, and its input is empty. Default: it keeps all.

    Raises
    ------
    OSError
        When the kernel, which could, doesn't hold it.
    """
    home = Path.home()
    os.setsid()  # Its group is ended with it.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if LINUX:
        # The fork server ends when the run does, however that ends; so do we. Orphans of ours stay ours.
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        adopt_orphans()
        if bounds.cores:
            os.sched_setaffinity(0, bounds.cores)
    _scrub_environment(bounds.scratch)
    if descriptor is not None:
        _close_others(descriptor, bounds.scratch / PRINTED)
    os.chdir(bounds.scratch)
    _keep_nothing_compiled()
    watch.refuse_data()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if bounds.memory is not None and LINUX:
        # RLIMIT_DATA counts memory that can be written; RLIMIT_AS would count the tens of gigabytes that libraries
        # reserve and never touch.
        most = _data_bytes() + bounds.memory
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    if LINUX:
        _wall(bounds, home)


def isolation() -> str | None:
    """Return what this system lacks to hold a method's process, as a phrase; None where it lacks nothing."""
    if not LINUX:
        return f"{platform.system()} can't hold a process to its files"
    version = landlock.version()
    if version == 0:
        return "the kernel has no Landlock: any file can be read"
    if version < landlock.WHOLE:
        return f"the kernel has Landlock {version}, and {landlock.WHOLE} is needed: other processes can be signalled"
    if not seccomp.available():
        return "system calls can't be refused (seccomp): the network is open"
    return None


def advice() -> Advice:
    """Return what `recpress doctor` says of the walls around a method's code."""
    lacking = isolation()
    if lacking is None:
        held = f"Landlock {landlock.version()} and seccomp"
        return Advice("isolation", "ok", f"the kernel holds methods to their files, without network ({held})")
    return Advice("isolation", "note", f"{lacking}; run only code that you trust: records will say “not isolated”")


def adopt_orphans() -> None:
    """Make what outlives its parent, among all that this process starts, a child of this process. Linux only."""
    if LINUX:
        _prctl(PR_SET_CHILD_SUBREAPER, 1)


def _scrub_environment(scratch: Path) -> None:
    kept = watch.scrubbed(os.environ)
    os.environ.clear()
    # Libraries keep options and caches at home: this one is thrown away.
    os.environ.update(kept, HOME=str(scratch), TMPDIR=str(scratch), XDG_CACHE_HOME=str(scratch))
    tempfile.tempdir = None


def _close_others(descriptor: int, printed: Path) -> None:
    """Close all open files but one: sockets, pipes and terminals of whoever started us are none of ours."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    output = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    highest = os.sysconf("SC_OPEN_MAX")
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, highest)


def _keep_nothing_compiled() -> None:
    """What Python and numba compile here stays here: others would execute it."""
    sys.dont_write_bytecode = True
    from recpress.core import jit  # numba takes a while to import, and `doctor` needs none of it.

    jit.keep_nothing()


def _wall(bounds: Bounds, home: Path) -> None:
    """Give up privileges, and have the kernel refuse what isn't granted, as far as it can."""
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _drop_capabilities()
    if landlock.version():
        accelerators = [*Path("/dev").glob("nvidia*")]
        code = (each for root in _code(home) for each in visible(root, bounds.hidden))
        asked = ACCELERATED if accelerators else ()
        landlock.restrict(
            (*map(Path, (*SYSTEM, *asked)), *code, *bounds.readable),
            (bounds.scratch, *bounds.writable, *map(Path, SINKS), *accelerators),
            map(Path, LISTED),
        )
    if seccomp.available():
        seccomp.restrict()


def _code(home: Path) -> Iterator[Path]:
    """Yield where code lies: the interpreter, what is imported from, methods, and libraries that are named."""
    yield from map(Path, (sys.prefix, sys.base_prefix, sys.exec_prefix))
    yield from (PACKAGE, resources("methods"), *(source.folder for source in method_sources()))
    yield from map(Path, filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)))
    # Where the user stands or the program lies, results may lie too; and a whole home is never code. Where packages are
    # installed lies code alone, although a notebook's kernel is a program that lies there.
    started_in = process.ORIGINAL_DIR  # type: ignore[attr-defined]  # It isn't in the stubs.
    stands = {Path(started_in or "/"), Path(sys.argv[0]).absolute().parent}
    stands = {path for path in stands if path.name not in ("site-packages", "dist-packages")}
    for path in map(Path, filter(None, sys.path)):
        if path.is_absolute() and path not in stands and not home.is_relative_to(path):
            yield path


def visible(root: Path, hidden: tuple[Path, ...]) -> Iterator[Path]:
    """Yield paths that together hold every file there is now beneath a root, except those in hidden folders."""
    root = root.resolve()
    closed = {path.resolve() for path in hidden}
    if any(root.is_relative_to(path) for path in closed):
        return
    inside = {path for path in closed if path.is_relative_to(root)}
    if not inside:
        yield root
        return
    try:
        entries = [Path(entry) for entry in os.scandir(root)]
    except OSError:  # May not be listed: then it isn't ours to read.
        return
    for entry in entries:
        if not entry.is_symlink():
            yield from visible(entry, tuple(inside))


def private() -> tuple[Path, ...]:
    """Return the folders of this checkout and machine that no stage reads, though code may lie around them."""
    root = checkout_root()
    return (root / "results", root / "build", root / ".git") if root else ()


def _drop_capabilities() -> None:
    """Give up what root may do to others. Reading where a folder belongs to someone else stays: code may lie there."""
    kept = 1 << CAP_DAC_READ_SEARCH
    # Effective, permitted and inheritable: of capabilities 0 to 31, then of the others.
    header, own = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION, 0), (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None)
    libc.capget(header, own)
    libc.capset(header, (ctypes.c_uint32 * 6)(own[0] & kept, own[1] & kept, 0, 0, 0, 0))


def _data_bytes() -> int:
    """Return the bytes of this process that RLIMIT_DATA counts."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), 0, 0, 0)

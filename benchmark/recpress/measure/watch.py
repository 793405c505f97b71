"""Watch what this process opens, maps, connects to and starts.

Python's audit hooks see every file that Python code opens, wherever the code lies, but not what a library opens in C
or Rust. Files that a library maps into memory are found in ``/proc/self/maps`` (Linux), as long as they are mapped
when the watch ends. What a library reads and closes again within the watch goes unseen.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

# OpenBLAS, numpy's and that of FAISS, and MKL, torch's, have kernels for each processor, and they round differently.
KERNELS = ("OPENBLAS_CORETYPE", "MKL_CBWR")
# What a process needs of its environment to find its code, its devices, its kernels and its thread counts, and what
# counts its covered lines; a method's own switches are not among it.
ENVIRONMENT = (
    "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "USERPROFILE",
    "PYTHONHASHSEED", "PYTHONPATH", "PYTHONSAFEPATH", "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS",
    *KERNELS,
    "RECPRESS_GRID_INTENSITY", "RECPRESS_CPU_WATTS", "RECPRESS_RAM_WATTS",
    # Where methods of the user's own lie (recpress.core.paths.PLUGINS).
    "RECPRESS_PLUGINS",
    "NUMBA_CACHE_DIR", "COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START",
)  # fmt: skip
SYSTEM_FOLDERS = ("/proc", "/sys", "/dev", "/etc", "/usr", "/lib", "/lib64")
PROCESS_EVENTS = ("os.exec", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen")
# It tells about the processor; joblib, and so scikit-learn, counts cores by it.
TELLS = ("lscpu", b"lscpu", "/bin/lscpu", "/usr/bin/lscpu")
NETWORK_EVENTS = ("socket.connect", "socket.getaddrinfo")
# What changes the file system, with the position of the path that is changed.
CHANGE_EVENTS = {"os.mkdir": 0, "os.remove": 0, "os.rename": 1, "os.link": 1, "os.symlink": 1}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
# What `recpress.data` says when it loads a data set, or makes one.
DATA_EVENT = "recpress.data"


@dataclass
class Watch:
    """Observations between the beginning and the end of a watch."""

    files: set[Path] = field(default_factory=set)
    written: set[Path] = field(default_factory=set)
    datasets: set[str] = field(default_factory=set)
    network: set[str] = field(default_factory=set)
    processes: set[str] = field(default_factory=set)

    def outside(self, *folders: Path) -> list[Path]:
        """Return the files that lie neither in these folders nor where Python and the system do."""
        return _outside(self.files, (*folders, *_python_folders(), *map(Path, SYSTEM_FOLDERS)))

    def changed(self, *folders: Path) -> list[Path]:
        """Return what was opened to be written, made or removed elsewhere than in these folders.

        Devices and what Python and numba keep of compiled code don't count.
        """
        files = {file for file in self.written if "__pycache__" not in file.parts}
        return _outside(files, (*folders, Path("/dev"), Path("/proc")))


def _outside(files: set[Path], folders: Iterable[Path]) -> list[Path]:
    allowed = [folder.resolve() for folder in folders]
    return sorted(file for file in files if not any(file.is_relative_to(folder) for folder in allowed))


_active: list[Watch] = []
_installed = False
_refusing = False


@contextmanager
def watch() -> Iterator[Watch]:
    """Watch inside a ``with`` block."""
    _install()
    seen, mapped = Watch(), _mapped_files()
    _active.append(seen)
    try:
        yield seen
    finally:
        _active.remove(seen)
        seen.files |= _mapped_files() - mapped


def refuse_data() -> None:
    """Have every data set that is loaded or made in this process be refused, from now on, with a PermissionError."""
    global _refusing
    _install()
    _refusing = True


def _install() -> None:
    global _installed
    if not _installed:
        # A hook can't be removed again: there is one, and it does nothing while nobody watches.
        sys.addaudithook(_hook)
        _installed = True


@contextmanager
def scrubbed_environment() -> Iterator[None]:
    """Hide all environment variables but those that any process needs, inside a ``with`` block."""
    before = dict(os.environ)
    _set_environment(scrubbed(before))
    try:
        yield
    finally:
        _set_environment(before)


def scrubbed(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an environment that a serving process gets."""
    return {name: value for name, value in environment.items() if name in ENVIRONMENT}


def _set_environment(variables: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(variables)


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    for seen in _active:
        if event == "open":
            path = arguments[0]
            if isinstance(path, str | bytes):  # Not a descriptor that is open already.
                file = Path(os.path.realpath(os.fsdecode(path)))
                seen.files.add(file)
                if isinstance(arguments[2], int) and arguments[2] & WRITING:
                    seen.written.add(file)
        elif event in CHANGE_EVENTS:
            path = arguments[CHANGE_EVENTS[event]]
            if isinstance(path, str | bytes):
                seen.written.add(Path(os.path.realpath(os.fsdecode(path))))
        elif event == DATA_EVENT:
            seen.datasets.add(str(arguments[0]))
        elif event in NETWORK_EVENTS:
            seen.network.add(str(arguments[0] if event == "socket.getaddrinfo" else arguments[1]))
        elif event in PROCESS_EVENTS and arguments[0] not in TELLS:
            seen.processes.add(str(arguments[0]))
    if _refusing and event == DATA_EVENT:
        raise PermissionError(errno.EACCES, "a stage has no data set but what it is given")


def _mapped_files() -> set[Path]:
    try:
        text = Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return set()
    fields = (line.split(maxsplit=5) for line in text.splitlines())
    return {Path(each[5]) for each in fields if len(each) == 6 and each[5].startswith("/")}


def _python_folders() -> list[Path]:
    """Return where code lies: the interpreter, its packages, and whatever else is imported from."""
    imported = [Path(entry) for entry in sys.path if entry]
    return [Path(sys.prefix), Path(sys.base_prefix), *imported]

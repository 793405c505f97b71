"""Memory of a process: what it holds now and the most that it held."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil

Result = TypeVar("Result")


def resident(pid: int | None = None) -> int:
    """Return the resident bytes of a process (this one by default)."""
    return int(psutil.Process(pid).memory_info().rss)


def peak_resident(pid: int | None = None) -> int:
    """Return the most resident bytes that a live process has held since it began (this one by default).

    On Linux this is ``VmHWM``, which starts anew when a program is executed. ``getrusage`` is not used there: its
    peak is handed down from the parent, so that a small child of a large process looks large.

    Raises
    ------
    psutil.NoSuchProcess
        When the process has ended: a child's peak must be asked for (or told by itself) while it lives.
    """
    process = psutil.Process(pid)
    if sys.platform == "linux":
        try:
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise psutil.NoSuchProcess(process.pid) from error
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise psutil.NoSuchProcess(process.pid)  # A zombie has no memory left to ask about.
    info = process.memory_info()
    if hasattr(info, "peak_wset"):
        return int(info.peak_wset)
    import resource

    # macOS counts in bytes. It knows the peak of the calling process alone.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss if pid is None else int(info.rss)


def growth(action: Callable[[], Result]) -> tuple[Result, int]:
    """Do something, and return what it made and how many resident bytes the process gained by it.

    Ask for it in a fresh process: one that has memory to spare gains nothing when it uses it again.
    """
    before = resident()
    made = action()
    return made, max(resident() - before, 0)


def reset_peak() -> bool:
    """Start the peak of this process anew, so that a stage can be measured alone. Linux only; False elsewhere."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def cuda_peak() -> int | None:
    """Return the most bytes that torch has held on the GPU since it was last reset; None without a GPU."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return int(torch.cuda.max_memory_allocated())

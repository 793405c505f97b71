"""Load by other processes during a timing."""

from __future__ import annotations

import os
import time

import psutil

# Above this share of the machine's CPU time, spent by others, a timing is marked noisy and kept off rankings.
NOISY = 0.3


class LoadMeter:
    """CPU time of others since the meter was made: all busy time less that of this process and its children."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._busy = _busy_seconds()
        self._own = _own_seconds()

    def others(self) -> float:
        """Return the share of the machine's CPU time that others used, in [0, 1].

        Time stolen by the hypervisor counts as theirs. The clock behind it ticks every 10 ms, so a reading
        over less than a second is coarse.
        """
        seconds = time.perf_counter() - self._start
        theirs = (_busy_seconds() - self._busy) - (_own_seconds() - self._own)
        cores = psutil.cpu_count() or 1
        return min(max(theirs / (seconds * cores), 0.0), 1.0)


def load_average() -> float | None:
    """Return the one-minute load average, or None where the platform has none."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    # On Linux guest time is already inside user and nice.
    fields = ("user", "nice", "system", "irq", "softirq", "steal")
    return float(sum(getattr(times, field, 0.0) for field in fields))


def _own_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system

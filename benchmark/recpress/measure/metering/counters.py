"""Energy counters of the hardware: RAPL for the processor, NVML for GPUs. Grade: measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from recpress.measure.metering.grid import co2e_grams, grid_intensity
from recpress.records.record import Energy, Metered

POWERCAP = Path("/sys/class/powercap")
# No package draws more: a counter that may have wrapped twice is refused rather than read too low.
MOST_WATTS = 1000.0
# A counter is written now and then: what a reading shows may be of so much longer than since the last one.
UPDATE_SECONDS = 0.01
IDLE_WINDOWS = 5


class CounterUnavailable(RuntimeError):
    """There is no such counter here, or it may not be read; the message says which and what would help."""


class Counter(Protocol):
    """A counter of energy that only grows."""

    name: str

    def joules(self) -> float:
        """Return the energy since the counter was opened."""


class RaplPackage:
    """One processor package in the powercap tree of Linux.

    Domains nest (a package holds core and uncore; psys holds packages): only packages are read, so that nothing
    is counted twice. The counter wraps at ``max_energy_range_uj``; it must be read at least once per wrap.

    A counter that goes back by more than a wrap explains was set back, by suspending the machine or by its driver: it
    is refused, as is one without a range, which can't be followed across a wrap.

    Parameters
    ----------
    folder : Path
        Such as ``/sys/class/powercap/intel-rapl:0``.
    clock : callable
        Seconds; how the time between two readings is known.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = _text(folder / "name")
        self._file = folder / "energy_uj"
        self._range = int(_text(folder / "max_energy_range_uj"))
        if self._range <= 0:
            raise CounterUnavailable(f"{folder / 'max_energy_range_uj'} says {self._range}: a wrap can't be told")
        self._clock = clock
        self._last, self._when = self._read(), clock()
        self._total = 0

    def joules(self) -> float:
        """Return the energy since the counter was opened, across wraps.

        Raises
        ------
        CounterUnavailable
            When so much time has passed since the last reading that the counter may have wrapped twice, or when it was
            set back.
        """
        now, when = self._read(), self._clock()
        if (when - self._when) * MOST_WATTS * 1e6 > self._range:
            raise CounterUnavailable(
                f"{self._file} was not read for {when - self._when:.0f} s and may have wrapped twice"
            )
        step = now - self._last
        if step < 0:
            step += self._range
            if not 0 <= step <= (when - self._when + UPDATE_SECONDS) * MOST_WATTS * 1e6:
                raise CounterUnavailable(f"{self._file} went back to {now} from {self._last}: it was set back")
        self._total += step
        self._last, self._when = now, when
        return self._total / 1e6

    def _read(self) -> int:
        return int(_text(self._file))


class NvmlDevice:
    """The energy counter of one NVIDIA GPU (Volta or newer).

    Parameters
    ----------
    nvml : module
        ``pynvml``, initialised.
    index : int
    """

    def __init__(self, nvml: Any, index: int) -> None:
        self._nvml = nvml
        self._handle = nvml.nvmlDeviceGetHandleByIndex(index)
        self.name = f"gpu-{index}"
        self._start = self._millijoules()

    def joules(self) -> float:
        """Return the energy since the counter was opened."""
        return (self._millijoules() - self._start) / 1e3

    def _millijoules(self) -> int:
        return int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle))


def rapl_packages(root: Path = POWERCAP, clock: Callable[[], float] = time.monotonic) -> list[Counter]:
    """Open every processor package.

    Parameters
    ----------
    root : Path
        The powercap tree.
    clock : callable

    Raises
    ------
    CounterUnavailable
        When the tree has no package or it may not be read.
    """
    folders = sorted(each for each in root.glob("*rapl:*") if each.name.count(":") == 1)
    packages = [each for each in folders if _text(each / "name").startswith("package")]
    if not packages:
        raise CounterUnavailable(f"no RAPL package under {root}: this kernel, machine or virtual machine has none")
    return [RaplPackage(folder, clock) for folder in packages]


def nvml_devices() -> list[Counter]:
    """Open every NVIDIA GPU.

    Raises
    ------
    CounterUnavailable
        When the library or the driver is missing, or there is no GPU that counts energy.
    """
    try:
        import pynvml
    except ImportError as error:
        raise CounterUnavailable("nvidia-ml-py is not installed: pip install 'recpress[energy]'") from error
    try:
        pynvml.nvmlInit()
        devices: list[Counter] = [NvmlDevice(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError as error:
        raise CounterUnavailable(f"NVML answers: {error}") from error
    if not devices:
        raise CounterUnavailable("NVML finds no GPU")
    return devices


@dataclass(frozen=True)
class Idle:
    """Idle power of the counted hardware in watts: mean and range of a few windows."""

    watts: float
    low: float
    high: float


def idle_power(
    counters: Sequence[Counter],
    seconds: float = 5.0,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Idle:
    """Measure the idle power of counters, in five windows that take `seconds` together."""
    windows = []
    for _ in range(IDLE_WINDOWS):
        before, start = _total(counters), clock()
        sleep(seconds / IDLE_WINDOWS)
        windows.append((_total(counters) - before) / (clock() - start))
    return Idle(sum(windows) / len(windows), min(windows), max(windows))


def measured(
    action: Callable[[], int],
    counters: Sequence[Counter],
    idle: Idle,
    *,
    what: Metered = "per-query",
    clock: Callable[[], float] = time.monotonic,
) -> Energy:
    """Do something between two readings of the counters, and return its energy above idle.

    Parameters
    ----------
    action : callable
        Returns how many of `what` it did (queries answered; 1 for a training).
    counters : sequence of Counter
        Open, at least one.
    idle : Idle
        Of the same counters.
    what : {"per-query", "compressing", "training"}
    clock : callable

    Returns
    -------
    Energy
        Its band comes from the range of the idle windows. A difference that is not above idle is reported as it is,
        so it may be negative: then the action was too short to be seen.
    """
    before, start = {each.name: each.joules() for each in counters}, clock()
    done = action()
    seconds = clock() - start
    parts = {each.name: (each.joules() - before[each.name]) / done for each in counters}
    gross = sum(parts.values())
    joules, grid = gross - idle.watts * seconds / done, grid_intensity()
    return Energy(
        grade="measured",
        what=what,
        joules=joules,
        low=gross - idle.high * seconds / done,
        high=gross - idle.low * seconds / done,
        table=f"counters {'+'.join(parts)}, idle {idle.watts:.2f} W subtracted",
        parts=parts | {"idle": -idle.watts * seconds / done},
        grams_co2e=co2e_grams(joules, grid),
        grid=grid,
    )


def _total(counters: Sequence[Counter]) -> float:
    return sum(each.joules() for each in counters)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except PermissionError as error:
        raise CounterUnavailable(f"{file} may be read by root only: sudo chmod a+r {file}") from error
    except OSError as error:
        raise CounterUnavailable(f"{file} can't be read: {error.strerror}") from error

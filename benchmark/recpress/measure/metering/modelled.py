"""Energy as power × time, by CodeCarbon in process mode. Grade: modelled.

Without counters this is the CPU time of the process × a rated power, and the RAM's power × elapsed time. It sees that
int8 is faster than fp32, never that it is cheaper per second. CodeCarbon states no uncertainty, so the band is empty.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from functools import cache
from importlib import metadata
from importlib.util import find_spec

from recpress.core.errors import UserError
from recpress.measure.metering.grid import JOULES_PER_KWH, co2e_grams, grid_intensity
from recpress.records.record import Energy, Metered

CPU_VARIABLE = "RECPRESS_CPU_WATTS"
RAM_VARIABLE = "RECPRESS_RAM_WATTS"
# CodeCarbon 3.3 adds an interval up twice when its background measurement is still under way as the tracker stops;
# so there is no background measurement within any run (11 days).
AT_START_AND_STOP = 1e6
# Its thread samples CPU load once a second, and misreads it up to twofold when Python code that never waits keeps it
# from finishing the sample. Switching threads more often than every 5 ms keeps the error small;
# one of four runs was 16 % off.
SWITCH_SECONDS = 1e-4
# Seconds over which the power of one busy thread is read.
CALIBRATION = 5.0


def modelled(action: Callable[[], int], what: Metered = "per-query") -> Energy:
    """Do something under CodeCarbon's tracker and return its energy.

    Parameters
    ----------
    action : callable
        Returns how many of `what` it did. Less than a few seconds are too short for the model's clock.
    what : {"per-query", "compressing", "training"}

    Returns
    -------
    Energy
        CPU, RAM and GPU apart. The rated powers are those that CodeCarbon finds for this processor, or
        ``RECPRESS_CPU_WATTS`` (of the whole package) and ``RECPRESS_RAM_WATTS`` where they are set.

    Raises
    ------
    ModuleNotFoundError
        When CodeCarbon is not installed (``pip install 'recpress[energy]'``).
    """
    from codecarbon import OfflineEmissionsTracker

    # Importing it sets a level; the tracker's own takes effect only after its first messages.
    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
    tracker = OfflineEmissionsTracker(
        # A country is required; the emissions that follow from it are not used.
        country_iso_code="USA",
        tracking_mode="process",
        measure_power_secs=AT_START_AND_STOP,
        save_to_file=False,
        allow_multiple_runs=True,
        log_level="critical",
        force_cpu_power=_watts(CPU_VARIABLE),
        force_ram_power=_watts(RAM_VARIABLE),
    )
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    tracker.start()
    try:
        done = action()
    finally:
        tracker.stop()
        sys.setswitchinterval(interval)
    data = tracker.final_emissions_data
    parts = {
        "cpu": data.cpu_energy * JOULES_PER_KWH / done,
        "ram": data.ram_energy * JOULES_PER_KWH / done,
        "gpu": data.gpu_energy * JOULES_PER_KWH / done,
    }
    joules, grid = sum(parts.values()), grid_intensity()
    return Energy(
        grade="modelled",
        what=what,
        joules=joules,
        low=joules,
        high=joules,
        table=f"codecarbon {metadata.version('codecarbon')}, process mode",
        parts=parts,
        grams_co2e=co2e_grams(joules, grid),
        grid=grid,
    )


@cache
def busy_watts() -> tuple[float, float, str] | None:
    """Return the modelled power of the CPU and of the RAM while one thread is busy, and by which tool.

    CodeCarbon's clock ticks every second, too slowly for a short timing; its powers are constants of the machine. So
    they are read once, over `CALIBRATION` seconds, and an answer's energy is its time times their sum.

    Returns
    -------
    tuple or None
        Watts, watts, tool; None where CodeCarbon isn't installed.
    """
    if find_spec("codecarbon") is None:
        return None
    start, spent = time.perf_counter(), modelled(_busy)
    seconds = time.perf_counter() - start
    return spent.parts["cpu"] / seconds, spent.parts["ram"] / seconds, spent.table


def _busy() -> int:
    until = time.perf_counter() + CALIBRATION
    while time.perf_counter() < until:
        pass
    return 1


def modelled_serving(milliseconds: float) -> tuple[Energy, ...]:
    """Return the modelled energy of an answer that keeps one thread busy for so long; nothing without CodeCarbon."""
    powers = busy_watts()
    if powers is None:
        return ()
    cpu, ram, tool = powers
    seconds, grid = milliseconds / 1e3, grid_intensity()
    joules = (cpu + ram) * seconds
    return (
        Energy(
            grade="modelled",
            what="per-query",
            joules=joules,
            low=joules,
            high=joules,
            table=f"{tool}, its power times the median time",
            parts={"cpu": cpu * seconds, "ram": ram * seconds},
            grams_co2e=co2e_grams(joules, grid),
            grid=grid,
        ),
    )


def _watts(variable: str) -> float | None:
    text = os.environ.get(variable)
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{variable}={text!r} is not a number of watts, such as 65.") from None

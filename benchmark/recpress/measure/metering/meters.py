"""The energy meters that this machine has, and the energy of serving by each of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import TypeVar

from recpress.measure.latency import Answer, Users, batches
from recpress.measure.metering.counters import (
    Counter,
    CounterUnavailable,
    idle_power,
    measured,
    nvml_devices,
    rapl_packages,
)
from recpress.measure.metering.modelled import modelled
from recpress.records.record import Energy, Metered

Result = TypeVar("Result")


@dataclass(frozen=True)
class Meters:
    """Ways to meter an action besides counting its work.

    Attributes
    ----------
    measured : callable or None
        Reads hardware counters; None where there are none.
    modelled : callable or None
        CodeCarbon; None where it is not installed.
    """

    measured: Callable[[Callable[[], int], Metered], Energy] | None
    modelled: Callable[[Callable[[], int], Metered], Energy] | None

    def read(self, action: Callable[[], int], what: Metered) -> tuple[Energy, ...]:
        """Do an action once for each meter. It returns how many of `what` it did."""
        return tuple(meter(action, what) for meter in (self.measured, self.modelled) if meter is not None)

    def around(self, action: Callable[[], Result], what: Metered) -> tuple[Result, tuple[Energy, ...]]:
        """Do an action once, under all meters, and return what it made and its energy by each of them."""
        made: list[Result] = []
        found: list[Energy] = []

        def bare() -> int:
            made.append(action())
            return 1

        def nested(meter: Callable[[Callable[[], int], Metered], Energy], inner: Callable[[], int]) -> int:
            found.append(meter(inner, what))
            return 1

        run: Callable[[], int] = bare
        for meter in (self.measured, self.modelled):
            if meter is not None:
                run = partial(nested, meter, run)
        run()
        return made[0], tuple(found)


def open_meters() -> Meters:
    """Find the meters of this machine; where there are counters, this idles five seconds to know what idling costs."""
    counters: list[Counter] = []
    for find in (rapl_packages, nvml_devices):
        try:
            counters += find()
        except CounterUnavailable:
            continue  # `recpress doctor` says why.
    return Meters(
        measured=_by_counters(counters) if counters else None,
        modelled=modelled if find_spec("codecarbon") else None,
    )


def serving_energy(
    answer: Answer, users: Users, meters: Meters, *, batch_size: int, seconds: float = 10.0, seed: int = 0
) -> tuple[Energy, ...]:
    """Return the energy per query of answering for `seconds` without a pause, by every meter.

    Parameters
    ----------
    answer, users, batch_size, seed
        As in `recpress.measure.latency.interleave`: the same order of users.
    meters : Meters
    seconds : float
        For each meter. Counters tick every millisecond, CodeCarbon's clock every second: 60 or more is what a
        published figure should rest on.
    """
    return meters.read(partial(_serve, answer, users, batch_size, seconds, seed), "per-query")


def _serve(answer: Answer, users: Users, batch_size: int, seconds: float, seed: int) -> int:
    until, done = time.perf_counter() + seconds, 0
    for asked in batches(users, batch_size, seed):
        answer(asked)
        done += len(asked)
        if time.perf_counter() >= until:
            break
    return done


def _by_counters(counters: Sequence[Counter]) -> Callable[[Callable[[], int], Metered], Energy]:
    idle = idle_power(counters)

    def meter(action: Callable[[], int], what: Metered) -> Energy:
        return measured(action, counters, idle, what=what)

    return meter

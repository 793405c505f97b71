"""What another run of a timing gives: how far ratios to fp32 lie apart from run to run, told from timings.

The interval in a record is of one process at one hour. It doesn't hold what memory another process is given, nor what
the neighbours of a virtual machine do at another hour, and is some six times too narrow for that. Whoever compares two
timings, or shows one, widens it by what signatures that were timed several times show.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, hypot, log, sqrt
from statistics import variance

from recpress.record import Latency
from recpress.timing import Timing

# Half of a 95 % interval, in standard deviations.
Z95 = 1.96
# For a machine whose timings have no repeats: about that of batches on the machine of the committed board.
UNREPEATED = 0.04
# Machine, scenario and data set: a catalogue that just fits into a cache repeats worse than others.
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Spread:
    """How far a ratio to fp32 lies from itself when the same is run again; see `between_runs`.

    Attributes
    ----------
    found : mapping of Key to float
        The standard deviation of the ratio's logarithm.
    """

    found: Mapping[Key, float]

    def of(self, machine: str, scenario: str, dataset: str) -> float:
        """Return the standard deviation; of a data set without repeats it is the machine's largest."""
        there = {key[2]: sd for key, sd in self.found.items() if key[:2] == (machine, scenario)}
        return there.get(dataset, max(there.values(), default=UNREPEATED))


def repeats(timings: Iterable[Timing]) -> dict[Key, list[list[Latency]]]:
    """Return the undisturbed latencies of signatures that one machine has timed several times."""
    alike: dict[tuple[str, ...], list[Latency]] = defaultdict(list)
    for each in timings:
        for timed in each.latency:
            if timed.ratio_low > 0 and not timed.noisy:
                alike[each.machine, timed.scenario, each.dataset, each.signature].append(timed)
    found: dict[Key, list[list[Latency]]] = defaultdict(list)
    for (machine, scenario, dataset, _), latencies in alike.items():
        if len(latencies) > 1:
            found[machine, scenario, dataset].append(latencies)
    return dict(found)


def between_runs(*folders: Iterable[Timing]) -> Spread:
    """Return how far a ratio to fp32 lies from itself when the same signature is timed again on the same machine.

    What other seeds and backbones change in the values is in it too, so it is rather too large.

    Parameters
    ----------
    *folders : iterable of Timing
        Timings are set beside those of the same folder alone, since code may have changed between two.

    Returns
    -------
    Spread
        Pooled over signatures with several timings. Those that were disturbed are left out.
    """
    found: dict[Key, list[list[Latency]]] = defaultdict(list)
    for timings in folders:
        for key, latencies in repeats(timings).items():
            found[key] += latencies
    return Spread({key: pooled(latencies) for key, latencies in found.items()})


def pooled(settings: Sequence[Sequence[Latency]]) -> float:
    """Return the standard deviation of the ratios' logarithms within signatures, each with several timings."""
    squares = sum(variance([log(timed.ratio) for timed in each]) * (len(each) - 1) for each in settings)
    return sqrt(squares / sum(len(each) - 1 for each in settings))


def interval(timed: Latency, of: Timing, spread: Spread) -> tuple[float, float]:
    """Return the 95 % interval of the ratio of a timing's scenario, with what lies between two runs."""
    sd = spread.of(of.machine, timed.scenario, of.dataset)
    return widened(timed.ratio, timed.ratio_low, timed.ratio_high, sd)


def widened(ratio: float, low: float, high: float, sd: float) -> tuple[float, float]:
    """Return the interval of a ratio, in [low, high] within its run, with a standard deviation of its logarithm."""
    if not 0 < low <= ratio <= high:
        return low, high
    below, above = (hypot(log(end / ratio), Z95 * sd) for end in (low, high))
    return ratio * exp(-below), ratio * exp(above)

"""Spread of ratios to fp32 between runs, estimated from timings.

The interval in a record is of one process at one hour. It doesn't hold what memory another process is given, nor what
the neighbours of a virtual machine do at another hour, and is some six times too narrow for that. Whoever compares two
timings, or shows one, widens it by what variants with several seeds show; and where a run is shown the timing of
another that is stored alike, by what all runs of one signature show.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, hypot, log, sqrt
from statistics import variance

from recpress.records.record import Latency
from recpress.records.timing import Timing

# Half of a 95 % interval, in standard deviations.
Z95 = 1.96
# For a machine whose timings have no repeats: about what the machine of the first board shows, of a run timed again and
# of another run that is stored alike.
UNREPEATED, UNREPEATED_SHARED = 0.04, 0.065
# Machine, scenario and data set: a catalogue that just fits into a cache repeats worse than others.
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Spread:
    """Spread of a ratio to fp32 between timings of the same thing; see `between_runs`.

    Attributes
    ----------
    found : mapping of Key to float
        The standard deviation of the ratio's logarithm, of one variant.
    shared : mapping of Key to float
        The same of all that has one signature: other backbones and methods change the values.
    """

    found: Mapping[Key, float]
    shared: Mapping[Key, float] = field(default_factory=dict)

    def of(self, machine: str, scenario: str, dataset: str, *, shared: bool = False) -> float:
        """Return the standard deviation; of a data set without repeats it is the machine's largest.

        Parameters
        ----------
        machine, scenario, dataset : str
        shared : bool
            Whether the timing is of another run with the same signature.
        """
        found, usual = (self.shared, UNREPEATED_SHARED) if shared else (self.found, UNREPEATED)
        there = {key[2]: sd for key, sd in found.items() if key[:2] == (machine, scenario)}
        return there.get(dataset, max(there.values(), default=usual))


@dataclass(frozen=True)
class Repetition:
    """A ratio to fp32 and its repetition, each with its 95 % interval, which holds what lies between two runs."""

    before: float
    within: tuple[float, float]
    after: float
    again: tuple[float, float]

    @property
    def meet(self) -> bool:
        """Whether the two intervals meet."""
        return max(self.within[0], self.again[0]) <= min(self.within[1], self.again[1])


def repeats(timings: Iterable[Timing], *, shared: bool = False) -> dict[Key, list[list[Latency]]]:
    """Return the undisturbed latencies of what one machine has timed several times.

    Parameters
    ----------
    timings : iterable of Timing
    shared : bool
        Whether the same is one signature, or one signature of one variant, of which other seeds are.
    """
    alike: dict[tuple[str, ...], list[Latency]] = defaultdict(list)
    for each in timings:
        variant = "" if shared else each.run.rpartition(".seed")[0]
        for timed in each.latency:
            if timed.ratio_low > 0 and not timed.noisy:
                alike[each.machine, timed.scenario, each.dataset, each.signature, variant].append(timed)
    found: dict[Key, list[list[Latency]]] = defaultdict(list)
    for (machine, scenario, dataset, *_), latencies in alike.items():
        if len(latencies) > 1:
            found[machine, scenario, dataset].append(latencies)
    return dict(found)


def between_runs(*folders: Iterable[Timing]) -> Spread:
    """Return how far a ratio to fp32 lies from itself when the same is timed again on the same machine.

    What other seeds change in the values is in it too, so it is rather too large.

    Parameters
    ----------
    *folders : iterable of Timing
        Timings are set beside those of the same folder alone, since code may have changed between two.

    Returns
    -------
    Spread
        Pooled over what was timed several times. Timings that were disturbed are left out.
    """
    every = [list(timings) for timings in folders]
    return Spread(_pooled_by_key(every, shared=False), _pooled_by_key(every, shared=True))


def _pooled_by_key(folders: Sequence[Sequence[Timing]], *, shared: bool) -> dict[Key, float]:
    found: dict[Key, list[list[Latency]]] = defaultdict(list)
    for timings in folders:
        for key, latencies in repeats(timings, shared=shared).items():
            found[key] += latencies
    return {key: pooled(latencies) for key, latencies in found.items()}


def pooled(variants: Sequence[Sequence[Latency]]) -> float:
    """Return the standard deviation of the ratios' logarithms within groups of timings of the same."""
    squares = sum(variance([log(timed.ratio) for timed in each]) * (len(each) - 1) for each in variants)
    return sqrt(squares / sum(len(each) - 1 for each in variants))


def interval(timed: Latency, of: Timing, spread: Spread, *, shared: bool = False) -> tuple[float, float]:
    """Return the 95 % interval of the ratio of a timing's scenario, with what lies between two runs.

    Parameters
    ----------
    timed : Latency
    of : Timing
        That it belongs to.
    spread : Spread
    shared : bool
        Whether it stands for another run with the same signature.
    """
    sd = spread.of(of.machine, timed.scenario, of.dataset, shared=shared)
    return widened(timed.ratio, timed.ratio_low, timed.ratio_high, sd)


def widened(ratio: float, low: float, high: float, sd: float) -> tuple[float, float]:
    """Return the interval of a ratio, in [low, high] within its run, with a standard deviation of its logarithm."""
    if not 0 < low <= ratio <= high:
        return low, high
    below, above = (hypot(log(end / ratio), Z95 * sd) for end in (low, high))
    return ratio * exp(-below), ratio * exp(above)

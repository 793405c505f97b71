"""Compare two sets of runs, variant by variant: what a change made worse, better, or can't be told.

Each figure has its own rule, since each has its own noise. Quality: differences of the same seeds, against their
spread. Bytes and analytic energy: exact, they have no noise. Latency: the ratio to the interleaved fp32 reference,
worse only where the intervals of base and head, which hold what lies between two runs, don't meet.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from statistics import mean, stdev
from typing import Final, Literal

from tabulate import tabulate

from recpress.core.printable import markdown, printable
from recpress.headline import BOTH
from recpress.leaderboard.collect import Collection, Run
from recpress.measure.repeats import Spread, between_runs, interval
from recpress.records.record import WENT_WRONG, Latency

Direction = Literal["worse", "better", "same", "can't tell"]
Variant = tuple[str, str, str, str]

# A change of the same seeds smaller than this is rounding of another machine's kernels, not a change of the method.
BOTH_FLOOR: Final = 1e-3
EXACT_FLOOR: Final = 1e-9
SPREADS: Final = 2.0


@dataclass(frozen=True)
class Difference:
    """One figure of one variant, before and after.

    Attributes
    ----------
    variant : tuple of str
        Data set, backbone, method, and budget or params.
    figure : str
    base, head : float
        NaN where a side has none.
    direction : {"worse", "better", "same", "can't tell"}
    why : str
        For the reader, where the figures alone don't say it.
    """

    variant: Variant
    figure: str
    base: float
    head: float
    direction: Direction
    why: str = ""

    @property
    def change(self) -> float:
        """Relative change; NaN where there is no base."""
        return self.head / self.base - 1 if self.base else math.nan


def _relative(was: float, now: float) -> float:
    """Return the relative change; from 0 to anything else it is infinite."""
    if was:
        return now / was - 1
    return math.copysign(math.inf, now) if now else 0.0


def _direction(change: float, tolerance: float, high_is_good: bool) -> Direction:
    if abs(change) <= tolerance:
        return "same"
    return "better" if (change > 0) == high_is_good else "worse"


def _by_seed(runs: Iterable[Run]) -> dict[Variant, dict[int, Run]]:
    grouped: dict[Variant, dict[int, Run]] = defaultdict(dict)
    for run in runs:
        who = run.record.identity
        grouped[who.dataset, who.backbone, who.method, who.variant][who.seed] = run
    return grouped


def _status(variant: Variant, base: Sequence[Run], head: Sequence[Run]) -> Iterable[Difference]:
    was, now = (mean(run.record.status not in WENT_WRONG for run in side) for side in (base, head))
    if was != now:
        reason = next((run.record.reason for run in head if run.record.status in WENT_WRONG), None)
        yield Difference(variant, "runs that work", was, now, _direction(now - was, 0, True), reason or "")


def _quality(variant: Variant, base: Sequence[Run], head: Sequence[Run]) -> Iterable[Difference]:
    for metric in BOTH:
        pairs = [
            (before.record.quality.metrics[metric], after.record.quality.metrics[metric])
            for before, after in zip(base, head, strict=True)
            if before.record.quality and after.record.quality
        ]
        if not pairs:
            continue
        was, now = (mean(side) for side in zip(*pairs, strict=True))
        changes = [after / before - 1 for before, after in pairs if before]
        spread = SPREADS * stdev(changes) / math.sqrt(len(changes)) if len(changes) > 1 else 0.0
        tolerance = max(BOTH_FLOOR, spread)
        why = "" if len(changes) > 1 else "one seed: a change may be luck"
        direction = _direction(_relative(was, now), tolerance, True)
        yield Difference(variant, metric, was, now, direction, why if direction != "same" else "")


def _exact(variant: Variant, base: Sequence[Run], head: Sequence[Run]) -> Iterable[Difference]:
    sizes = [[run.record.bytes.file for run in side if run.record.bytes] for side in (base, head)]
    joules = [
        [
            each.joules
            for run in side
            for each in run.record.energy
            if (each.grade, each.what) == ("analytic", "per-query")
        ]
        for side in (base, head)
    ]
    for figure, (before, after) in (("bytes", sizes), ("analytic energy", joules)):
        if before and after:
            was, now = mean(before), mean(after)
            yield Difference(variant, figure, was, now, _direction(_relative(was, now), EXACT_FLOOR, False))


def _latency(variant: Variant, base: Sequence[Run], head: Sequence[Run], spread: Spread) -> Iterable[Difference]:
    for scenario in ("single", "batch"):
        timed = [_timed(side, scenario) for side in (base, head)]
        if not (timed[0] and timed[1]):
            continue
        was, now = (mean(each.ratio for each, _ in side) for side in timed)
        figure = f"{scenario} / fp32"
        if any(each.noisy for each, _ in chain(*timed)):
            yield Difference(variant, figure, was, now, "can't tell", "others used the machine while it was timed")
            continue
        lows, highs = zip(*(_widest(side, spread) for side in timed), strict=True)
        apart = max(lows) > min(highs)
        yield Difference(variant, figure, was, now, _direction(_relative(was, now), 0 if apart else math.inf, False))


def _timed(side: Sequence[Run], scenario: str) -> list[tuple[Latency, Run]]:
    """Return the latencies of a scenario, each with its run."""
    return [(each, run) for run in side for each in run.latency if each.scenario == scenario]


def _widest(timed: Sequence[tuple[Latency, Run]], spread: Spread) -> tuple[float, float]:
    ends = [interval(each, run.timing, spread, shared=run.timing.run != run.id) for each, run in timed if run.timing]
    lows, highs = zip(*ends, strict=True)
    return min(lows), max(highs)


def on_one_machine(base: Collection, head: Collection) -> tuple[tuple[Run, ...], tuple[Run, ...]]:
    """Return the runs of two folders beside timings of one machine: the head's, if the base has it, too.

    Where they share no machine, no run has a timing.
    """
    both = [name for name in head.timings if name in base.timings]
    if not both:
        bare = [tuple(replace(run, timing=None) for run in side.runs) for side in (base, head)]
        return bare[0], bare[1]
    most = max(both, key=lambda name: len(head.timings[name].all))
    chosen = head.machine if head.machine in both else most
    return base.on(chosen).runs, head.on(chosen).runs


def compare(base: Iterable[Run], head: Iterable[Run]) -> list[Difference]:
    """Compare the variants and seeds that both sides have.

    Returns
    -------
    list of Difference
        All figures, also those that are the same, by variant.
    """
    before, after = _by_seed(base), _by_seed(head)
    spread = between_runs(
        *(
            [each.timing for seeds in side.values() for each in seeds.values() if each.timing]
            for side in (before, after)
        )
    )
    found: list[Difference] = []
    for variant in sorted(before.keys() & after.keys()):
        seeds = sorted(before[variant].keys() & after[variant].keys())
        if seeds:
            was, now = ([side[variant][seed] for seed in seeds] for side in (before, after))
            for rule in (_status, _quality, _exact):
                found += rule(variant, was, now)
            found += _latency(variant, was, now, spread)
    return found


def missing(base: Iterable[Run], head: Iterable[Run]) -> list[Variant]:
    """Return the variants that the base has and the head doesn't."""
    return sorted(_by_seed(base).keys() - _by_seed(head).keys())


def render(found: Sequence[Difference], style: str) -> str:
    """Print findings as a table in one of tabulate's styles."""
    headings = ("Dataset", "Backbone", "Method", "Variant", "Figure", "Base", "Head", "Change", "Direction", "")
    safe = markdown if style == "github" else printable
    lines = [
        (
            *map(safe, each.variant),
            each.figure,
            f"{each.base:.5g}",
            f"{each.head:.5g}",
            "–" if math.isnan(each.change) else f"{100 * each.change:+.2f} %",
            each.direction,
            safe(each.why),
        )
        for each in found
    ]
    return tabulate(lines, headers=headings, tablefmt=style, disable_numparse=True)


def summary(found: Sequence[Difference]) -> Mapping[Direction, int]:
    """Count the findings by direction."""
    counts: dict[Direction, int] = {"worse": 0, "better": 0, "same": 0, "can't tell": 0}
    for each in found:
        counts[each.direction] += 1
    return counts

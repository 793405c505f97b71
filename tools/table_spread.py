"""The table of how far ratios to fp32 lie apart from run to run, from the records of a results folder."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import log
from pathlib import Path
from statistics import median

from tabulate import tabulate

from documents import generated, rewrite
from recpress.core.errors import UserError
from recpress.core.paths import checkout_root
from recpress.leaderboard.collect import collect
from recpress.measure.repeats import Z95, pooled, repeats, widened
from recpress.records.record import Latency

DOCUMENT = Path("benchmark") / "docs" / "explanation" / "latency.md"
HEADINGS = (
    "Machine",
    "Data set",
    "Scenario",
    "Variants",
    "Within a run [%]",
    "Between runs [%]",
    "Pairs whose intervals meet [%]",
    "Widened, they meet [%]",
    "Between runs stored alike [%]",
)


def markdown(results: Path) -> str:
    """Return the table, a line a machine, data set and scenario: standard deviations of the ratios' logarithms.

    Raises
    ------
    UserError
        When no variant was timed several times on one machine.
    """
    timings = [timing for of_machine in collect(results).timings.values() for timing in of_machine.all]
    repeated, shared = repeats(timings), repeats(timings, shared=True)
    if not repeated:
        raise UserError(f"{results} has no variant that was timed with several seeds.")
    lines = []
    for key, variants in sorted(repeated.items()):
        machine, scenario, dataset = key
        within = median(log(each.ratio_high / each.ratio_low) / (2 * Z95) for timed in variants for each in timed)
        between = pooled(variants)
        shares = (within, between, _meeting(variants, 0.0), _meeting(variants, between), pooled(shared[key]))
        lines.append((machine, dataset, scenario, len(variants), *(f"{100 * each:.1f}" for each in shares)))
    align = ("left", "left", "left", *["right"] * 6)
    return tabulate(lines, HEADINGS, tablefmt="pipe", disable_numparse=True, colalign=align)


def _meeting(variants: Sequence[Sequence[Latency]], sd: float) -> float:
    """Return the share of pairs of a variant's timings whose intervals meet when they are widened."""
    ends = [[widened(each.ratio, each.ratio_low, each.ratio_high, sd) for each in timed] for timed in variants]
    pairs = [pair for timed in ends for pair in combinations(timed, 2)]
    return sum(max(one[0], other[0]) <= min(one[1], other[1]) for one, other in pairs) / len(pairs)


def written(page: str, results: Path) -> str:
    """Return a page with its table from a results folder."""
    return generated(page, "tools/table_spread.py", lambda _: markdown(results))


if __name__ == "__main__":
    rewrite(checkout_root(), DOCUMENT, lambda page, root: written(page, root / "results"))

"""The table of how far ratios to fp32 lie apart from run to run, from the records of a results folder."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from math import log
from pathlib import Path
from statistics import median

from tabulate import tabulate

from recpress.board.collect import collect
from recpress.documents import generated, rewrite
from recpress.errors import UserError
from recpress.measure.repeats import Z95, pooled, repeats
from recpress.paths import checkout_root
from recpress.record import Latency, Record

DOCUMENT = Path("benchmark") / "docs" / "latency.md"
HEADINGS = (
    "Data set",
    "Scenario",
    "Settings",
    "Within a run [%]",
    "Between runs [%]",
    "Pairs whose intervals meet [%]",
)


def markdown(results: Path) -> str:
    """Return the table, a line a data set and scenario: standard deviations of the ratios' logarithms.

    Raises
    ------
    UserError
        When no setting was timed with several seeds on one machine.
    """
    records: dict[str, list[Record]] = defaultdict(list)
    for run in collect(results).runs:
        records[run.record.identity.dataset].append(run.record)
    lines, whole = [], [each for made in records.values() for each in made]
    for dataset, made in [*sorted(records.items()), ("all", whole)]:
        repeated = repeats(made)
        if len({machine for machine, _ in repeated}) > 1:
            raise UserError(f"{results} has repeated timings of several machines: keep those of one.")
        for (_, scenario), settings in sorted(repeated.items(), reverse=True):
            own = median(log(each.ratio_high / each.ratio_low) / (2 * Z95) for timed in settings for each in timed)
            met = [_meet(*pair) for timed in settings for pair in combinations(timed, 2)]
            shares = (own, pooled(settings), sum(met) / len(met))
            lines.append((dataset, scenario, len(settings), *(f"{100 * each:.1f}" for each in shares)))
    if not lines:
        raise UserError(f"{results} has no setting that was timed with several seeds.")
    align = ("left", "left", *["right"] * 4)
    return tabulate(lines, HEADINGS, tablefmt="pipe", disable_numparse=True, colalign=align)


def _meet(one: Latency, other: Latency) -> bool:
    return one.ratio_low <= other.ratio_high and other.ratio_low <= one.ratio_high


def written(page: str, results: Path) -> str:
    """Return a page with its table from a results folder."""
    return generated(page, "recpress.board.spread", lambda _: markdown(results))


if __name__ == "__main__":
    rewrite(checkout_root(), DOCUMENT, lambda page, root: written(page, root / "results"))

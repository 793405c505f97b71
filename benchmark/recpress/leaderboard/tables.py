"""Tables of records: one row per record, or per variant as mean ± sd over its seeds, and their printing."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cache
from itertools import repeat
from typing import Any, Literal

import pandas as pd
from tabulate import tabulate

from recpress import registry
from recpress.core.errors import unknown
from recpress.core.printable import markdown, printable, readable_json
from recpress.headline import COLUMN, HEADLINE, SECOND, SECOND_COLUMN
from recpress.leaderboard.collect import Run
from recpress.leaderboard.columns import (
    COLUMNS,
    INTERVALS,
    ISOLATED,
    NOISY,
    NUMBERS,
    SELF_REPORTED,
    TEXT,
    TIERS,
    Column,
)
from recpress.measure.repeats import Spread, between_runs, interval
from recpress.records.plausible import UNCOMPRESSED, References
from recpress.records.record import Latency

Format = Literal["table", "csv", "json", "markdown", "latex"]
VARIANT = [
    "dataset",
    "split",
    "backbone",
    "protocol",
    "family",
    "method",
    "division",
    "serve_form",
    "variant",
    "status",
]


def _latency(run: Run, scenario: str) -> Latency | None:
    return next((each for each in run.latency if each.scenario == scenario), None)


def _millijoules(run: Run, grade: str) -> float:
    per_query = (each for each in run.energy if each.what == "per-query")
    return next((1e3 * each.joules for each in per_query if each.grade == grade), math.nan)


def _row(run: Run, tier: str, spread: Spread, references: References) -> dict[str, object]:
    record, timing = run.record, run.timing
    who, quality, size = record.identity, record.quality, record.bytes
    row: dict[str, object] = {
        **{key: getattr(who, key) for key in VARIANT if key != "status"},
        "status": record.status,
        "reason": record.reason or "",
        "tier": tier,
        "developed": "yes" if who.dataset in _developed_on().get(who.method, ()) else "",
        "doubtful": "; ".join(map(str, references.doubts(record))),
        "isolated": ISOLATED[record.provenance.isolated],
        "machine": timing.machine if timing else "",
        "budget": math.nan if who.budget is None else who.budget,
        "seed": who.seed,
        "started": record.provenance.started,
        COLUMN: quality.metrics.get(HEADLINE, math.nan) if quality else math.nan,
        "retained": 100 * quality.retention_of(HEADLINE) if quality else math.nan,
        "retained_low": 100 * quality.paired.low if quality and quality.paired else math.nan,
        "retained_high": 100 * quality.paired.high if quality and quality.paired else math.nan,
        # Filled in where the rows of a data set are together.
        **dict.fromkeys(("of_best", "of_best_low", "of_best_high"), math.nan),
        SECOND_COLUMN: quality.metrics.get(SECOND, math.nan) if quality else math.nan,
        "mb": size.file / 1e6 if size else math.nan,
        "smaller": size.ratio if size and size.file else math.nan,
        "nonzero": size.nonzero_parameters / 1e6 if size else math.nan,
        "compress_s": record.cost.compress_seconds if record.cost else math.nan,
        **{f"{grade}_mj": _millijoules(run, grade) for grade in ("analytic", "modelled", "measured")},
    }
    for scenario in ("single", "batch"):
        timed = _latency(run, scenario)
        row[f"{scenario}_ms"] = timed.p50_ms if timed else math.nan
        row[f"{scenario}_ratio"] = timed.ratio if timed else math.nan
        ends = (
            interval(timed, timing, spread, shared=timing.run != run.id) if timed and timing else (math.nan, math.nan)
        )
        row[f"{scenario}_low"], row[f"{scenario}_high"] = ends
        row[f"{scenario}_noisy"] = timed.noisy if timed else False
    return row


@cache
def _developed_on() -> dict[str, tuple[str, ...]]:
    """Return the data sets that each registered method was developed on."""
    return {name: card.developed_on for name, card in registry.cards().items()}


_ABOUT = ["reason", "tier", "developed", "doubtful", "isolated", "machine", "seed", "started"]
_FRAME = [*VARIANT, *_ABOUT, "budget", *(column.key for column in NUMBERS)]
_FRAME += [end for ends in INTERVALS.values() for end in ends]


def frame(runs: Iterable[Run], tiers: Iterable[str] | None = None) -> pd.DataFrame:
    """Return one row a run.

    Columns are those of `recpress.leaderboard.columns` (with their units) plus ``split``, ``budget``, ``seed``,
    ``started``, the ends of the intervals, and whether a timing was noisy. What a run did not reach
    is NaN. Intervals of ratios hold what lies between two runs, as the timings of all these runs show it; what is
    doubtful is told beside the references among them.

    Parameters
    ----------
    runs : iterable of Run
        Beside the timings of one machine.
    tiers : iterable of str, optional
        Of each run, see `recpress.leaderboard.tiers`. A record alone is self-reported.
    """
    runs = list(runs)
    spread = between_runs({id(run.timing): run.timing for run in runs if run.timing}.values())
    references = References(run.record for run in runs)
    paired = zip(runs, repeat(SELF_REPORTED) if tiers is None else tiers, strict=False)
    rows = pd.DataFrame([_row(run, tier, spread, references) for run, tier in paired], columns=[*_FRAME, *NOISY])
    numbers = [key for key in _FRAME if key not in (*VARIANT, *_ABOUT)]
    types = {**dict.fromkeys(numbers, "float64"), **dict.fromkeys(NOISY, "bool"), "seed": "int64"}
    return rows.astype(types)


def aggregate(rows: pd.DataFrame) -> pd.DataFrame:
    """Join the seeds of each variant: means, sample standard deviations, and how many.

    Seeds with another status make a row of their own, so that a failure is never averaged away. The intervals
    become the widest over seeds, one noisy seed makes a timing noisy, one doubtful or not isolated seed the row, and
    the tier is that of the least repeated seed.

    Parameters
    ----------
    rows : DataFrame
        As `frame` returns it.

    Returns
    -------
    DataFrame
        One row a variant and status: each number's mean, its ``<key>_sd`` (NaN for one seed), and ``seeds``.
        Sorted by data set, backbone and method, then from the largest budget to the smallest.
    """
    # Of several seeds the least is told.
    ladders = {"tier": list(TIERS), "isolated": ["no", "", "yes"]}
    ranked = {key: rows[key].map({word: rank for rank, word in enumerate(ladder)}) for key, ladder in ladders.items()}
    groups = rows.assign(**ranked).groupby(VARIANT, sort=False)
    means = groups[[column.key for column in NUMBERS]].mean()
    spread = groups[[column.key for column in NUMBERS]].std().add_suffix("_sd")
    ends = [groups[[low]].min() for low, _ in INTERVALS.values()]
    ends += [groups[[high]].max() for _, high in INTERVALS.values()]
    first = groups.agg(
        reason=("reason", "first"),
        budget=("budget", "first"),
        started=("started", "max"),
        tier=("tier", "min"),
        developed=("developed", "first"),
        # A sentence comes behind none.
        doubtful=("doubtful", "max"),
        isolated=("isolated", "min"),
        machine=("machine", "max"),
    )
    for key, ladder in ladders.items():
        first[key] = first[key].map(ladder.__getitem__)
    count = groups.size().rename("seeds")
    noisy = groups[list(NOISY)].any()
    joined = _of_best(pd.concat([first, count, means, spread, *ends, noisy], axis=1).reset_index())
    order = ["dataset", "backbone", "method", "budget"]
    return joined.sort_values(
        order, ascending=[True, True, True, False], kind="stable", na_position="first", ignore_index=True
    )


def _of_best(rows: pd.DataFrame) -> pd.DataFrame:
    """Fill in each row's share of the best uncompressed model of its data set and protocol."""
    fp32 = rows[(rows["method"] == UNCOMPRESSED) & (rows["status"] == "ok")]
    of_set = ["dataset", "protocol"]
    of_backbone = [*of_set, "backbone"]
    best = fp32.groupby(of_set)[COLUMN].max().rename("best")
    own = fp32.groupby(of_backbone)[COLUMN].max().rename("own")
    found = rows.join(best, on=of_set).join(own, on=of_backbone)
    rows["of_best"] = 100 * found[COLUMN] / found["best"]
    rows["of_best_sd"] = 100 * found[f"{COLUMN}_sd"] / found["best"]
    for end in ("low", "high"):
        # The interval of what is kept is that of the row's own backbone.
        rows[f"of_best_{end}"] = found[f"retained_{end}"] * found["own"] / found["best"]
    return rows


def choose(rows: pd.DataFrame, **wanted: str | None) -> pd.DataFrame:
    """Keep the rows whose text columns equal what is wanted; None keeps all.

    Raises
    ------
    UserError
        When a column has no such value; the nearest that it has is given.
    """
    for key, value in wanted.items():
        if value is not None:
            known = set(rows[key])
            if value not in known:
                raise unknown(key, value, known, f"the results hold no {key}")
            rows = rows[rows[key] == value]
    return rows


def sort(rows: pd.DataFrame, key: str) -> pd.DataFrame:
    """Sort by a column, best first where one end is better; rows without a figure come last.

    Raises
    ------
    UserError
        When there is no such column.
    """
    if key not in COLUMNS:
        raise unknown("column", key, COLUMNS)
    return rows.sort_values(key, ascending=COLUMNS[key].better != "high", kind="stable", na_position="last")


def _cell(column: Column, row: Mapping[Hashable, Any]) -> str:
    value = float(row[column.key])
    # A timing that others disturbed is shown, and marked.
    mark = "~" if not math.isnan(value) and row.get(f"{column.key.split('_')[0]}_noisy") else ""
    if column.key in INTERVALS and not math.isnan(value):
        low, high = (float(row[end]) for end in INTERVALS[column.key])
        # An interval says more than the spread of the seeds: it holds the noise of users or of timing.
        if not math.isnan(low):
            return f"{mark}{column.text(value)} ({column.text(low)}–{column.text(high)})"
    return mark + column.text(value, float(row[f"{column.key}_sd"]))


def marked(row: Mapping[Hashable, Any]) -> str:
    """Return a row's method with its marks († ‡, see `recpress.leaderboard.columns`)."""
    marks = ["†"] * bool(row["developed"]) + ["‡"] * bool(row["doubtful"])
    return " ".join([row["method"], *marks, *(["(not isolated)"] if row["isolated"] == "no" else [])])


def doubts(rows: pd.DataFrame) -> list[str]:
    """Return a sentence for each row that is flagged for review (‡)."""
    keys = ["dataset", "backbone", "method", "variant", "doubtful"]
    found = rows.loc[rows["doubtful"] != "", keys].to_dict("records")
    return [
        f"‡ {row['method']} {row['variant']} of {row['backbone']} on {row['dataset']} is flagged for review: "
        f"{row['doubtful']}."
        for row in found
    ]


HEADLINE_TEXT = tuple(column.key for column in TEXT if column.headline)
HEADLINE_NUMBERS = tuple(column.key for column in NUMBERS if column.headline)


def texts(
    rows: pd.DataFrame, text: Sequence[str] = HEADLINE_TEXT, figures: Sequence[str] = HEADLINE_NUMBERS
) -> tuple[list[str], list[list[str]]]:
    """Write aggregated rows for reading.

    Parameters
    ----------
    rows : DataFrame
        As `aggregate` returns it.
    text : sequence of str
        The text columns, in order.
    figures : sequence of str
        The number columns, in order; the count of seeds follows, and where a row is not ok, the reason.

    Returns
    -------
    headings with units, and one list of cells a row: mean ± sd, or a ratio with its interval.
    """
    numbers = [COLUMNS[key] for key in figures]
    headings = [COLUMNS[key].heading for key in (*text, *figures)] + ["Seeds"]
    if (rows["status"] != "ok").any():
        headings.append("Reason")
    cells = []
    ends = [end for key in figures for end in INTERVALS.get(key, ())]
    needed = [*text, *figures, *(f"{key}_sd" for key in figures), *ends, *NOISY, "seeds", "reason"]
    needed += ["developed", "doubtful", "isolated"]
    for row in rows[needed].to_dict("records"):
        words = (printable(marked(row) if key == "method" else str(row[key])) for key in text)
        line = [*words, *(_cell(column, row) for column in numbers)]
        cells.append([*line, str(row["seeds"]), printable(str(row["reason"])[:80])][: len(headings)])
    return headings, cells


def _tabulate(rows: pd.DataFrame, style: str, text: Sequence[str] = HEADLINE_TEXT) -> str:
    headings, cells = texts(rows, text)
    if style == "github":
        cells = [[markdown(cell) for cell in line] for line in cells]
    left = len(text)
    align = ["left" if place < left or name == "Reason" else "right" for place, name in enumerate(headings)]
    return tabulate(cells, headers=headings, tablefmt=style, disable_numparse=True, colalign=align if cells else None)


def csv(rows: pd.DataFrame) -> str:
    """Print rows as csv, with control characters removed from their texts."""
    text = rows.select_dtypes(include=["object", "string"])
    shown = {str(name): text[name].map(printable, na_action="ignore") for name in text}
    return rows.assign(**shown).to_csv(index=False)


def render(rows: pd.DataFrame, form: Format) -> str:
    """Print aggregated rows.

    ``csv`` and ``json`` carry every column unrounded; the others the headline columns as text. ``table`` makes
    one table for each data set and backbone, which would only repeat themselves as columns.
    """
    if form == "csv":
        return csv(rows)
    if form == "json":
        return readable_json(rows.to_json(orient="records", indent=1, force_ascii=False))
    if form == "markdown":
        return _tabulate(rows, "github")
    if form == "latex":
        return _tabulate(rows, "latex_booktabs")
    blocks = [
        f"{printable(f'{dataset} · {backbone}')}\n\n{_tabulate(block, 'simple', HEADLINE_TEXT[2:])}"
        for (dataset, backbone), block in rows.groupby(["dataset", "backbone"], sort=False)
    ]
    return "\n\n".join(blocks)

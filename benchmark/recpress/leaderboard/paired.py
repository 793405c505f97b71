"""Rows of the board against the uncompressed model of their own backbone, paired by user (and seed)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from recpress.core.errors import UserError
from recpress.core.printable import markdown, printable, readable_json
from recpress.evaluation import Comparison, adjust, compare
from recpress.experiments.pairing import Variant, pair, refuse_nothing, variant_name
from recpress.headline import COLUMN, HEADLINE
from recpress.leaderboard.tables import VARIANT, Format, csv, texts
from recpress.records.plausible import UNCOMPRESSED
from recpress.records.record import Record

TEXT = ("dataset", "backbone", "method", "variant")
FIGURES = (COLUMN, "mb")
HEADINGS = ("Retained [%] (95 % CI)", "p (Holm)", "Loss below")

Key = tuple[str, ...]


def against_fp32(
    rows: pd.DataFrame, records: Iterable[Record], results: Path
) -> tuple[list[Comparison | None], list[str]]:
    """Compare each row with the uncompressed model of its backbone, over the seeds that both have.

    Parameters
    ----------
    rows : DataFrame
        As `recpress.leaderboard.tables.aggregate` returns it, or some of it.
    records : iterable of Record
        What the rows were made of.
    results : Path
        The folder of the records, with their hits.

    Returns
    -------
    list of Comparison or None, list of str
        Of each row, p-values adjusted (Holm) over all of them; None for the uncompressed model itself, and for what
        can't be compared. Why that can't, each in a sentence.
    """
    variants = _settings(records, results)
    comparisons: list[Comparison | None] = []
    reasons: list[str] = []
    for row in rows[VARIANT].astype(str).itertuples(index=False, name=None):
        mine, fp32 = variants.get(row), variants.get(_reference(row))
        if mine is None or fp32 is None or mine is fp32:
            comparisons.append(None)
            continue
        try:
            paired = pair(fp32, mine)
            refuse_nothing(paired, HEADLINE)
            comparisons.append(compare(*paired.values(HEADLINE), HEADLINE))
        except UserError as error:
            comparisons.append(None)
            reasons.append(str(error))
    adjusted = iter(adjust([each for each in comparisons if each]))
    return [each and next(adjusted) for each in comparisons], reasons


def _settings(records: Iterable[Record], results: Path) -> dict[Key, Variant]:
    seeds: dict[Key, dict[int, Record]] = {}
    for made in records:
        if made.quality is not None:
            who = made.identity
            key = tuple(made.status if name == "status" else str(getattr(who, name)) for name in VARIANT)
            seeds.setdefault(key, {})[who.seed] = made
    return {
        key: Variant(variant_name(next(iter(found.values())).identity), found, results) for key, found in seeds.items()
    }


def _reference(row: Key) -> Key:
    """Return the key of the uncompressed model of a row's backbone."""
    fp32 = {
        "family": "reference",
        "method": UNCOMPRESSED,
        "division": "reference",
        "serve_form": "table",
        "variant": "default",
        "status": "ok",
    }
    return tuple(fp32.get(name, value) for name, value in zip(VARIANT, row, strict=True))


def render(rows: pd.DataFrame, comparisons: Sequence[Comparison | None], form: Format) -> str:
    """Print rows with their comparisons; ``csv`` and ``json`` carry every column unrounded."""
    if form in ("csv", "json"):
        wide = rows.assign(**{name: [_figure(each, name) for each in comparisons] for name in _FIGURES})
        return (
            csv(wide) if form == "csv" else readable_json(wide.to_json(orient="records", indent=1, force_ascii=False))
        )
    if form != "table":
        return _tabulate(rows, comparisons, {"markdown": "github", "latex": "latex_booktabs"}[form], TEXT)
    numbered = rows.assign(place=range(len(rows)))
    blocks = [
        f"{printable(f'{dataset} · {backbone}')}\n\n"
        f"{_tabulate(block, [comparisons[at] for at in block['place']], 'simple', TEXT[2:])}"
        for (dataset, backbone), block in numbered.groupby(["dataset", "backbone"], sort=False)
    ]
    return "\n\n".join(blocks)


_FIGURES = {
    "paired_seeds": "n_seeds",
    "paired_retained": "retention",
    "paired_low": "low",
    "paired_high": "high",
    "paired_p": "p_value",
    "paired_p_holm": "p_adjusted",
    "paired_loss_below": "margin",
}


def _figure(one: Comparison | None, name: str) -> float:
    value = None if one is None else getattr(one, _FIGURES[name])
    return math.nan if value is None else float(value)


def _tabulate(rows: pd.DataFrame, comparisons: Sequence[Comparison | None], style: str, text: Sequence[str]) -> str:
    headings, cells = texts(rows, text, FIGURES)
    place = len(text) + len(FIGURES)
    headings[place:place] = HEADINGS
    for line, one in zip(cells, comparisons, strict=True):
        line[place:place] = _cells(one)
    if style == "github":
        cells = [[markdown(cell) for cell in line] for line in cells]
    align = ["left" if at < len(text) or name == "Reason" else "right" for at, name in enumerate(headings)]
    return tabulate(cells, headers=headings, tablefmt=style, disable_numparse=True, colalign=align if cells else None)


def _cells(one: Comparison | None) -> list[str]:
    if one is None:
        return ["–"] * len(HEADINGS)
    kept, low, high = (f"{100 * share:.1f}" for share in (one.retention, one.low, one.high))
    return [f"{kept} ({low}–{high})", f"{one.p_adjusted:.2g}", "–" if one.margin is None else f"{one.margin:.0%}"]

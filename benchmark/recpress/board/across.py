"""Tables of findings: one figure of some runs over the data sets, from the committed records.

A table stands between ``<!-- begin: python -m recpress.board.across FIGURE BACKBONE/METHOD/SETTING… -->`` and
``<!-- end -->``, a run's name as `recpress compare` has it. ``python -m recpress.board.across`` writes all of them
anew, and with a figure and runs it prints one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from recpress.board.collect import collect
from recpress.board.columns import COLUMNS, Column
from recpress.board.tables import aggregate, frame, texts
from recpress.documents import generated, rewrite
from recpress.errors import unknown
from recpress.paths import checkout_root
from recpress.record import in_a_name

DOCUMENTS = tuple(
    Path("benchmark") / "docs" / "explanation" / f"{name}.md"
    for name in ("findings", "findings-small-sizes", "findings-training", "findings-speed")
)


@cache
def rows_of(results: Path) -> pd.DataFrame:
    """Return the rows that ended well, with their names in the column ``run``."""
    rows = aggregate(frame(collect(results).runs))
    rows = rows[rows["status"] == "ok"]
    return rows.assign(run=rows["backbone"] + "/" + rows["method"] + "/" + rows["setting"].map(in_a_name))


def figure(key: str) -> Column:
    """Return a figure's column.

    Raises
    ------
    UserError
        When there is none of that key, or it holds text.
    """
    figures = {name: column for name, column in COLUMNS.items() if column.decimals is not None}
    if key not in figures:
        raise unknown("figure", key, figures)
    return figures[key]


def markdown(results: Path, arguments: Sequence[str]) -> str:
    """Return a table: a line a run, a column a data set, from the smallest fp32 tables to the largest.

    Parameters
    ----------
    results : Path
    arguments : sequence of str
        The key of a figure (`recpress.board.columns`), then runs.

    Raises
    ------
    UserError
        When there is no such figure, or no data set has a run of one of the names.
    """
    key, *names = arguments
    heading = figure(key).heading
    rows = rows_of(results)
    settings = dict(zip(rows["run"], rows["setting"], strict=True))
    for name in names:
        if name not in settings:
            raise unknown("run", name, settings)
    fp32 = (rows["mb"] * rows["smaller"]).groupby(rows["dataset"]).median()
    rows = rows[rows["run"].isin(names)]
    counts = rows["dataset"].value_counts()
    # One run alone is beside nothing.
    datasets = sorted(counts[counts >= min(2, len(names))].index, key=fp32.__getitem__)
    _, cells = texts(rows, (), (key,))
    told = {
        place: cell for place, (cell, *_) in zip(zip(rows["run"], rows["dataset"], strict=True), cells, strict=True)
    }
    apart = len({name.split("/")[0] for name in names}) > 1
    lines = [
        [_label(name, settings[name], apart), *(told.get((name, each), "–") for each in datasets)] for name in names
    ]
    align = ("left", *["right"] * len(datasets))
    headings = [heading, *datasets]
    return tabulate(lines, headings, tablefmt="pipe", disable_numparse=True, colalign=align)


def _label(name: str, setting: str, apart: bool) -> str:
    backbone, method, _ = name.split("/")
    return " ".join([*([backbone] if apart else []), method, *([] if setting == "default" else [setting])])


def written(page: str, results: Path) -> str:
    """Return a page with its tables from a results folder."""
    return generated(page, "recpress.board.across", lambda arguments: markdown(results, arguments))


def main() -> None:
    """Write the tables of findings, or print one."""
    checkout = checkout_root()
    if checkout is not None and len(sys.argv) > 1:
        print(markdown(checkout / "results", sys.argv[1:]))
    else:
        for document in DOCUMENTS:
            rewrite(checkout, document, lambda page, root: written(page, root / "results"))


if __name__ == "__main__":
    main()

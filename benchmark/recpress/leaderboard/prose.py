"""Figures inside prose: placeholders of a page, filled from the records.

A placeholder names a figure and the runs that it is of: ``{{ retention ml-1m/lightgcn/uniform/1-4 }}``. One that stands
in code is an example, and stays. Runs are named ``DATASET/BACKBONE/METHOD/VARIANT``; the first three take alternatives
(``gowalla,yelp2018/…``), and all four take ``*``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from recpress.core.errors import UserError, unknown
from recpress.headline import COLUMN
from recpress.leaderboard.collect import collect
from recpress.leaderboard.columns import COLUMNS, INTERVALS, Column
from recpress.leaderboard.tables import aggregate, frame, texts
from recpress.records.record import in_a_name

# Code (fenced, then inline) comes first, so that no placeholder is found in it.
PLACEHOLDER = re.compile(r"^```.*?^```|`[^`\n]*`|\{\{(?P<inside>[^{}]*)\}\}", re.MULTILINE | re.DOTALL)
# Words of prose for keys of columns; any other key of a number names its column.
WORDS = {
    "retention": "retained",
    "latency": "single_ratio",
    "batch-latency": "batch_ratio",
    "ndcg": COLUMN,
    "megabytes": "mb",
}
# Each part of a run's name, by the column that holds it.
PARTS = {"dataset": "dataset", "backbone": "backbone", "method": "method", "variant_name": "variant"}


def named(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that ended well, with their names (``backbone/method/variant``) in the column ``run``."""
    rows = rows[rows["status"] == "ok"]
    variant = rows["variant"].map(in_a_name)
    return rows.assign(variant_name=variant, run=rows["backbone"] + "/" + rows["method"] + "/" + variant)


@cache
def rows_of(results: Path) -> pd.DataFrame:
    """Return the named rows of a results folder."""
    return named(aggregate(frame(collect(results).runs)))


def figure(key: str) -> Column:
    """Return a figure's column.

    Raises
    ------
    UserError
        When there is none of that key, or it holds text.
    """
    figures = {name: column for name, column in COLUMNS.items() if column.decimals is not None}
    column = figures.get(WORDS.get(key, key))
    if column is None:
        raise unknown("figure", key, [*figures, *WORDS])
    return column


def fill(text: str, rows: Callable[[], pd.DataFrame]) -> str:
    """Return a page with its placeholders replaced by figures.

    Parameters
    ----------
    text : str
        Markdown.
    rows : callable
        Gives the named rows (see `named`); it is called only where the page has a placeholder.

    Raises
    ------
    UserError
        When a placeholder names no figure or no run.
    """

    def replaced(found: re.Match[str]) -> str:
        inside = found["inside"]
        if inside is None:
            return found[0]
        try:
            return value(rows(), inside.split())
        except UserError as error:
            raise UserError(f"{{{{ {inside.strip()} }}}} can't be filled: {error}") from error

    return PLACEHOLDER.sub(replaced, text)


def value(rows: pd.DataFrame, words: Sequence[str]) -> str:
    """Return what a placeholder stands for.

    ``retention`` of one run is written with its 95 % interval; any figure of several runs from the least to the most.

    Parameters
    ----------
    rows : DataFrame
        As `named` returns it.
    words : sequence of str
        A figure's key and a run; ``table``, a figure's key and runs without data set; or ``count`` and a run.

    Raises
    ------
    UserError
        When there is no such figure or run, or a word is missing.
    """
    match words:
        case ["table", key, *names] if names:
            return f"\n\n{table(rows, [key, *names])}\n\n"
        case ["count", place]:
            return f"{len(chosen(rows, place)):,}"
        case ["bytes", place]:
            return _range(sorted(chosen(rows, place)["smaller"], reverse=True), _fraction)
        case [key, place]:
            column = figure(key)
            found = chosen(rows, place)
            unit = f" {column.unit}" if column.unit and column.unit != "×" else ""
            if key == "retention" and len(found) == 1:
                return _interval(found.iloc[0], column, unit)
            return _range(sorted(found[column.key].dropna()), column.text) + unit
    raise UserError("it takes a figure and a run, as in `retention ml-1m/lightgcn/uniform/1-4`.")


def chosen(rows: pd.DataFrame, place: str) -> pd.DataFrame:
    """Return the rows of the runs that a placeholder names.

    Raises
    ------
    UserError
        When there are none.
    """
    parts = place.split("/")
    if len(parts) != len(PARTS):
        raise UserError(f"a run is {'/'.join(PARTS.values()).upper()}, and {place!r} is not.")
    found = rows
    for column, pattern in zip(PARTS, parts, strict=True):
        patterns = [pattern] if column == "variant_name" else pattern.split(",")
        known = rows[column].unique()
        for each in patterns:
            if not any(fnmatchcase(name, each) for name in known):
                raise unknown(PARTS[column], each, known, "the records hold none of that name")
        found = found[found[column].map(lambda name, wanted=patterns: any(fnmatchcase(name, each) for each in wanted))]
    if found.empty:
        raise UserError(f"the records hold no run {place!r} that ended well.")
    return found


def _range(values: Sequence[float], written: Callable[[float], str]) -> str:
    if not values:
        raise UserError("the records of this run hold no such figure.")
    least, most = written(values[0]), written(values[-1])
    return least if least == most else f"{least} to {most}"


def _fraction(smaller: float) -> str:
    """Write how many bytes an artefact has of fp32's: ``1/7.1``; above 1, as a number."""
    return f"1/{smaller:.1f}".removesuffix(".0") if smaller >= 1 else f"{1 / smaller:.1f}"


def _interval(row: pd.Series, column: Column, unit: str) -> str:
    low, high = (float(row[end]) for end in INTERVALS[column.key])
    figure = f"{column.text(float(row[column.key]))}{unit}"
    return figure if math.isnan(low) else f"{figure} ({column.text(low)} to {column.text(high)})"


def table(rows: pd.DataFrame, arguments: Iterable[str]) -> str:
    """Return a table: a line a run, a column a data set, from the smallest fp32 tables to the largest.

    Parameters
    ----------
    rows : DataFrame
        As `named` returns it.
    arguments : iterable of str
        The key of a figure, then runs (``BACKBONE/METHOD/VARIANT``).

    Raises
    ------
    UserError
        When there is no such figure, or no data set has a run of one of the names.
    """
    key, *names = arguments
    column = figure(key)
    variants = dict(zip(rows["run"], rows["variant"], strict=True))
    for name in names:
        if name not in variants:
            raise unknown("run", name, variants)
    fp32 = (rows["mb"] * rows["smaller"]).groupby(rows["dataset"]).median()
    rows = rows[rows["run"].isin(names)]
    counts = rows["dataset"].value_counts()
    # One run alone is beside nothing.
    datasets = sorted(counts[counts >= min(2, len(names))].index, key=fp32.__getitem__)
    _, cells = texts(rows, (), (column.key,))
    written = {
        place: cell for place, (cell, *_) in zip(zip(rows["run"], rows["dataset"], strict=True), cells, strict=True)
    }
    apart = len({name.split("/")[0] for name in names}) > 1
    lines = [
        [_label(name, variants[name], apart), *(written.get((name, each), "–") for each in datasets)] for name in names
    ]
    align = ("left", *["right"] * len(datasets))
    return tabulate(lines, [column.heading, *datasets], tablefmt="pipe", disable_numparse=True, colalign=align)


def _label(name: str, variant: str, apart: bool) -> str:
    backbone, method, _ = name.split("/")
    return " ".join([*([backbone] if apart else []), method, *([] if variant == "default" else [variant])])

"""What tests of the findings' prose share: the committed records, and figures written as the page has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import pandas as pd

from recpress.leaderboard.collect import Run, collect
from recpress.leaderboard.prose import rows_of
from table_across import DOCUMENTS

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results"
PAGE = " ".join(" ".join((ROOT / each).read_text(encoding="utf-8") for each in DOCUMENTS).split())
LARGE = ["gowalla", "yelp2018", "amazon-cds"]
MOVIES = ["ml-100k", "ml-1m"]
SMALL = [*MOVIES, "lastfm", "ogbl-ddi"]
EVERY = [*SMALL, *LARGE]


@cache
def runs() -> tuple[Run, ...]:
    """Every committed run."""
    return collect(RESULTS).runs


def board() -> pd.DataFrame:
    """Rows of the core suite's data sets, by data set and run."""
    rows = rows_of(RESULTS)
    return rows[rows["dataset"].isin(EVERY)].set_index(["dataset", "run"], drop=False)


def says(*words: str) -> None:
    for each in words:
        assert each in PAGE, f"the page does not say: {each}"


def listed(values: Iterable[float], form: str = ".0f") -> str:
    *most, last = (f"{value:{form}}" for value in values)
    return f"{', '.join(most)} and {last}"


def between(values: Iterable[float], form: str = ".1f") -> str:
    values = list(values)
    return f"{min(values):{form}} to {max(values):{form}}"


def on(board: pd.DataFrame, run: str, datasets: Sequence[str], figure: str = "retained") -> list[float]:
    return [float(board.loc[(dataset, run), figure]) for dataset in datasets]


def under(board: pd.DataFrame, pattern: str, datasets: Sequence[str] = EVERY) -> pd.DataFrame:
    """Rows of runs that a regular expression fits as a whole."""
    return board[board["dataset"].isin(datasets) & board["run"].str.fullmatch(pattern)]


def apart(board: pd.DataFrame, dataset: str, one: str, other: str) -> bool:
    """Whether the intervals of what two runs keep lie apart."""
    a, b = board.loc[(dataset, one)], board.loc[(dataset, other)]
    return bool(a["retained_low"] > b["retained_high"] or b["retained_low"] > a["retained_high"])

"""The speed of the code over its commits: what asv measured, as series with the steps in them.

asv's own pages load a CDN, so the site draws the same results itself. Only the steps are found by asv.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

from recpress.core.errors import UserError

# What asv, too, reports as a regression by default.
LEAST_STEP = 0.05


@dataclass(frozen=True)
class Point:
    """One benchmark at one commit; the interval is asv's, of 99 %, and NaN where one call was timed."""

    commit: str
    date: str
    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Level:
    """A stretch of points that noise alone tells apart: the first and the last of them, and their median."""

    first: int
    last: int
    value: float


@dataclass(frozen=True)
class Series:
    """One benchmark with one set of parameters on one machine, oldest commit first.

    Attributes
    ----------
    machine, benchmark : str
    params : str
        As ``name=value, …``; empty for a benchmark without.
    unit : str
        asv's word for it: ``seconds``, ``bytes``, ``unit``.
    points : tuple of Point
        Since the benchmark was last changed itself.
    levels : tuple of Level
        Empty where asv isn't installed.
    """

    machine: str
    benchmark: str
    params: str
    unit: str
    points: tuple[Point, ...]
    levels: tuple[Level, ...]

    @property
    def step(self) -> float:
        """Relative change at the last step; NaN without one, or where it is too small or too new to be told."""
        if len(self.levels) < 2 or not self.levels[-2].value or self.levels[-1].last == self.levels[-1].first:
            return math.nan
        change = self.levels[-1].value / self.levels[-2].value - 1
        return change if abs(change) > LEAST_STEP else math.nan

    @property
    def is_cost(self) -> bool:
        """Whether a higher figure is certainly worse: time and memory."""
        return self.benchmark.rpartition(".")[2].startswith(("time_", "peakmem_", "mem_"))


def read(folder: Path) -> list[Series]:
    """Read what ``asv run`` left in a folder (``.asv``), by benchmark, parameters and machine.

    Returns
    -------
    list of Series
        Empty when asv has not run.

    Raises
    ------
    UserError
        When a file there isn't one of asv's.
    """
    results = folder / "results"
    known = _json(results / "benchmarks.json") if (results / "benchmarks.json").is_file() else {}
    found: dict[tuple[str, str, str, str], list[tuple[str, Point]]] = defaultdict(list)
    for path in sorted(results.glob("*/*.json")):
        if path.name != "machine.json":
            _add(found, path, known)
    series = []
    for (benchmark, params, machine, unit), versioned in sorted(found.items()):
        versioned.sort(key=lambda each: each[1].date)
        newest = versioned[-1][0]
        # What another version of the benchmark measured is another thing.
        points = tuple(point for version, point in versioned if version == newest)
        series.append(Series(machine, benchmark, params, unit, points, _levels([point.value for point in points])))
    return series


def _json(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not a result of asv: {error}. Remove it, or run `make perf` again.") from error
    if not isinstance(raw, dict):
        raise UserError(f"{path} is not a result of asv: it is no JSON object. Remove it, or run `make perf` again.")
    return raw


def _add(found: dict[tuple[str, str, str, str], list[tuple[str, Point]]], path: Path, known: dict[str, Any]) -> None:
    raw = _json(path)
    try:
        date = datetime.fromtimestamp(raw["date"] / 1000, UTC).isoformat(timespec="seconds")
        for name, cells in raw["results"].items():
            row = dict(zip(raw["result_columns"], cells, strict=False))
            about = known.get(name, {})
            sets = list(product(*row.get("params") or []))
            lows, highs = (row.get(key) or [] for key in ("stats_ci_99_a", "stats_ci_99_b"))
            for at, value in enumerate(row.get("result") or []):
                if value is None or not math.isfinite(value):
                    continue
                ends = [_end(side, at) for side in (lows, highs)]
                params = _named(about.get("param_names") or [], sets[at] if at < len(sets) else ())
                key = (name, params, str(raw["params"]["machine"]), str(about.get("unit") or ""))
                point = Point(str(raw["commit_hash"]), date, float(value), *ends)
                found[key].append((str(row.get("version")), point))
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise UserError(f"{path} is not a result of asv: {error!r}. Remove it, or run `make perf` again.") from error


def _end(side: Sequence[float | None], at: int) -> float:
    value = side[at] if at < len(side) else None
    return float(value) if value is not None and math.isfinite(value) else math.nan


def _named(names: Sequence[str], values: Sequence[str]) -> str:
    padded = [*names, *(f"param{at}" for at in range(len(names), len(values)))]
    return ", ".join(f"{name}={value}".replace("'", "") for name, value in zip(padded, values, strict=False))


def _levels(values: Sequence[float]) -> tuple[Level, ...]:
    try:
        from asv.step_detect import detect_steps
    except ImportError:
        return ()
    return tuple(Level(first, end - 1, value) for first, end, value, *_ in detect_steps(list(values)))

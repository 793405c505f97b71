"""The data that the pages' scripts read: compact, columnar, and loaded by <script> so that it works from a file."""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from recpress.core.errors import UserError
from recpress.experiments.per_user_hits import Store
from recpress.leaderboard.collect import Collection, Run
from recpress.leaderboard.columns import COLUMNS, INTERVALS, NOISY, NUMBERS, TEXT, TIERS
from recpress.leaderboard.tables import VARIANT
from recpress.leaderboard.tiers import Standing
from recpress.reproduce.report import brief

DIGITS = 6
# Of the headline metric, which the page of comparisons tests.
PLACES = 20


def _number(value: float) -> float | int | None:
    if math.isnan(value):
        return None
    rounded = float(f"{value:.{DIGITS}g}")
    return int(rounded) if rounded.is_integer() else rounded


def _coded(values: Iterable[str]) -> dict[str, list[Any]]:
    """Write text as a list of distinct words and one small integer a row."""
    words: dict[str, int] = {}
    codes = [words.setdefault(value, len(words)) for value in values]
    return {"words": list(words), "codes": codes}


def board(rows: pd.DataFrame) -> dict[str, Any]:
    """Return what is the same on every machine of aggregated rows, as columns.

    Text is coded, numbers are rounded to six significant digits, NaN is null.
    """
    text = [
        key for key in (*VARIANT, "tier", "developed", "doubtful", "isolated", "reason", "started") if key != "split"
    ]
    return {
        "rows": len(rows),
        "columns": [
            {
                "key": column.key,
                "label": column.label,
                "unit": column.unit,
                "help": column.help,
                "decimals": column.decimals,
                "significant": column.significant,
                "better": column.better,
                "headline": column.headline,
                "timed": column.timed,
            }
            for column in (*TEXT, *NUMBERS)
        ],
        "intervals": INTERVALS,
        "tiers": TIERS,
        "text": {key: _coded(rows[key].astype(str)) for key in text},
        "numbers": _numbers(rows, [*_figures(timed=False), "budget", "seeds"]),
    }


def timings(rows: pd.DataFrame) -> dict[str, Any]:
    """Return what belongs to one machine of the same rows, in the same order, as columns."""
    text = {column.key: _coded(rows[column.key].astype(str)) for column in TEXT if column.timed}
    return {"text": text, "numbers": _numbers(rows, [*_figures(timed=True), *NOISY])}


def _figures(*, timed: bool) -> list[str]:
    """Return the keys of number columns that belong to one machine or to none, with their spreads and intervals."""
    keys = [column.key for column in NUMBERS if column.timed == timed]
    ends = [end for key, pair in INTERVALS.items() for end in pair if COLUMNS[key].timed == timed]
    return [*keys, *(f"{key}_sd" for key in keys), *ends]


def _numbers(rows: pd.DataFrame, keys: Iterable[str]) -> dict[str, list[float | int | None]]:
    found = {}
    for key in keys:
        values = rows[key].astype("float64")
        if values.notna().any():
            found[key] = [_number(value) for value in values]
    return found


@dataclass
class Shard:
    """The runs of one data set, backbone and method, so that a run's page loads only its neighbours.

    Attributes
    ----------
    runs : list of dict
        Whole records, each with its tier, the repetitions that this rests on, what a person is to look at, and by
        machine the name of its timing.
    timings : dict
        Whole timings by name, each once, however many runs share it.
    """

    runs: list[dict[str, Any]] = field(default_factory=list)
    timings: dict[str, dict[str, Any]] = field(default_factory=dict)


def shards(found: Collection, standing: Mapping[str, Standing]) -> dict[str, Shard]:
    """Group whole records and timings by ``<dataset>/<backbone>/<method>``."""
    grouped: dict[str, Shard] = defaultdict(Shard)
    everywhere = {name: found.on(name).runs for name in found.timings}
    for at, run in enumerate(found.runs):
        shard = grouped[run.id.rpartition("/")[0]]
        entry: dict[str, Any] = {
            "id": run.id,
            "record": run.raw,
            "tier": standing[run.id].tier,
            "repetitions": _told(standing[run.id]),
            "doubts": [str(doubt) for doubt in found.references.doubts(run.record)],
            "signature": run.record.signature if run.record.serving else None,
            "timings": {},
            "break_even": {},
        }
        for machine, runs in everywhere.items():
            if timing := runs[at].timing:
                entry["timings"][machine] = name = f"{machine}/{timing.run}"
                # Beside a run whose own it is, one that shares it sees less of it: the page leaves out the refresh.
                if len(timing.latency) >= len(shard.timings.get(name, {}).get("latency", ())):
                    shard.timings[name] = timing.model_dump(mode="json")
                if repaid := runs[at].break_even:
                    entry["break_even"][machine] = repaid
        shard.runs.append(entry)
    return dict(grouped)


def _told(standing: Standing) -> list[dict[str, Any]]:
    told = []
    for each in standing.repetitions:
        made = each.reproduction
        told.append(
            {
                "event": made.event,
                "machine": made.machine,
                "date": made.date,
                "commit": made.commit,
                "command": made.command,
                "trained": made.trained,
                "figures": len(made.metrics) + len(made.retention) + (made.bytes is not None),
                "timed": {name: timed.model_dump(mode="json") for name, timed in made.latency.items()},
                "differs": brief(each.differs),
            }
        )
    return told


def hits(runs: Iterable[Run], store: Store) -> dict[str, dict[str, str]]:
    """Return the packed hits of each run whose record they belong to, for the paired tests in the browser.

    Returns
    -------
    dict
        By shard (see `shards`), every one of them, and run: base64 of what `recpress.evaluation.hit_masks.pack` made.
    """
    grouped: dict[str, dict[str, str]] = defaultdict(dict)
    for run in runs:
        who = run.record.identity
        mine = grouped[f"{who.dataset}/{who.backbone}/{who.method}"]
        if run.record.quality is None:
            continue
        try:
            store.hits(run.record)
        except UserError:
            continue
        mine[run.id] = base64.b64encode(store.packed(run.record)).decode()
    return dict(grouped)


def tested(runs: Iterable[Run], store: Store) -> dict[str, dict[str, str]]:
    """Return how many of its first 20 places can be hits, for each evaluated user.

    Returns
    -------
    dict
        By data set, every one of them, and split: base64 of zlib of a byte a user.
    """
    grouped: dict[str, dict[str, str]] = defaultdict(dict)
    for who in {run.record.identity.split: run.record.identity for run in runs}.values():
        mine = grouped[who.dataset]
        try:
            reachable = np.minimum(store.users(who).n_test, PLACES).astype(np.uint8)
        except UserError:
            continue
        mine[who.split] = base64.b64encode(zlib.compress(reachable.tobytes(), 9)).decode()
    return dict(grouped)


def script(call: str, *values: object) -> str:
    """Write a script that hands values to a function of the page."""
    arguments = ",".join(json.dumps(value, separators=(",", ":"), allow_nan=False) for value in values)
    return f"{call}({arguments});\n"

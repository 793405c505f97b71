"""The history page and the feed: what a change of the records did, how fast the code is, what was run when."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from recpress.leaderboard import regress
from recpress.leaderboard.collect import Collection, Run
from recpress.leaderboard.perf import Series
from recpress.leaderboard.regress import Difference
from recpress.measure.machine import named

Context = dict[str, Any]
MOST_CHANGES = 200
MOST_BATCHES = 100
MOST_SERIES = 200
# asv's unit: what it is shown in, and how many of that it is.
SHOWN_IN = {"seconds": ("ms", 1e3), "bytes": ("MB", 1e-6), "joules": ("mJ", 1e3), "unit": ("", 1.0)}


@dataclass(frozen=True)
class Earlier:
    """An earlier state of the results, and its name: a revision or a folder."""

    name: str
    found: Collection


def timestamp(text: str) -> str:
    """Return a time as a feed needs it; what is none becomes the beginning of 1970."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = datetime.fromtimestamp(0, UTC)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).isoformat(timespec="seconds")


def days(runs: Iterable[Run]) -> list[Context]:
    """Return the latest runs by day, newest first; in a day by data set, backbone and commit."""
    found: dict[str, dict[tuple[str, str, str], list[Run]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        who, made = run.record.identity, run.record.provenance
        found[timestamp(made.started)[:10]][who.dataset, who.backbone, (made.commit or "unknown")[:10]].append(run)
    shown: list[Context] = []
    for date in sorted(found, reverse=True):
        batches = [_batch(*key, group) for key, group in sorted(found[date].items())]
        if shown and sum(len(day["batches"]) for day in shown) + len(batches) > MOST_BATCHES:
            break
        shown.append({"date": date, "batches": batches[:MOST_BATCHES]})
    return shown


def _batch(dataset: str, backbone: str, commit: str, group: Sequence[Run]) -> Context:
    methods = sorted({run.record.identity.method for run in group})
    more = f" and {len(methods) - 8} more" if len(methods) > 8 else ""
    updated = max(timestamp(run.record.provenance.started) for run in group)
    return {
        "dataset": dataset,
        "backbone": backbone,
        "commit": commit,
        "methods": ", ".join(methods[:8]) + more,
        "runs": len(group),
        "failed": sum(run.record.status != "ok" for run in group),
        "updated": updated,
        "id": f"urn:recpress:{updated[:10]}:" + ":".join(quote(word, safe="") for word in (dataset, backbone, commit)),
    }


def changes(earlier: Earlier | None, found: Collection) -> Context | None:
    """Return what the records say worse, better or otherwise than those of an earlier state; None without one."""
    if earlier is None:
        return None
    before, now = regress.on_one_machine(earlier.found, found)
    machine = next((run.timing.machine for run in now if run.timing), None)
    changed = regress.compare(before, now)
    order = ("worse", "can't tell", "better")
    shown = sorted((each for each in changed if each.direction in order), key=lambda each: order.index(each.direction))
    counts = regress.summary(changed)
    updated = max((timestamp(run.record.provenance.started) for run in now), default=timestamp(""))
    return {
        "base": earlier.name,
        "machine": None if machine is None else named(machine, found.machines.get(machine, {})),
        "compared": len(changed),
        "new": len(regress.missing(now, before)),
        "gone": len(regress.missing(before, now)),
        "counts": [(direction, count) for direction, count in counts.items()],
        "worse": counts["worse"],
        "total": len(shown),
        "rows": [_change(each) for each in shown[:MOST_CHANGES]],
        "updated": updated,
        "id": f"urn:recpress:changes:{quote(earlier.name, safe='')}:{quote(updated, safe='')}",
    }


def _change(finding: Difference) -> Context:
    return {
        "variant": finding.variant,
        "figure": finding.figure,
        "base": f"{finding.base:.5g}",
        "head": f"{finding.head:.5g}",
        "change": f"{100 * finding.change:+.2f} %" if math.isfinite(finding.change) else "–",
        "direction": finding.direction,
        "why": finding.why,
    }


def speeds(series: Sequence[Series]) -> Context:
    """Return the table of benchmarks: the latest figure of each, and its last step."""
    rows = []
    for each in series[:MOST_SERIES]:
        unit, scale = shown_in(each)
        stepped = math.isfinite(each.step)
        direction = "" if not stepped or not each.is_cost else "worse" if each.step > 0 else "better"
        step = f"{100 * each.step:+.1f} % at {each.points[each.levels[-1].first].commit[:10]}" if stepped else "–"
        rows.append(
            {
                "name": name(each),
                "machine": each.machine,
                "commits": len(each.points),
                "latest": f"{scale * each.points[-1].value:.4g}",
                "unit": unit,
                "commit": each.points[-1].commit[:10],
                "step": step,
                "direction": direction,
            }
        )
    return {"rows": rows, "total": len(series)}


def shown_in(series: Series) -> tuple[str, float]:
    """Return the unit that a series is shown in, and how many of it one of asv's is."""
    return SHOWN_IN.get(series.unit, (series.unit, 1.0))


def name(series: Series) -> str:
    """Return what a series is called."""
    return f"{series.benchmark} ({series.params})" if series.params else series.benchmark


def drawn(series: Sequence[Series]) -> list[Context]:
    """Return the series for the page's chart."""
    return [_drawn(each) for each in series[:MOST_SERIES]]


def _drawn(series: Series) -> Context:
    unit, scale = shown_in(series)

    def figure(value: float) -> float | None:
        return float(f"{scale * value:.6g}") if math.isfinite(value) else None

    level = {at: each.value for each in series.levels for at in range(each.first, each.last + 1)}
    return {
        "name": name(series),
        "machine": series.machine,
        "unit": unit,
        "points": [
            {
                "commit": point.commit[:10],
                "date": point.date,
                "y": figure(point.value),
                "low": figure(point.low),
                "high": figure(point.high),
                "level": figure(level.get(at, math.nan)),
            }
            for at, point in enumerate(series.points)
        ],
    }

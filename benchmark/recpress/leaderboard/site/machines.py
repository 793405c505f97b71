"""The machines whose timings the site shows, one at a time: their names, and the page of each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

import pandas as pd

from recpress.leaderboard.collect import Collection, Run
from recpress.leaderboard.site.pages import Context, static_table
from recpress.leaderboard.tables import sort
from recpress.measure.machine import has_byte_products, named

FIGURES: Final = ("retained", "mb", "single_ms", "single_ratio", "batch_ms", "batch_ratio")
# What a description holds, as its page names it; what else one holds follows.
WORDS: Final = {
    "cpu": "Processor",
    "cores": "Cores",
    "threads": "Threads",
    "caches": "Caches",
    "ram_gib": "Memory",
    "gpus": "GPUs",
    "flags": "Instructions",
    "virtual": "Virtual machine",
    "governor": "Frequency governor",
    "system": "System",
    "kernel": "Kernel",
    "python": "Python",
    "blas": "BLAS",
    "packages": "Libraries",
}


@dataclass(frozen=True)
class MachinePage:
    """A machine that has timed something.

    Attributes
    ----------
    id : str
        Its fingerprint.
    label : str
        A name for people, which has the fingerprint in it.
    note : str
        What a reader of its times must know.
    """

    id: str
    label: str
    note: str


def machines(found: Collection) -> list[MachinePage]:
    """Return those that have timed something, the one whose timings the runs have first."""
    order = sorted(found.timings, key=lambda name: (name != found.machine, name))
    return [_machine(name, found.machines.get(name, {})) for name in order]


def _machine(name: str, about: Mapping[str, Any]) -> MachinePage:
    byte_products = has_byte_products(about)
    if byte_products is None:
        note = "Another processor has other times, and other ratios to fp32."
    elif byte_products:
        note = (
            "It has AVX-512 VNNI, which multiplies bytes: on a processor without it int8 gains less over fp32, and for "
            "one user may be slower."
        )
    else:
        note = (
            "It has no AVX-512 VNNI, which multiplies bytes: int8 gains less over fp32 than on a processor that has, "
            "and for one user may be slower."
        )
    return MachinePage(name, named(name, about), note)


def script(found: Collection) -> dict[str, Context]:
    """Return for the pages' scripts every machine that is described or has timed something."""
    timed = {each.id: each for each in machines(found)}
    return {
        name: {
            "label": named(name, found.machines.get(name, {})),
            "note": timed[name].note if name in timed else "",
            "timed": name in timed,
            "about": found.machines.get(name),
        }
        for name in [*timed, *(each for each in found.machines if each not in timed)]
    }


def page(machine: MachinePage, found: Collection, rows: pd.DataFrame, root: str) -> Context:
    """Return what a machine's page shows.

    Parameters
    ----------
    machine : MachinePage
    found : Collection
        Its runs beside the timings of this machine.
    rows : DataFrame
        Of these runs, as `aggregate` returns it.
    root : str
        Where the site begins, from the page.
    """
    timings = found.timings[machine.id].all
    ok = [run for run in found.runs if run.record.status == "ok"]
    # A row of which one seed was timed is no more than half timed, but its figures are shown.
    timed = rows[rows["single_ms"].notna() | rows["batch_ms"].notna()]
    days = sorted(timing.provenance.started[:10] for timing in timings)
    return {
        "machine": machine,
        "facts": _facts(found.machines.get(machine.id, {})),
        "signatures": len({timing.signature for timing in timings}),
        "timings": len(timings),
        "noisy": sum(timing.noisy for timing in timings),
        "days": (days[0], days[-1]),
        "runs": sum(run.timing is not None for run in ok),
        "of": len(ok),
        "sets": _sets(found.runs),
        "kernels": Counter(timing.kernel or "not noted" for timing in timings).most_common(),
        "total": len(timed),
        "table": static_table(sort(timed, "single_ratio"), root, figures=FIGURES),
    }


def _sets(runs: tuple[Run, ...]) -> list[Context]:
    """Return how much of each data set was timed, and what fp32 takes there."""
    grouped: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        if run.record.status == "ok":
            grouped[run.record.identity.dataset].append(run)
    return [
        {
            "name": name,
            "runs": sum(run.timing is not None for run in mine),
            "of": len(mine),
            "fp32": [_fp32(mine, scenario) for scenario in ("single", "batch")],
        }
        for name, mine in sorted(grouped.items())
    ]


def _fp32(runs: list[Run], scenario: str) -> float | None:
    taken = [each.reference_p50_ms for run in runs for each in run.latency if each.scenario == scenario]
    return median(taken) if taken else None


def _facts(about: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return a description for reading, whoever wrote it."""
    keys = [*WORDS, *(key for key in about if key not in WORDS and key != "label")]
    return [(WORDS.get(key, key.replace("_", " ")), _text(key, about[key])) for key in keys if key in about]


def _text(key: str, value: Any) -> str:
    if key == "ram_gib":
        return f"{value} GiB"
    if value in (None, [], {}):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_size(each) if key == 'caches' else each}" for name, each in value.items())
    return str(value)


def _size(count: object) -> str:
    if not isinstance(count, int):
        return str(count)
    return f"{count // 2**20} MiB" if count >= 2**20 else f"{count // 2**10} KiB"

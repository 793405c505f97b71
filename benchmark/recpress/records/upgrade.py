"""Older records read as if they had been written today.

A record's shape may gain optional fields within a version; anything else is a new version, and a new version comes
with a function here that turns a record of the one before it into one of its own. A record on disk is never rewritten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from recpress.core.errors import UserError
from recpress.records.schema import MOST_QUERIES

Json = dict[str, Any]
# Of the bytes in a record of version 2: what belongs to the machine.
RESIDENT = ("resident", "peak_resident")


def _ticks(raw: Json) -> Json:
    """Version 2 keeps raw times in ticks, by byte planes. What is ill-formed stays: the model says what is wrong."""
    from recpress.records.samples import repack  # NumPy: what reads no record does without it.

    timed = raw.get("latency")
    if not isinstance(timed, list):
        return raw
    return raw | {
        "latency": [
            each | {"samples": repack(text, min(queries, MOST_QUERIES))}
            if isinstance(text, str) and isinstance(queries, int)
            else each
            for each, text, queries in ((each, *_named(each, "samples", "queries")) for each in timed)
        ]
    }


def _named(raw: Any, *names: str) -> list[Any]:
    return [raw.get(name) if isinstance(raw, dict) else None for name in names]


def _without_timing(raw: Json) -> Json:
    """Version 3 leaves to a timing record what belongs to one machine; see `embedded_timing`."""
    kept = {name: part for name, part in raw.items() if name != "latency"}
    size, cost, who, made = (kept.get(name) for name in ("bytes", "cost", "identity", "provenance"))
    if isinstance(size, dict):
        kept["bytes"] = {name: value for name, value in size.items() if name not in RESIDENT}
    if isinstance(cost, dict):
        kept["cost"] = {name: value for name, value in cost.items() if not name.startswith("break_even")}
    if isinstance(who, dict) and isinstance(made, dict):
        kept["identity"] = {name: value for name, value in who.items() if name != "code"}
        kept["provenance"] = made | {"code": who.get("code")}
    energy = kept.get("energy")
    if isinstance(energy, list):
        kept["energy"] = [each for each in energy if not _metered_serving(each)]
    return kept


def _metered_serving(energy: Any) -> bool:
    return isinstance(energy, dict) and energy.get("what") == "per-query" and energy.get("grade") != "analytic"


# What version 4 calls otherwise: the field's words.
RENAMED: Mapping[str, Mapping[str, str]] = {
    "identity": {"cell": "key", "made": "artefact_key", "setting": "variant"},
    "bytes": {"ledger": "breakdown"},
}


def _renamed(raw: Json) -> Json:
    """Version 4 has other names for some fields."""
    parts = {part: raw[part] for part in RENAMED if isinstance(raw.get(part), dict)}
    return raw | {
        part: {RENAMED[part].get(name, name): value for name, value in fields.items()} for part, fields in parts.items()
    }


def embedded_timing(raw: Json) -> Json | None:
    """Return what a record of version 1 or 2 says of one machine, as a timing record holds it; None: nothing.

    What names it (signature and run) is the caller's to add.
    """
    if raw.get("schema_version") not in (1, 2) or not (raw := upgraded(raw, 2)).get("latency"):
        return None
    size = raw.get("bytes") or {}
    return {
        "artefact": size.get("sha256"),
        "latency": raw["latency"],
        "energy": [each for each in raw.get("energy", ()) if _metered_serving(each)],
        **{name: size.get(name) for name in RESIDENT},
        "provenance": raw.get("provenance"),
    }


# Version n: the function that turns a record of version n into one of version n + 1. Version 1 is the first.
UPGRADERS: Mapping[int, Callable[[Json], Json]] = {1: _ticks, 2: _without_timing, 3: _renamed}


def upgraded(raw: Json, current: int, upgraders: Mapping[int, Callable[[Json], Json]] = UPGRADERS) -> Json:
    """Return a record as the present version would have written it.

    Parameters
    ----------
    raw : dict
        A record as parsed from JSON. It is not changed.
    current : int
        The version that is asked for.
    upgraders : mapping
        From each older version to the function that takes a record one version further.

    Raises
    ------
    UserError
        When the record has a version that is newer, or that nothing leads away from.
    """
    version = raw.get("schema_version", current)
    if not isinstance(version, int) or isinstance(version, bool) or version > current:
        raise UserError(
            f"its schema version is {str(version)[:20]}, this RecPress reads up to {current}: install a newer RecPress"
        )
    while version < current:
        if version not in upgraders:
            raise UserError(f"its schema version is {version}, which no upgrader leads away from")
        raw = upgraders[version](raw) | {"schema_version": version + 1}
        version += 1
    return raw

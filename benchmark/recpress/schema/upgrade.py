"""Older records read as if they had been written today.

A record's shape may gain optional fields within a version; anything else is a new version, and a new version comes
with a function here that turns a record of the one before it into one of its own. A record on disk is never rewritten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from recpress.errors import UserError

Json = dict[str, Any]


def _ticks(raw: Json) -> Json:
    """Version 2 keeps raw times in ticks, by byte planes. What is ill-formed stays: the model says what is wrong."""
    from recpress.schema.samples import repack  # NumPy: what reads no record does without it.

    timed = raw.get("latency")
    if not isinstance(timed, list):
        return raw
    texts = [each.get("samples") if isinstance(each, dict) else None for each in timed]
    return raw | {
        "latency": [
            each | {"samples": repack(text)} if isinstance(text, str) else each
            for each, text in zip(timed, texts, strict=True)
        ]
    }


# Version n: the function that turns a record of version n into one of version n + 1. Version 1 is the first.
UPGRADERS: Mapping[int, Callable[[Json], Json]] = {1: _ticks}


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

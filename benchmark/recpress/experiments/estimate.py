"""Estimate of the time and bytes of runs, from the records of similar runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from recpress.core.errors import UserError
from recpress.experiments.suite import RunSpec
from recpress.records import record
from recpress.records.record import Record

# Bytes that a user's list of 100 and one metric take in the per-user results, before compression.
LIST_BYTES, METRIC_BYTES = 400, 8


@dataclass(frozen=True)
class Estimate:
    """Estimated time and bytes.

    Attributes
    ----------
    seconds : float
        One after the other, for those that are like any of before.
    bytes : int
        At most, on disk: records and per-user results of those runs.
    unlike : int
        How many are like none of before, and so not counted.
    """

    seconds: float
    bytes: int
    unlike: int


@dataclass(frozen=True)
class _Taken:
    seconds: float
    bytes: int


def estimate(specs: Sequence[RunSpec], results: Path) -> Estimate:
    """Judge by the nearest precedent: the same run, its method at other variants, then its data set."""
    taken: dict[Hashable, list[_Taken]] = defaultdict(list)
    for path in sorted((results / "records").rglob("*.json")):
        try:
            result = record.read(path)
        except UserError:
            continue  # `recpress run` names it; an estimate does without.
        for key in _keys(result.identity):
            taken[key].append(_Taken(result.provenance.seconds, path.stat().st_size + _per_user(result)))
    precedents = [_nearest(spec, taken) for spec in specs]
    known = [each for each in precedents if each is not None]
    return Estimate(
        sum(median(one.seconds for one in each) for each in known),
        round(sum(median(one.bytes for one in each) for each in known)),
        len(precedents) - len(known),
    )


def _nearest(spec: RunSpec, taken: dict[Hashable, list[_Taken]]) -> list[_Taken] | None:
    return next((taken[key] for key in _keys(spec) if key in taken), None)


def _keys(what: RunSpec | record.Identity) -> Iterator[Hashable]:
    yield (what.dataset, what.backbone, what.method, what.variant)
    yield (what.dataset, what.backbone, what.method)
    yield (what.dataset, what.method, None)
    yield what.dataset


def _per_user(result: Record) -> int:
    quality = result.quality
    return quality.users * (LIST_BYTES + METRIC_BYTES * len(quality.metrics)) if quality else 0

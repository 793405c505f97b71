"""From specs to planned runs, and which of them are still to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from recpress.experiments.identity import PlannedRun, pinned_split, plan
from recpress.experiments.suite import RunSpec
from recpress.records import record, timing
from recpress.records.record import Record
from recpress.records.timing import Timings


def make(specs: Sequence[RunSpec], on_read: Callable[[str], None] = lambda dataset: None) -> list[PlannedRun]:
    """Give every run its identity; reads a data set only if its card doesn't pin the split's hash.

    Parameters
    ----------
    specs : sequence of RunSpec
    on_read : callable
        Is called with the name of each data set that must be read.
    """
    splits = {}
    for dataset in dict.fromkeys(spec.dataset for spec in specs):
        pinned = pinned_split(dataset)
        if pinned is None:
            on_read(dataset)
        splits[dataset] = pinned or _split_of(dataset)
    return [plan(spec, splits[spec.dataset]) for spec in specs]


def without_records(specs: Sequence[RunSpec], results: Path) -> list[RunSpec]:
    """Return the runs that can't be done, whatever their identity: no record lies at their place."""
    return [spec for spec in specs if not (results / place_of(spec)).is_file()]


def _split_of(dataset: str) -> str:
    from recpress.data import load

    return load(dataset).split.sha256


def unfinished(runs: Sequence[PlannedRun], results: Path, retry_failed: bool = False) -> list[PlannedRun]:
    """Return the runs without a record of theirs in a results folder.

    Raises
    ------
    UserError
        When a record at the place of one is unreadable.
    """
    wanted = any(planned.spec.timing.times_serving for planned in runs)
    timings = timed_here(results) if wanted else Timings()
    return [planned for planned in runs if not is_done(planned, results, retry_failed, timings)]


def is_done(planned: PlannedRun, results: Path, retry_failed: bool = False, timings: Timings | None = None) -> bool:
    """Return whether a run has its record: of the same identity, and timed on this machine if timing is asked for.

    Parameters
    ----------
    planned : PlannedRun
    results : Path
    retry_failed : bool
        A record of what went wrong doesn't make it done.
    timings : Timings, optional
        Of this machine, for who asks of many runs; by default they are read if they are needed.
    """
    result = record_of(planned, results)
    if result is None or result.identity.key != planned.id:
        return False
    if result.status == "ok" and planned.spec.timing.times_serving:
        timings = timed_here(results) if timings is None else timings
        if result.signature not in timings:
            return False
    return not (retry_failed and result.status in record.WENT_WRONG)


def timed_here(results: Path) -> Timings:
    """Return this machine's timings in a results folder."""
    from recpress.measure.machine import fingerprint

    return Timings(timing.read_all(results, fingerprint().fingerprint))


def place_of(spec: RunSpec) -> Path:
    """Return where the record of a run lies in a results folder."""
    return record.path_of(spec.dataset, spec.backbone, spec.method, spec.variant, spec.seed)


def record_of(planned: PlannedRun, results: Path) -> Record | None:
    """Return the record at a run's place, of whatever identity; None where there is none."""
    path = results / place_of(planned.spec)
    return record.read(path) if path.is_file() else None

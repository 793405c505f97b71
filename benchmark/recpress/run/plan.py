"""From a suite to planned cells, and which of them are still to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from recpress import record, timing
from recpress.record import Record
from recpress.run.identity import Planned, pinned_split, plan
from recpress.run.suite import Cell
from recpress.timing import Timings


def make(cells: Sequence[Cell], on_read: Callable[[str], None] = lambda dataset: None) -> list[Planned]:
    """Give every cell its identity; reads a data set only if its card doesn't pin the split's hash.

    Parameters
    ----------
    cells : sequence of Cell
    on_read : callable
        Is told the name of each data set that must be read.
    """
    splits = {}
    for dataset in dict.fromkeys(cell.dataset for cell in cells):
        pinned = pinned_split(dataset)
        if pinned is None:
            on_read(dataset)
        splits[dataset] = pinned or _split_of(dataset)
    return [plan(cell, splits[cell.dataset]) for cell in cells]


def without_records(cells: Sequence[Cell], results: Path) -> list[Cell]:
    """Return the cells that can't be done, whatever their identity: nothing lies at their place."""
    return [cell for cell in cells if not (results / cell_place(cell)).is_file()]


def _split_of(dataset: str) -> str:
    from recpress.data import load

    return load(dataset).split.sha256


def unfinished(planned: Sequence[Planned], results: Path, retry_failed: bool = False) -> list[Planned]:
    """Return the cells without a record of theirs in a results folder.

    Raises
    ------
    UserError
        When a record at the place of one is unreadable.
    """
    wanted = any(each.cell.timing_seconds > 0 for each in planned)
    timings = timed_here(results) if wanted else Timings()
    return [each for each in planned if not is_done(each, results, retry_failed, timings)]


def is_done(planned: Planned, results: Path, retry_failed: bool = False, timings: Timings | None = None) -> bool:
    """Return whether a cell has its record: of the same identity, and timed on this machine if timing is asked for.

    Parameters
    ----------
    planned : Planned
    results : Path
    retry_failed : bool
        A record of what went wrong doesn't make it done.
    timings : Timings, optional
        Of this machine, for who asks of many cells; by default they are read if they are needed.
    """
    earlier = record_of(planned, results)
    if earlier is None or earlier.identity.cell != planned.id:
        return False
    if earlier.status == "ok" and planned.cell.timing_seconds > 0:
        timings = timed_here(results) if timings is None else timings
        if earlier.signature not in timings:
            return False
    return not (retry_failed and earlier.status in record.WENT_WRONG)


def timed_here(results: Path) -> Timings:
    """Return this machine's timings in a results folder."""
    from recpress.measure.machine import fingerprint

    return Timings(timing.read_all(results, fingerprint().fingerprint))


def place_of(planned: Planned) -> Path:
    """Return where the record of a cell lies in a results folder."""
    return cell_place(planned.cell)


def cell_place(cell: Cell) -> Path:
    """Return where the record of a cell lies in a results folder."""
    return record.path_of(cell.dataset, cell.backbone, cell.method, cell.setting, cell.seed)


def record_of(planned: Planned, results: Path) -> Record | None:
    """Return the record at a cell's place, of whatever identity; None where there is none."""
    path = results / place_of(planned)
    return record.read(path) if path.is_file() else None

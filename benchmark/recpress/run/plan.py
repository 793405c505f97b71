"""From a suite to planned cells, and which of them are still to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from recpress import record, timing
from recpress.record import Record
from recpress.run.identity import Planned, pinned_split, plan
from recpress.run.suite import Cell
from recpress.timing import Timings


def make(cells: Sequence[Cell], on_read: Callable[[str], None] = lambda dataset: None) -> list[Planned]:
    """Give every cell its identity; a data set is read only where its card pins no split.

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
    return [each for each in planned if not is_done(each, results, retry_failed)]


def is_done(planned: Planned, results: Path, retry_failed: bool = False) -> bool:
    """Return whether a cell has its record: of the same identity, and timed on this machine if timing is asked for."""
    earlier = record_of(planned, results)
    if earlier is None or earlier.identity.cell != planned.id:
        return False
    if earlier.status == "ok" and planned.cell.timing_seconds > 0 and earlier.signature not in timed_here(results):
        return False
    return not (retry_failed and earlier.status in record.WENT_WRONG)


def timed_here(results: Path) -> Timings:
    """Return this machine's timings in a results folder."""
    from recpress.measure.machine import fingerprint

    machine = fingerprint().fingerprint
    # Each is written once, atomically: a folder with as many files as before holds what it held.
    count = sum(1 for _ in (results / timing.FOLDER / machine).rglob("*.json"))
    return _timed_here(results.resolve(), machine, count)


@cache
def _timed_here(results: Path, machine: str, count: int) -> Timings:
    return Timings(timing.read_all(results, machine))


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

"""From a suite to planned cells, and which of them are still to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recpress import record
from recpress.run.identity import Planned, pinned_split, plan
from recpress.run.suite import Cell


def make(cells: Sequence[Cell]) -> list[Planned]:
    """Give every cell its identity; a data set is read only where its card pins no split."""
    splits = {name: pinned_split(name) or _split_of(name) for name in dict.fromkeys(cell.dataset for cell in cells)}
    return [plan(cell, splits[cell.dataset]) for cell in cells]


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
    return [each for each in planned if not _is_done(each, results, retry_failed)]


def _is_done(planned: Planned, results: Path, retry_failed: bool) -> bool:
    cell = planned.cell
    path = results / record.path_of(cell.dataset, cell.backbone, cell.method, cell.setting, cell.seed)
    if not path.is_file():
        return False
    earlier = record.read(path)
    return earlier.identity.cell == planned.id and not (retry_failed and earlier.status in record.WENT_WRONG)

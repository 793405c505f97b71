"""Explicit parameters of cells, checked before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from recpress.errors import UserError
from recpress.run import isolate
from recpress.run.isolate import WorkFailed
from recpress.run.suite import Cell

# Seconds: importing every method's module takes two.
LIMIT = 60.0


def refuse_wrong(cells: Sequence[Cell]) -> None:
    """Refuse parameters that a method doesn't have or that are out of range.

    Methods are imported in a process of its own. One that can't be imported is passed over here: its cell's record
    will say why.

    Raises
    ------
    UserError
        With everything that is wrong with the parameters of the first such cell.
    """
    asked = {cell.label: (cell.method, cell.params) for cell in cells if cell.params}
    if not asked:
        return
    from recpress.run import worker

    with suppress(WorkFailed):
        answers = isolate.call(worker.wrong_params, list(asked.values()), timeout=LIMIT)
        for label, wrong in zip(asked, answers, strict=True):
            if wrong:
                raise UserError(f"{label}: {wrong}.")

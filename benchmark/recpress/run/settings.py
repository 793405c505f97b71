"""Explicit parameters of runs, checked before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from recpress.errors import UserError
from recpress.run import isolate
from recpress.run.isolate import WorkFailed
from recpress.run.suite import RunSpec

# Seconds: importing every method's module takes two.
LIMIT = 60.0


def refuse_wrong(specs: Sequence[RunSpec]) -> None:
    """Refuse parameters that a method doesn't have or that are out of range.

    Methods are imported in a process of its own. One that can't be imported is passed over here: its run's record
    will say why.

    Raises
    ------
    UserError
        With everything that is wrong with the parameters of the first such run.
    """
    explicit = {spec.label: (spec.method, spec.params) for spec in specs if spec.params}
    if not explicit:
        return
    from recpress.run import worker

    with suppress(WorkFailed):
        answers = isolate.call(worker.wrong_params, list(explicit.values()), timeout=LIMIT)
        for label, wrong in zip(explicit, answers, strict=True):
            if wrong:
                raise UserError(f"{label}: {wrong}.")

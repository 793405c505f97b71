"""Explicit parameters of runs, checked before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from recpress.core.errors import UserError
from recpress.experiments.suite import RunSpec
from recpress.isolation import processes
from recpress.isolation.processes import WorkFailed

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
    from recpress.experiments import worker

    with suppress(WorkFailed):
        answers = processes.call(worker.wrong_params, list(explicit.values()), timeout=LIMIT)
        for label, wrong in zip(explicit, answers, strict=True):
            if wrong:
                raise UserError(f"{label}: {wrong}.")

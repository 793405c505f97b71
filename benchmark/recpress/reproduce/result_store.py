"""Specs of runs from the records that they left: to make again, or to score again without running."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from recpress.core.errors import UserError
from recpress.data import load
from recpress.data.dataset import Dataset
from recpress.evaluation import evaluable, store
from recpress.evaluation.store import PerUser
from recpress.experiments import per_user_hits, plan, worker
from recpress.experiments.cache_layout import backbone_path, per_user_path
from recpress.experiments.engine import write_machine
from recpress.experiments.identity import PlannedRun
from recpress.experiments.quality import assess, score, score_lists
from recpress.experiments.suite import RunSpec, spec_of_command
from recpress.records import record
from recpress.records.record import Record
from recpress.reproduce.report import write_report


def specs_of(records: Iterable[Record], *, skip_foreign: bool = False) -> list[RunSpec]:
    """Return the specs of the runs that left these records.

    Parameters
    ----------
    records : iterable of Record
    skip_foreign : bool
        Pass over records of artefacts that were brought from elsewhere, which no run of ours makes.

    Raises
    ------
    UserError
        When the command in a record is that of no run.
    """
    specs = []
    for result in records:
        try:
            specs.append(spec_of_command(result.provenance.command))
        except ValueError as error:
            if skip_foreign:
                continue
            raise UserError(f"A record of {result.identity.method} can't be run again: {error}.") from error
    return specs


class CannotRescore(Exception):
    """A record stays as it is; the message says why."""


def rescore(results: Path, on_result: Callable[[Record, str | None], None]) -> None:
    """Score again, by the present code, what the runs of a results folder have served; nothing is run.

    What was scored again is reported: the record's tier rests on that.

    Parameters
    ----------
    results : Path
    on_result : callable
        Is called with each record, new where it was scored again, and why it was not where it wasn't.
    """
    loaded: dict[str, Dataset] = {}
    write_machine(results)
    for earlier in record.read_all(results):
        if earlier.quality is None:
            continue
        try:
            (planned,) = plan.make(specs_of([earlier]))
            name = planned.spec.dataset
            loaded = loaded if name in loaded else {name: load(name)}
            result, scored = _rescored(earlier, planned, loaded[name])
        except CannotRescore as reason:
            on_result(earlier, str(reason))
            continue
        per_user_hits.keep(results, result, scored, loaded[name].split.test)
        record.write(results, result)
        write_report(results, "rescored", result, result, "recpress results rescore")
        on_result(result, None)


def _rescored(earlier: Record, planned: PlannedRun, dataset: Dataset) -> tuple[Record, PerUser]:
    lists, folder = per_user_path(planned.artefact_key), backbone_path(planned)
    if not (lists.is_file() and folder.is_dir()):
        raise CannotRescore("what it served is not in this cache, or its code has changed: run it again")
    kept = store.load(lists)
    if not np.array_equal(kept.users, evaluable(dataset.split.test)):
        raise CannotRescore("other users are evaluated now: run it again")
    scored = score_lists(kept.users, kept.topk, dataset)
    reference = score(np.load(folder / worker.TOPK, allow_pickle=False), dataset)
    quality = assess(scored, reference, dataset, earlier.identity.division)
    if earlier.quality is None or quality.topk_sha256 != earlier.quality.topk_sha256:
        raise CannotRescore("what is in this cache is not what it served: run it again")
    store.save(lists, scored)
    identity = earlier.identity.model_copy(update={"key": planned.id})
    return earlier.model_copy(update={"quality": quality, "identity": identity}), scored

"""Checks of one method: its files, the contract that its code keeps, and the audits of the artefact that it makes.

Everything that the method does is done in fresh processes: one is held to the contract, one compresses, one answers for
scoring, one is audited. All that is found is told at once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recpress import registry
from recpress.checks.audit import Ask, Outcome, Subject, audit
from recpress.checks.contract import K, contract
from recpress.checks.files import check_files
from recpress.checks.smoke import smoke
from recpress.checks.summary import CheckResult, check_result
from recpress.codecs.artefact import Artefact
from recpress.core.errors import UserError
from recpress.data import load
from recpress.data.dataset import Dataset
from recpress.data.interactions import UserItems
from recpress.experiments import backbone_cache, stages, worker
from recpress.experiments.backbone_cache import Trained
from recpress.experiments.identity import PlannedRun
from recpress.experiments.stages import Progress, RunContext
from recpress.experiments.worker import Report
from recpress.isolation.locks import Cores
from recpress.isolation.processes import WorkFailed, call
from recpress.registry import MethodEntry
from recpress.serve.recommender import Recommender

TIMEOUT = 1800.0


def check(
    name: str,
    plan: Callable[[], PlannedRun],
    *,
    audits: bool,
    smoked: bool,
    progress: Progress,
    results: Path = Path("results"),
) -> list[CheckResult]:
    """Run the checks of a method's files and of the contract and, if asked for, the audits and a short run.

    Parameters
    ----------
    name : str
        Of the method.
    plan : callable
        Returns a run of the method: what it is checked on. It is called if there is code to plan with.
    audits : bool
        Whether to audit the artefact of that run.
    smoked : bool
        Whether to make the run, too, if nothing else was found (see `recpress.checks.smoke`).
    progress : callable
    results : Path
        A folder whose references the short run is held beside.

    Raises
    ------
    UserError
        When there is no such method, or the backbone can't be trained.
    """
    entry = registry.method(name)
    outcomes = check_files(entry)
    if any(each.check == "code-there" and each.state == "failed" for each in outcomes):
        return outcomes
    planned = plan()
    try:
        with Cores().shared():
            outcomes += _held_to(entry, planned, audits, progress)
        if smoked and not _failed(outcomes):
            outcomes += smoke(planned, results, progress)
    except WorkFailed as failure:
        raise UserError(f"{planned.spec.backbone} can't be trained: {failure}.\n{failure.details}") from failure
    return outcomes


def _held_to(entry: MethodEntry, planned: PlannedRun, audits: bool, progress: Progress) -> list[CheckResult]:
    dataset = load(planned.spec.dataset)
    model = backbone_cache.obtain(planned, dataset, lambda share: progress("train", share))
    progress("contract", 0.0)
    outcomes = _contract(entry, dataset, model, planned.spec.seed)
    if not audits:
        return outcomes
    if any(each.check in ("imports", "compresses", "finishes") for each in _failed(outcomes)):
        return [
            *outcomes,
            check_result("served-without-it", entry.folder, "there is no artefact to serve", skipped=True),
        ]
    progress("audit", 0.0)
    return outcomes + _audited(entry, planned, dataset, model)


def _failed(outcomes: list[CheckResult]) -> list[CheckResult]:
    return [each for each in outcomes if each.state == "failed"]


def _contract(entry: MethodEntry, dataset: Dataset, model: Trained, seed: int) -> list[CheckResult]:
    at = [""]

    def note(title: str) -> None:
        at[0] = title

    try:
        return call(contract, entry.name, dataset.graph(), model.folder, seed, timeout=TIMEOUT, notes=note)
    except WorkFailed as failure:
        return [check_result("finishes", entry.folder, f"in the check {at[0]}, {failure}")]


def _audited(entry: MethodEntry, planned: PlannedRun, dataset: Dataset, model: Trained) -> list[CheckResult]:
    spec, seen = planned.spec, dataset.split.fit
    with tempfile.TemporaryDirectory(prefix="recpress-check-") as scratch:
        folder = Path(scratch) / "artefact"
        try:
            compressed = stages.compress(RunContext(planned, dataset, model), folder)
        except WorkFailed as failure:
            return [check_result("finishes", entry.folder, f"compressing, {failure}")]
        if isinstance(compressed, worker.OverBudget):
            raise UserError(f"{spec.method} can't reach {spec.budget}: {compressed.reason}.")
        try:
            scored = call(worker.rank_all, folder, seen, timeout=TIMEOUT)[:, :K]
        except WorkFailed as failure:
            return [check_result("served-without-it", entry.folder, str(failure))]
        build = partial(
            worker.compress, dataset.graph(), model.folder, spec.method, spec.budget, spec.params, spec.seed
        )
        try:
            outcomes = call(audited, folder, seen, scored, build, timeout=TIMEOUT)
        except WorkFailed as failure:
            return [check_result("finishes", entry.folder, f"in the audit, {failure}")]
    passed = [check_result(name, entry.folder, None) for name in ("finishes", "served-without-it")]
    return passed + [
        check_result(each.check, entry.folder, each.message or None, skipped=each.state == "skipped")
        for each in outcomes
    ]


def audited(
    folder: Path,
    seen: UserItems,
    scored: NDArray[np.int32],
    build: Callable[..., object],
    report: Report,
) -> list[Outcome]:
    """Audit an artefact in a process that has not served it before.

    Parameters
    ----------
    folder : Path
    seen : UserItems
        Masked items, of every user.
    scored : int32 array of shape (n_users, K)
        The lists that another process gave for scoring.
    build : callable
        Makes the artefact again in an empty folder, ``build(folder, report=report)``.
    """

    def serve(folder: Path) -> Ask:
        return partial(Recommender(Artefact.load(folder), seen).recommend, k=K)

    def rebuild(folder: Path) -> None:
        build(folder, report=report)

    return audit(Subject(folder, serve, np.arange(seen.n_users, dtype=np.int64), scored, rebuild))

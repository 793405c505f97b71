"""Checks of one method on one cell: that it keeps the contract, and the audits of the artefact that it makes.

Everything that the method does is done in fresh processes: one compresses, one answers for scoring, one is audited.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recpress import registry
from recpress.api import TOLERANCE, BudgetUnreachable, Method, Shape, Task, make_generator, method_class
from recpress.backbones import checkpoint
from recpress.backbones.base import Backbone
from recpress.cards import MethodCard
from recpress.codecs.artefact import Artefact
from recpress.data import load
from recpress.data.dataset import Dataset
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems
from recpress.errors import UserError
from recpress.measure.audit import Ask, Outcome, Subject, audit
from recpress.measure.sizes import file_bytes
from recpress.run import cell as cells
from recpress.run import trained, worker
from recpress.run.cell import Progress
from recpress.run.identity import Planned
from recpress.run.isolate import WorkFailed, call
from recpress.run.locks import Cores
from recpress.run.suite import parse_budget
from recpress.run.trained import Trained
from recpress.run.worker import Report
from recpress.serve.recommender import Recommender

TIMEOUT = 1800.0
K = 20
BUDGETS = tuple(Fraction(1, 2**power) for power in range(1, 6))


def check(planned: Planned, *, audits: bool, progress: Progress) -> list[Outcome]:
    """Run the checks of the contract and, if asked for, the audits.

    Raises
    ------
    UserError
        When the backbone can't be trained, or the cell's artefact can't be made.
    """
    dataset = load(planned.cell.dataset)
    try:
        with Cores().shared():
            model = trained.obtain(planned, dataset, lambda share: progress("train", share))
            progress("contract", 0.0)
            name = planned.cell.method
            outcomes = call(contract, name, dataset.graph(), model.folder, planned.cell.seed, timeout=TIMEOUT)
            if audits:
                progress("audit", 0.0)
                outcomes += _audited(planned, dataset, model)
    except WorkFailed as failure:
        raise UserError(f"{planned.cell.label} can't be checked: {failure}.\n{failure.details}".rstrip()) from failure
    return outcomes


@dataclass(frozen=True)
class Contracted:
    """What the checks of the contract look at."""

    method: Method[Any]
    card: MethodCard
    graph: Graph
    backbone: Backbone
    seed: int

    @property
    def shape(self) -> Shape:
        """Sizes of the tables."""
        return Shape(self.graph.n_users, self.graph.n_items, self.backbone.users.shape[1], self.graph.user_items.nnz)

    def compress(self, budget: float | None = None) -> Artefact:
        """Compress with default parameters, or to a budget."""
        params = self.method.Params()
        if budget is not None:
            params = self.method.params_for(int(budget * self.shape.dense_bytes), self.shape)
        generator = make_generator(self.seed)
        return self.method.compress(Task(self.graph, self.backbone, params, self.seed, generator, lambda share: None))


def _card_complete(subject: Contracted) -> str | None:
    texts = ("title", "summary", "formula", "license")
    missing = [field for field in texts if not getattr(subject.card, field).strip()]
    return f"card.toml: {', '.join(missing)} must not be empty" if missing else None


def _params_documented(subject: Contracted) -> str | None:
    subject.method.Params()
    fields = type(subject.method).Params.model_fields
    silent = [name for name, field in fields.items() if not field.description]
    return f"give {', '.join(silent)} a description: Field(default, ge=…, le=…, description=…)" if silent else None


def _refuses_one_byte(subject: Contracted) -> str | None:
    try:
        params = subject.method.params_for(1, Shape(100_000, 50_000, 64))
    except BudgetUnreachable:
        return None
    return f"params_for must raise BudgetUnreachable for one byte, and chose {params}"


def _meets_budgets(subject: Contracted) -> str | None:
    for budget in BUDGETS:
        try:
            made = subject.compress(float(budget))
        except BudgetUnreachable:
            continue
        with tempfile.TemporaryDirectory(prefix="recpress-check-") as folder:
            made.save(Path(folder))
            size = file_bytes(Path(folder))
        if size > TOLERANCE * budget * subject.shape.dense_bytes:
            over = size / float(budget * subject.shape.dense_bytes) - 1
            return f"at {budget} the artefact has {size:,} bytes, {over:.1%} more than asked for"
    return None


def _leaves_the_backbone(subject: Contracted) -> str | None:
    before = subject.backbone.sha256()
    subject.compress()
    changed = subject.backbone.sha256() != before
    return "compress writes to the tensors of the frozen backbone: clone them" if changed else None


def _reloads_alike(subject: Contracted) -> str | None:
    made = subject.compress()
    seen = subject.graph.user_items
    with tempfile.TemporaryDirectory(prefix="recpress-check-") as folder:
        made.save(Path(folder))
        again = Recommender(Artefact.load(Path(folder)), seen).recommend_all(K)
    differ = float(np.mean(Recommender(made, seen).recommend_all(K) != again))
    return f"saved and loaded again, {differ:.1%} of the places in the lists differ" if differ else None


CONTRACT: Mapping[str, Callable[[Contracted], str | None]] = {
    "card-complete": _card_complete,
    "params-documented": _params_documented,
    "refuses-one-byte": _refuses_one_byte,
    "meets-budgets": _meets_budgets,
    "leaves-the-backbone": _leaves_the_backbone,
    "reloads-alike": _reloads_alike,
}


def contract(name: str, graph: Graph, checkpoint_folder: Path, seed: int, report: Report) -> list[Outcome]:
    """Run every check of `CONTRACT`; what raises has failed, with what it raised as the message."""
    entry = registry.method(name)
    method = method_class(entry.module())()
    subject = Contracted(method, entry.card, graph, checkpoint.read(checkpoint_folder), seed)
    outcomes = []
    for title, checked in CONTRACT.items():
        try:
            message = checked(subject)
        except Exception as error:  # Whatever a method raises is a finding.
            message = f"{type(error).__name__}: {error}"
        outcomes.append(Outcome(title, "failed", message) if message else Outcome(title, "passed"))
    return outcomes


def _audited(planned: Planned, dataset: Dataset, model: Trained) -> list[Outcome]:
    cell, seen = planned.cell, dataset.split.fit
    with tempfile.TemporaryDirectory(prefix="recpress-check-") as scratch:
        folder = Path(scratch) / "artefact"
        compressed = cells.compress(planned, dataset, model, folder, lambda share: None)
        if isinstance(compressed, str):
            raise UserError(f"{cell.method} can't reach {cell.budget}: {compressed}.")
        scored = call(worker.rank_all, folder, seen, timeout=TIMEOUT)[:, :K]
        budget = parse_budget(cell.budget) if cell.budget else None
        build = partial(worker.compress, dataset.graph(), model.folder, cell.method, budget, cell.params, cell.seed)
        return call(audited, folder, seen, scored, build, timeout=TIMEOUT)


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

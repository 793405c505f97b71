"""One cell from start to record."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recpress import registry
from recpress.api import TOLERANCE
from recpress.cards import MethodCard
from recpress.data.dataset import Dataset
from recpress.evaluate import (
    activity_deciles,
    compare,
    coverage,
    means,
    popularity_deciles,
    recall_by_item_group,
)
from recpress.evaluate.store import PerUser
from recpress.measure.provenance import Stopwatch
from recpress.record import Cost, Identity, Paired, Quality, Record, Status
from recpress.run import worker
from recpress.run.identity import Planned
from recpress.run.isolate import WorkFailed, call
from recpress.run.suite import parse_budget
from recpress.run.trained import Trained, score

HEADLINE = "ndcg@20"
COVERED_AT = 20
# Far above what the slowest method takes on the largest registered set; a method that hangs must end.
COMPRESS_TIMEOUT = 6 * 3600.0
SERVE_TIMEOUT = 3600.0

# Told the stage ("compress", "serve") and its finished share.
Progress = Callable[[str, float], None]


@dataclass
class Outcome:
    """What a cell has reached so far; a record is made from it wherever it ends."""

    status: Status = "ok"
    reason: str | None = None
    checkpoint: str | None = None
    params: dict[str, Any] | None = None
    cost: Cost | None = None
    served: worker.Served | None = None
    quality: Quality | None = None
    log: str = ""

    def fail(self, status: Status, reason: str, log: str = "") -> None:
        """Note why the cell ends here."""
        self.status, self.reason, self.log = status, reason, log


def run(
    planned: Planned, dataset: Dataset, trained: Trained | WorkFailed, progress: Progress
) -> tuple[Record, PerUser | None, str]:
    """Compress, serve and score one cell.

    Returns
    -------
    record : Record
        Whatever happened: a failure has a status and a reason.
    scored : PerUser or None
        Per-user metrics and the served lists, where it got that far.
    log : str
        The traceback of a failed process.
    """
    watch, outcome, scored = Stopwatch(), Outcome(params=planned.cell.params), None
    if isinstance(trained, WorkFailed):
        outcome.fail(trained.status, f"the backbone: {trained}", trained.details)
    else:
        outcome.checkpoint = trained.sha256
        with tempfile.TemporaryDirectory(prefix="recpress-") as scratch:
            try:
                _compress_and_serve(planned, dataset, trained, Path(scratch) / "artefact", progress, outcome)
            except WorkFailed as failure:
                outcome.fail(failure.status, str(failure), failure.details)
        if outcome.served is not None:
            scored = score(outcome.served.topk, dataset)
            outcome.quality = assess(scored, trained, dataset)
    return _record(planned, outcome, watch), scored, outcome.log


def _compress_and_serve(
    planned: Planned, dataset: Dataset, trained: Trained, folder: Path, progress: Progress, outcome: Outcome
) -> None:
    cell = planned.cell
    compressed = compress(planned, dataset, trained, folder, lambda share: progress("compress", share))
    if isinstance(compressed, str):
        outcome.fail("over-budget", compressed)
        return
    outcome.params = compressed.params
    outcome.cost = Cost(
        compress_seconds=compressed.seconds,
        peak_bytes=compressed.peak_bytes,
        backbone_seconds=trained.train_seconds,
        trials=planned.recipe.tuning.trials,
    )
    outcome.served = call(
        worker.serve,
        folder,
        trained.folder / worker.REFERENCE,
        dataset.split.fit,
        cell.timing_seconds,
        cell.seed,
        timeout=SERVE_TIMEOUT,
        progress=lambda share: progress("serve", share),
    )
    weight = outcome.served.bytes
    budget = parse_budget(cell.budget) if cell.budget else None
    if budget is not None and weight.file > budget * weight.reference * TOLERANCE:
        over = weight.file / (budget * weight.reference) - 1
        outcome.fail(
            "over-budget", f"the artefact has {weight.file:,} bytes, {over:.1%} more than {cell.budget} allows"
        )


def compress(
    planned: Planned, dataset: Dataset, trained: Trained, folder: Path, progress: Callable[[float], None]
) -> worker.Compressed | str:
    """Write the artefact of a cell to an empty folder; return a sentence where its budget can't be reached.

    Raises
    ------
    WorkFailed
    """
    cell = planned.cell
    return call(
        worker.compress,
        dataset.graph(),
        trained.folder,
        cell.method,
        parse_budget(cell.budget) if cell.budget else None,
        cell.params,
        cell.seed,
        folder,
        timeout=COMPRESS_TIMEOUT,
        progress=progress,
    )


def assess(scored: PerUser, trained: Trained, dataset: Dataset) -> Quality:
    """Return means, retention and the paired comparison with the backbone's own tables."""
    reference = trained.scored
    metrics, before = means(scored.metrics), means(reference.metrics)
    metrics[f"coverage@{COVERED_AT}"] = coverage(scored.topk[:, :COVERED_AT], dataset.split.n_items)
    before[f"coverage@{COVERED_AT}"] = coverage(reference.topk[:, :COVERED_AT], dataset.split.n_items)
    paired = compare(reference.metrics[HEADLINE], scored.metrics[HEADLINE], HEADLINE)
    return Quality(
        metrics=metrics,
        retention={name: value / before[name] for name, value in metrics.items() if before[name] > 0},
        users=len(scored.users),
        users_left_out=dataset.split.n_users - len(scored.users),
        topk_sha256=hashlib.sha256(scored.topk.astype("<i4").tobytes()).hexdigest(),
        paired=Paired(
            metric=HEADLINE,
            low=paired.low,
            high=paired.high,
            p_value=paired.p_value,
            margin=paired.margin,
            detectable=paired.detectable,
        ),
        item_deciles=_item_deciles(scored, reference, dataset),
        user_deciles=_user_deciles(scored, reference, dataset),
    )


def _item_deciles(scored: PerUser, reference: PerUser, dataset: Dataset) -> tuple[float | None, ...]:
    groups = popularity_deciles(dataset.split.fit)
    after, before = (
        np.nan_to_num(recall_by_item_group(each.topk, each.users, dataset.split.test, groups, COVERED_AT)).sum(0)
        for each in (scored, reference)
    )
    return tuple(float(a / b) if b > 0 else None for a, b in zip(after, before, strict=True))


def _user_deciles(scored: PerUser, reference: PerUser, dataset: Dataset) -> tuple[float | None, ...]:
    groups = activity_deciles(scored.users, dataset.split.fit)
    after, before = (np.bincount(groups, each.metrics[HEADLINE], 10) for each in (scored, reference))
    return tuple(float(a / b) if b > 0 else None for a, b in zip(after, before, strict=True))


def _record(planned: Planned, outcome: Outcome, watch: Stopwatch) -> Record:
    cell = planned.cell
    entry = registry.method(cell.method)
    card: MethodCard = entry.card
    served = outcome.served
    return Record(
        status=outcome.status,
        reason=outcome.reason,
        identity=Identity(
            cell=planned.id,
            dataset=cell.dataset,
            split=planned.split,
            protocol="standard",
            backbone=cell.backbone,
            checkpoint=outcome.checkpoint,
            family=entry.family,
            method=cell.method,
            division=card.division,
            serve_form=card.serve_form,
            setting=cell.setting,
            budget=parse_budget(cell.budget) if cell.budget else None,
            params=outcome.params or {},
            code=planned.code,
            seed=cell.seed,
        ),
        quality=outcome.quality,
        bytes=served.bytes if served else None,
        latency=served.latency if served else (),
        energy=served.energy if served else (),
        cost=outcome.cost,
        provenance=watch.provenance(cell.command),
    )

"""Trained backbones in the content-addressed cache: made once, used by every cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recpress.atomic import creating
from recpress.backbones import checkpoint
from recpress.data.dataset import Dataset
from recpress.evaluate.store import PerUser
from recpress.run import worker
from recpress.run.identity import Planned
from recpress.run.isolate import Allowance, call
from recpress.run.kept import backbone_path
from recpress.run.locks import locked
from recpress.run.quality import score

TRAIN_TIMEOUT = 24 * 3600.0


@dataclass(frozen=True)
class Trained:
    """A frozen backbone on disk, with the lists that its own dense fp32 tables serve, scored on test."""

    folder: Path
    sha256: str
    train_seconds: float
    scored: PerUser


def obtain(
    planned: Planned,
    dataset: Dataset,
    progress: Callable[[float], None],
    allowance: Allowance | None = None,
) -> Trained:
    """Return the backbone of a cell, from the cache or trained now; whoever comes second waits for the first.

    Raises
    ------
    WorkFailed
        When training or serving its tables fails.
    Stopped
        When the run is being stopped.
    UserError
        When the cached checkpoint is damaged.
    """
    folder = backbone_path(planned)
    folder.parent.mkdir(parents=True, exist_ok=True)
    check = allowance.check if allowance else lambda: None
    with locked(folder.with_suffix(".lock"), check):
        if not folder.is_dir():
            _train(planned, dataset, folder, progress, allowance)
    backbone = checkpoint.read(folder)
    lists = np.load(folder / worker.TOPK, allow_pickle=False)
    return Trained(folder, backbone.sha256(), backbone.train_seconds, score(lists, dataset))


def _train(
    planned: Planned,
    dataset: Dataset,
    folder: Path,
    progress: Callable[[float], None],
    allowance: Allowance | None,
) -> None:
    cell = planned.cell
    with creating(folder) as unfinished:
        call(
            worker.train,
            dataset.graph(),
            cell.backbone,
            planned.recipe.recipe,
            cell.seed,
            unfinished,
            timeout=TRAIN_TIMEOUT,
            progress=progress,
            writable=(unfinished,),
            allowance=allowance,
        )
        reference = unfinished / worker.REFERENCE
        lists = call(worker.rank_all, reference, dataset.split.fit, timeout=TRAIN_TIMEOUT, allowance=allowance)
        np.save(unfinished / worker.TOPK, lists)

"""Trained backbones in the content-addressed cache: made once, used by every cell."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from recpress.backbones import checkpoint
from recpress.data.dataset import Dataset
from recpress.evaluate import evaluable, per_user
from recpress.evaluate.store import PerUser
from recpress.paths import cache_dir
from recpress.run import worker
from recpress.run.identity import Planned
from recpress.run.isolate import call

TOPK = "topk.npy"
TRAIN_TIMEOUT = 24 * 3600.0


@dataclass(frozen=True)
class Trained:
    """A frozen backbone on disk, with the lists that its own dense fp32 tables serve, scored on test."""

    folder: Path
    sha256: str
    train_seconds: float
    scored: PerUser


def obtain(planned: Planned, dataset: Dataset, progress: Callable[[float], None]) -> Trained:
    """Return the backbone of a cell, from the cache or trained now; whoever comes second waits for the first.

    Raises
    ------
    WorkFailed
        When training or serving its tables fails.
    UserError
        When the cached checkpoint is damaged.
    """
    folder = cache_dir() / "backbones" / planned.backbone_key
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not folder.is_dir():
            _train(planned, dataset, folder, progress)
    backbone = checkpoint.read(folder)
    return Trained(folder, backbone.sha256(), backbone.train_seconds, score(np.load(folder / TOPK), dataset))


def _train(planned: Planned, dataset: Dataset, folder: Path, progress: Callable[[float], None]) -> None:
    unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    cell = planned.cell
    try:
        call(
            worker.train,
            dataset.graph(),
            cell.backbone,
            planned.recipe.recipe,
            cell.seed,
            unfinished,
            timeout=TRAIN_TIMEOUT,
            progress=progress,
        )
        lists = call(worker.rank_all, unfinished / worker.REFERENCE, dataset.split.fit, timeout=TRAIN_TIMEOUT)
        np.save(unfinished / TOPK, lists)
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def score(topk: NDArray[np.int32], dataset: Dataset) -> PerUser:
    """Score the lists of all users against test."""
    users = evaluable(dataset.split.test)
    lists = topk[users]
    return PerUser(users, per_user(lists, users, dataset.split.test), lists)

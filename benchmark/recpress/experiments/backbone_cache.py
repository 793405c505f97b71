"""Trained backbones in the content-addressed cache: made once, used by every run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recpress.backbones import checkpoint
from recpress.core.hashing import sha256_json
from recpress.core.io import creating
from recpress.core.locking import OnWait, locked, on_stderr, saying
from recpress.data.dataset import Dataset
from recpress.data.relations import linked
from recpress.evaluation.store import PerUser
from recpress.experiments import worker
from recpress.experiments.cache_layout import backbone_path
from recpress.experiments.identity import PlannedRun
from recpress.experiments.quality import score
from recpress.experiments.split_protocol import Protocol, Target, target
from recpress.isolation.processes import Allowance, WorkFailed, call
from recpress.records.record import Energy, Status

TRAIN_TIMEOUT = 24 * 3600.0


@dataclass(frozen=True)
class Trained:
    """A frozen backbone on disk, with the lists that its own dense fp32 tables serve, scored on test."""

    folder: Path
    sha256: str
    train_seconds: float
    scored: PerUser
    peak_bytes: int | None = None
    energy: tuple[Energy, ...] = ()


@dataclass(frozen=True)
class TrainingFailed:
    """Why there is no trained backbone, which is the fate of all its runs.

    Attributes
    ----------
    status : {"failed", "timeout", "out-of-memory"}
    reason : str
        In one line.
    details : str
        The traceback, if there is one.
    """

    status: Status
    reason: str
    details: str = ""

    @classmethod
    def of(cls, failure: WorkFailed) -> TrainingFailed:
        """Return what a failed stage means for the runs of a backbone."""
        return cls(failure.status, str(failure), failure.details)


def obtain(
    planned: PlannedRun,
    dataset: Dataset,
    progress: Callable[[float], None],
    allowance: Allowance | None = None,
    *,
    protocol: Protocol = "standard",
    device: str = "cpu",
    notes: Callable[[str], None] | None = None,
    metered: bool = False,
    waiting: OnWait = on_stderr,
) -> Trained:
    """Return the backbone of a run, from the cache or trained now; whoever comes second waits for the first.

    A training that was killed goes on where its last state was written.

    Parameters
    ----------
    protocol : {"standard", "paper"}
        What it is trained on; see `recpress.experiments.split_protocol.target`.
    device : str
        As torch names it. Figures that are compared come from "cpu", the only one that is reproducible by seed.
    notes : callable, optional
        Is called with epoch and loss in a line.
    metered : bool
        Whether to meter its energy if it is trained now.
    waiting : callable
        Is called while another run trains it, every few seconds, with what is waited for and for how many seconds.

    Raises
    ------
    WorkFailed
        When training or serving its tables fails.
    Stopped
        When the run is being stopped.
    UserError
        When the cached checkpoint is damaged, or the set has no paper protocol.
    """
    aim = target(dataset, protocol)
    folder = folder_of(planned, dataset, aim, device)
    folder.parent.mkdir(parents=True, exist_ok=True)
    report = saying(f"another run, which trains {planned.spec.backbone} on {planned.spec.dataset}", waiting)

    def check() -> None:
        if allowance:
            allowance.check()
        report()

    state = folder.with_suffix(".unfinished")
    with locked(folder.with_suffix(".lock"), check):
        if not folder.is_dir():
            with creating(folder) as unfinished:
                call(
                    worker.train,
                    linked(aim.graph, dataset, planned.config.config.relations),
                    planned.spec.backbone,
                    planned.config.config,
                    planned.spec.seed,
                    unfinished,
                    state,
                    device,
                    metered,
                    timeout=TRAIN_TIMEOUT,
                    progress=progress,
                    notes=notes,
                    writable=(unfinished, state),
                    allowance=allowance,
                )
                reference = unfinished / worker.REFERENCE
                lists = call(worker.rank_all, reference, aim.seen, timeout=TRAIN_TIMEOUT, allowance=allowance)
                np.save(unfinished / worker.TOPK, lists)
        shutil.rmtree(state, ignore_errors=True)
    backbone = checkpoint.read(folder)
    lists = np.load(folder / worker.TOPK, allow_pickle=False)
    facts = folder / worker.TRAINING
    stored = json.loads(facts.read_text(encoding="ascii")) if facts.is_file() else {}
    energy = tuple(map(Energy.model_validate, stored.get("energy", ())))
    scored = score(lists, dataset)
    return Trained(folder, backbone.sha256(), backbone.train_seconds, scored, stored.get("peak_bytes"), energy)


def folder_of(planned: PlannedRun, dataset: Dataset, aim: Target, device: str) -> Path:
    """Return where the backbone lies: where the run's own does, unless graph or device are others."""
    standard = backbone_path(planned)
    other = [] if aim.graph.user_items.nnz == dataset.split.fit.nnz else [aim.graph.user_items.sha256()]
    other += [] if device == "cpu" else [device]
    return standard.with_name(sha256_json([standard.name, *other])) if other else standard

"""Train one backbone and judge it: by full ranking, and OGB's link sets by OGB's Evaluator as well."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recpress.backbones import checkpoint
from recpress.core.errors import UserError
from recpress.data import load
from recpress.data.dataset import Dataset
from recpress.evaluation import means, ogb
from recpress.experiments.backbone_cache import TRAIN_TIMEOUT, obtain
from recpress.experiments.identity import PlannedRun
from recpress.experiments.split_protocol import Protocol, target
from recpress.isolation.locks import Cores
from recpress.isolation.processes import WorkFailed, call
from recpress.records.record import Energy
from recpress.tuning.validation import Held, follow


@dataclass(frozen=True)
class TrainingReport:
    """What became of a training.

    Attributes
    ----------
    protocol : str
    trained_on : str
        Which parts of the split.
    seconds : float
        Of the training, whenever it was.
    cached : bool
    figures : dict
        By part ("valid", "test"), then by metric.
    folder : Path or None
        Of the checkpoint, where it is kept.
    energy : tuple of Energy
        Of the training, by each meter that was there when it ran.
    """

    protocol: str
    trained_on: str
    seconds: float
    cached: bool
    figures: dict[str, dict[str, float]]
    folder: Path | None
    energy: tuple[Energy, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        energy = [each.model_dump(mode="json") for each in self.energy]
        return asdict(self) | {"folder": str(self.folder) if self.folder else None, "energy": energy}


def train(
    planned: PlannedRun,
    protocol: Protocol | None,
    device: str,
    valid: bool,
    progress: Callable[[float], None],
    notes: Callable[[str], None],
) -> TrainingReport:
    """Train the backbone of a run, or take it from the cache, and judge it.

    Parameters
    ----------
    protocol : {"standard", "paper"} or None
        None: "paper" for OGB's link sets, whose leaderboards don't train on valid, else "standard".
    valid : bool
        Train on train alone and judge on valid alone; nothing is kept.

    Raises
    ------
    UserError
        When training fails, or the set has no such protocol.
    """
    dataset = load(planned.spec.dataset)
    judged_by_ogb = planned.spec.dataset.startswith("ogbl-")
    protocol = protocol or ("paper" if judged_by_ogb else "standard")
    started = time.perf_counter()
    try:
        with Cores().shared():
            if valid:
                return _follow(planned, dataset, device, progress, notes)
            kept = obtain(planned, dataset, progress, protocol=protocol, device=device, notes=notes, metered=True)
    except WorkFailed as failure:
        raise UserError(f"Training {planned.spec.backbone} on {planned.spec.dataset} failed: {failure}.") from failure
    aim = target(dataset, protocol)
    with_valid = aim.graph.user_items.nnz == dataset.split.fit.nnz
    figures = {"test": means(kept.scored.metrics)}
    if judged_by_ogb:
        parts: tuple[Literal["valid", "test"], ...] = ("test",) if with_valid else ("valid", "test")
        for part, found in judge(planned.spec.dataset, kept.folder, parts).items():
            figures[part] = figures.get(part, {}) | found
    return TrainingReport(
        protocol,
        "train and valid" if with_valid else "train",
        kept.train_seconds,
        kept.train_seconds > time.perf_counter() - started,
        figures,
        kept.folder,
        kept.energy,
    )


def _follow(
    planned: PlannedRun,
    dataset: Dataset,
    device: str,
    progress: Callable[[float], None],
    notes: Callable[[str], None],
) -> TrainingReport:
    spec, started = planned.spec, time.perf_counter()
    scores = call(
        follow,
        spec.backbone,
        Held.out_of(dataset, planned.config.config.relations),
        planned.config.config,
        spec.seed,
        device,
        timeout=TRAIN_TIMEOUT,
        progress=progress,
        notes=notes,
    )
    return TrainingReport("valid", "train", time.perf_counter() - started, False, {"valid": scores}, None)


def judge(dataset: str, folder: Path, parts: tuple[Literal["valid", "test"], ...]) -> dict[str, dict[str, float]]:
    """Return what OGB's Evaluator says of a checkpoint's inner products, by part.

    Parameters
    ----------
    dataset : str
        An ogbl set.
    folder : Path
        Of the checkpoint.
    """
    trained = checkpoint.read(folder)
    users, items = trained.users.numpy(), trained.items.numpy()

    def scores(sources: NDArray[np.int64], targets: NDArray[np.int64]) -> NDArray[np.floating]:
        products: NDArray[np.floating] = np.einsum("nd,nd->n", users[sources], items[targets])
        return products

    pairs = ogb.links(dataset)
    return {part: ogb.evaluate(dataset, pairs, part, scores) for part in parts}

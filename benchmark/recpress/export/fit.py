"""Fit one run into a folder that recommends by itself."""

from __future__ import annotations

from pathlib import Path

from recpress import __version__
from recpress.core.errors import UserError
from recpress.core.hashing import sha256_json
from recpress.core.io import creating
from recpress.core.locking import locked, saying
from recpress.core.paths import cache_dir
from recpress.data import load
from recpress.experiments import backbone_cache, stages
from recpress.experiments.identity import PlannedRun
from recpress.experiments.stages import Progress, RunContext
from recpress.experiments.worker import OverBudget
from recpress.isolation.locks import Cores
from recpress.isolation.processes import WorkFailed
from recpress.serve import fitted


def fit(planned: PlannedRun, folder: Path, progress: Progress) -> Path:
    """Train a run's backbone unless it is in the cache, compress it, and write the folder, whole or not at all.

    What is written is the artefact that `recpress run` measures: same split, same seed, same code.

    Raises
    ------
    UserError
        When the folder isn't empty, the budget can't be reached, or training or compressing fails.
    """
    folder = folder.resolve()  # The processes that write it work elsewhere.
    _refuse_occupied(folder)
    dataset = load(planned.spec.dataset)
    try:
        with Cores().shared(), creating(folder) as unfinished:
            model = backbone_cache.obtain(planned, dataset, lambda share: progress("train", share))
            compressed = stages.compress(RunContext(planned, dataset, model, progress), unfinished / fitted.ARTEFACT)
            if isinstance(compressed, OverBudget):
                raise UserError(f"{planned.spec.method} can't reach {planned.spec.budget}: {compressed.reason}.")
            about = {
                "dataset": planned.spec.dataset,
                "split": planned.split,
                "backbone": planned.spec.backbone,
                "checkpoint": model.sha256,
                "method": planned.spec.method,
                "setting": planned.spec.variant,
                "params": compressed.params,
                "seed": planned.spec.seed,
                "code": planned.code,
                "cell": planned.id,
                "recpress": __version__,
            }
            fitted.write(unfinished, dataset.interactions, dataset.split.fit, about)
            _refuse_occupied(folder)
    except WorkFailed as failure:
        raise UserError(f"{planned.spec.label} can't be fitted: {failure}.") from failure
    return folder


def _refuse_occupied(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not empty: give another folder, or remove it.")


def obtain(planned: PlannedRun, progress: Progress) -> Path:
    """Return the fitted folder of a run from the cache, or fit it now.

    A run's identity is made of the split alone, in which users and items are numbers: so the folder is named by the
    ids too, and by all interactions.

    Raises
    ------
    UserError
        As `fit`.
    """
    dataset = planned.spec.dataset
    folder = cache_dir() / "fitted" / sha256_json([planned.id, dataset, load(dataset).interactions.sha256()])
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_suffix(".lock"), saying("another process, which fits the same")):
        return folder if folder.is_dir() else fit(planned, folder, progress)

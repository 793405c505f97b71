"""Fit one cell into a folder that recommends by itself."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock

from recpress import __version__
from recpress.atomic import creating
from recpress.data import load
from recpress.errors import UserError
from recpress.hashing import sha256_json
from recpress.paths import cache_dir
from recpress.run import cell as cells
from recpress.run import trained
from recpress.run.cell import Progress
from recpress.run.identity import Planned
from recpress.run.isolate import WorkFailed
from recpress.run.locks import Cores
from recpress.serve import fitted


def fit(planned: Planned, folder: Path, progress: Progress) -> Path:
    """Train a cell's backbone unless it is in the cache, compress it, and write the folder, whole or not at all.

    What is written is the artefact that `recpress run` measures: same split, same seed, same code.

    Raises
    ------
    UserError
        When the folder isn't empty, the budget can't be reached, or training or compressing fails.
    """
    folder = folder.resolve()  # The processes that write it work elsewhere.
    _refuse_occupied(folder)
    dataset = load(planned.cell.dataset)
    try:
        with Cores().shared(), creating(folder) as unfinished:
            model = trained.obtain(planned, dataset, lambda share: progress("train", share))
            compressed = cells.compress(
                planned, dataset, model, unfinished / fitted.ARTEFACT, lambda share: progress("compress", share)
            )
            if isinstance(compressed, str):
                raise UserError(f"{planned.cell.method} can't reach {planned.cell.budget}: {compressed}.")
            about = {
                "dataset": planned.cell.dataset,
                "split": planned.split,
                "backbone": planned.cell.backbone,
                "checkpoint": model.sha256,
                "method": planned.cell.method,
                "setting": planned.cell.setting,
                "params": compressed.params,
                "seed": planned.cell.seed,
                "code": planned.code,
                "cell": planned.id,
                "recpress": __version__,
            }
            fitted.write(unfinished, dataset.interactions, dataset.split.fit, about)
            _refuse_occupied(folder)
    except WorkFailed as failure:
        raise UserError(f"{planned.cell.label} can't be fitted: {failure}.") from failure
    return folder


def _refuse_occupied(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not empty: give another folder, or remove it.")


def obtain(planned: Planned, progress: Progress) -> Path:
    """Return the fitted folder of a cell from the cache, or fit it now.

    A cell's identity is made of the split alone, in which users and items are numbers: so the folder is named by the
    ids too, and by all interactions.

    Raises
    ------
    UserError
        As `fit`.
    """
    dataset = planned.cell.dataset
    folder = cache_dir() / "fitted" / sha256_json([planned.id, dataset, load(dataset).interactions.sha256()])
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        return folder if folder.is_dir() else fit(planned, folder, progress)

"""Running a plan on this machine, cell after cell, with nothing lost on the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from recpress import record
from recpress.atomic import write_atomic
from recpress.data import load
from recpress.data.dataset import Dataset
from recpress.evaluate import store
from recpress.measure.machine import fingerprint
from recpress.paths import cache_dir
from recpress.record import Record
from recpress.run import cell as cells
from recpress.run import trained
from recpress.run.identity import Planned
from recpress.run.isolate import WorkFailed


@dataclass(frozen=True)
class Watcher:
    """Who is told how a run goes.

    Attributes
    ----------
    stage : callable
        The cell, the stage ("train", "compress", "serve") and its finished share.
    finished : callable
        The cell and its record.
    """

    stage: Callable[[Planned, str, float], None]
    finished: Callable[[Planned, Record], None]


def run(todo: Sequence[Planned], results: Path, watcher: Watcher) -> None:
    """Run cells and write the record of each as soon as it is there.

    Cells of the same data set and backbone should follow each other: what they share is loaded once.
    """
    write_machine(results)
    dataset: Dataset | None = None
    backbones: dict[str, trained.Trained | WorkFailed] = {}
    for planned in todo:
        if dataset is None or dataset.name != planned.cell.dataset:
            dataset = load(planned.cell.dataset)
        if planned.backbone_key not in backbones:
            backbones = {planned.backbone_key: _backbone(planned, dataset, watcher)}

        def progress(stage: str, share: float, planned: Planned = planned) -> None:
            watcher.stage(planned, stage, share)

        done, scored, log = cells.run(planned, dataset, backbones[planned.backbone_key], progress)
        if scored is not None:
            store.save(store.path_of(planned.id), scored)
        if log:
            write_atomic(log_path(planned), log)
        record.write(results, done)
        watcher.finished(planned, done)


def _backbone(planned: Planned, dataset: Dataset, watcher: Watcher) -> trained.Trained | WorkFailed:
    try:
        return trained.obtain(planned, dataset, lambda share: watcher.stage(planned, "train", share))
    except WorkFailed as failure:
        return failure


def log_path(planned: Planned) -> Path:
    """Return where the traceback of a failed cell is kept."""
    return cache_dir() / "logs" / f"{planned.id}.txt"


def write_machine(results: Path) -> None:
    """Describe this machine in a results folder."""
    machine = fingerprint()
    path = results / "machines" / f"{machine.fingerprint}.json"
    if not path.is_file():
        write_atomic(path, json.dumps(asdict(machine), indent=1, sort_keys=True) + "\n")

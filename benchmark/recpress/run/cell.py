"""One cell from start to record."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from recpress import registry
from recpress.api import TOLERANCE
from recpress.cards import MethodCard
from recpress.data.dataset import Dataset
from recpress.evaluate.store import PerUser
from recpress.measure.energy import break_even_queries
from recpress.measure.provenance import Stopwatch
from recpress.measure.serving import LONG_SECONDS
from recpress.record import Cost, Energy, Grade, Identity, Latency, Quality, Record, Status
from recpress.run import worker
from recpress.run.identity import Planned
from recpress.run.isolate import Allowance, Stopped, WorkFailed, call, in_a_line
from recpress.run.locks import Cores
from recpress.run.quality import assess, score
from recpress.run.suite import parse_budget
from recpress.run.trained import Trained

# Far above what the slowest method takes on the largest registered set; a method that hangs must end.
COMPRESS_TIMEOUT = 6 * 3600.0
SERVE_TIMEOUT = 3600.0
# From the best evidence to the weakest.
GRADES: tuple[Grade, ...] = get_args(Grade)

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
    latency: tuple[Latency, ...] = ()
    energy: tuple[Energy, ...] = ()
    served: worker.Served | None = None
    topk: NDArray[np.int32] | None = None
    quality: Quality | None = None
    log: str = ""

    def fail(self, status: Status, reason: str, log: str = "") -> None:
        """Note why the cell ends here."""
        self.status, self.reason, self.log = status, in_a_line(reason), log


def run(
    planned: Planned,
    dataset: Dataset,
    trained: Trained | WorkFailed,
    progress: Progress,
    allowance: Allowance,
    cores: Cores,
) -> tuple[Record, PerUser | None, str]:
    """Compress, serve and score one cell.

    Returns
    -------
    record : Record
        Whatever happened: a failure has a status and a reason.
    scored : PerUser or None
        Per-user metrics and the served lists, where it got that far.
    log : str
        The traceback of what failed.

    Raises
    ------
    Stopped
        When the run is being stopped.
    """
    watch, outcome, scored = Stopwatch(), Outcome(params=planned.cell.params), None
    if isinstance(trained, WorkFailed):
        outcome.fail(trained.status, f"the backbone: {trained}", trained.details)
        return _record(planned, outcome, watch), None, outcome.log
    outcome.checkpoint = trained.sha256
    try:
        with TemporaryDirectory(prefix="cell-", dir=allowance.scratch, ignore_cleanup_errors=True) as folder:
            _compress_and_serve(planned, dataset, trained, Path(folder), progress, allowance, cores, outcome)
        if outcome.topk is not None:
            with cores.shared():
                scored = score(outcome.topk, dataset)
                outcome.quality = assess(scored, trained.scored, dataset)
    except WorkFailed as failure:
        outcome.fail(failure.status, str(failure), failure.details)
    except Stopped:
        raise
    except Exception as error:  # Whatever a method brings about, the other cells go on.
        outcome.fail("failed", f"the runner itself: {type(error).__name__}: {error}", traceback.format_exc())
    return _record(planned, outcome, watch), scored, outcome.log


def lost(planned: Planned, reason: str) -> Record:
    """Return the record of a cell whose own runner has gone, as on a cluster."""
    outcome = Outcome(params=planned.cell.params)
    outcome.fail("failed", reason)
    return _record(planned, outcome, Stopwatch())


def _compress_and_serve(
    planned: Planned,
    dataset: Dataset,
    trained: Trained,
    scratch: Path,
    progress: Progress,
    allowance: Allowance,
    cores: Cores,
    outcome: Outcome,
) -> None:
    cell = planned.cell
    artefact, lists = scratch / "artefact", scratch / "lists"
    # From LONG_SECONDS on, compressing is metered and timed too.
    metered = cell.timing_seconds >= LONG_SECONDS
    with cores.alone() if metered else cores.shared() as slot:
        compressed = compress(
            planned,
            dataset,
            trained,
            artefact,
            lambda share: progress("compress", share),
            replace(allowance, cores=slot),
        )
    if isinstance(compressed, str):
        outcome.fail("over-budget", compressed)
        return
    outcome.params = compressed.params
    outcome.energy = compressed.energy + trained.energy
    outcome.latency = (compressed.refresh,) if compressed.refresh else ()
    outcome.cost = Cost(
        compress_seconds=compressed.seconds,
        peak_bytes=compressed.peak_bytes,
        backbone_seconds=trained.train_seconds,
        backbone_peak_bytes=trained.peak_bytes,
        trials=planned.recipe.tuning.trials,
    )
    outcome.served, outcome.topk = serve(planned, dataset, trained, artefact, lists, progress, allowance, cores)
    outcome.latency = outcome.served.latency + outcome.latency
    outcome.energy = outcome.served.energy + outcome.energy
    outcome.cost = break_even(outcome.cost, compressed.energy, outcome.served.energy, outcome.served.reference_energy)
    weight = outcome.served.bytes
    budget = parse_budget(cell.budget) if cell.budget else None
    if budget is not None and weight.file > budget * weight.reference * TOLERANCE:
        over = weight.file / (budget * weight.reference) - 1
        outcome.fail(
            "over-budget", f"the artefact has {weight.file:,} bytes, {over:.1%} more than {cell.budget} allows"
        )


def serve(
    planned: Planned,
    dataset: Dataset,
    trained: Trained,
    artefact: Path,
    lists: Path,
    progress: Progress,
    allowance: Allowance,
    cores: Cores,
) -> tuple[worker.Served, NDArray[np.int32]]:
    """Let a fresh process answer from an artefact for every user, and time it beside the backbone's fp32 tables.

    Parameters
    ----------
    lists : Path
        Folder that the process writes its answers to.

    Returns
    -------
    served : worker.Served
    lists : int32 array of shape (n_users, worker.DEPTH)

    Raises
    ------
    WorkFailed
    Stopped
    """
    cell = planned.cell
    timed = cell.timing_seconds > 0
    with cores.alone() if timed else cores.shared() as slot:
        served = call(
            worker.serve,
            artefact,
            trained.folder / worker.REFERENCE,
            dataset.split.fit,
            cell.timing_seconds,
            cell.seed,
            lists,
            timeout=SERVE_TIMEOUT,
            progress=lambda share: progress("serve", share),
            writable=(lists,),
            allowance=replace(allowance, cores=slot),
        )
    return served, _read_lists(lists / worker.TOPK, dataset)


def break_even(
    cost: Cost, compressing: Sequence[Energy], candidate: Sequence[Energy], reference: Sequence[Energy]
) -> Cost:
    """Add after how many queries the energy saved has repaid compressing, by the best grade that all three have."""
    ours, theirs = ({each.grade: each for each in side} for side in (candidate, reference))
    for spent in sorted(compressing, key=lambda each: GRADES.index(each.grade)):
        if spent.grade in ours and spent.grade in theirs:
            queries = break_even_queries(spent, ours[spent.grade], theirs[spent.grade])
            return cost.model_copy(update={"break_even_queries": queries, "break_even_grade": spent.grade})
    return cost


def _read_lists(path: Path, dataset: Dataset) -> NDArray[np.int32]:
    """Read served lists, which a process wrote that may have been led astray."""
    try:
        lists: NDArray[np.int32] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise WorkFailed("failed", f"the served lists can't be read: {error}") from None
    split = dataset.split
    if lists.dtype != np.int32 or lists.shape != (split.n_users, worker.DEPTH):
        raise WorkFailed("failed", f"the served lists are {lists.dtype} of shape {lists.shape}")
    if lists.size and not (lists.min() >= -1 and lists.max() < split.n_items):
        raise WorkFailed("failed", "the served lists name items that there are not")
    return lists


def compress(
    planned: Planned,
    dataset: Dataset,
    trained: Trained,
    folder: Path,
    progress: Callable[[float], None],
    allowance: Allowance | None = None,
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
        cell.timing_seconds,
        timeout=COMPRESS_TIMEOUT,
        progress=progress,
        writable=(folder,),
        allowance=allowance,
    )


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
            made=planned.made,
            seed=cell.seed,
        ),
        quality=outcome.quality,
        bytes=served.bytes if served else None,
        latency=outcome.latency,
        energy=outcome.energy,
        cost=outcome.cost,
        provenance=watch.provenance(cell.command),
    )

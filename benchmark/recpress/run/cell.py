"""One cell from start to record."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recpress import registry
from recpress.api import TOLERANCE
from recpress.atomic import creating
from recpress.cards import MethodCard
from recpress.data.dataset import Dataset
from recpress.evaluation.store import PerUser
from recpress.measure.modelled import modelled_serving
from recpress.measure.provenance import Stopwatch
from recpress.measure.serving import LONG_SECONDS
from recpress.record import Cost, Energy, Identity, Latency, Quality, Record, Status
from recpress.run import leftovers, worker
from recpress.run.identity import Planned
from recpress.run.isolate import Allowance, Stopped, WorkFailed, call, in_a_line
from recpress.run.kept import artefact_path
from recpress.run.locks import Cores, Slot
from recpress.run.quality import assess, score
from recpress.run.sandbox import isolation
from recpress.run.suite import parse_budget
from recpress.run.trained import Trained
from recpress.timing import Timing, run_id

# Far above what the slowest method takes on the largest registered set; a method that hangs must end.
COMPRESS_TIMEOUT = 6 * 3600.0
SERVE_TIMEOUT = 3600.0

# Told the stage ("compress", "serve") and its finished share.
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Ended:
    """All that a cell leaves.

    Attributes
    ----------
    record : Record
        Whatever happened: a failure has a status and a reason.
    timing : Timing or None
        Where it was timed.
    scored : PerUser or None
        Per-user metrics and the served lists, where it got that far.
    log : str
        The traceback of what failed.
    """

    record: Record
    timing: Timing | None = None
    scored: PerUser | None = None
    log: str = ""


@dataclass
class Outcome:
    """What a cell has reached so far; a record is made from it wherever it ends."""

    status: Status = "ok"
    reason: str | None = None
    checkpoint: str | None = None
    params: dict[str, Any] | None = None
    cost: Cost | None = None
    energy: tuple[Energy, ...] = ()
    served: worker.Served | None = None
    timed: worker.Timed | None = None
    refresh: Latency | None = None
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
) -> Ended:
    """Compress, serve and score one cell, and time it where its timing has seconds.

    Raises
    ------
    Stopped
        When the run is being stopped.
    """
    watch, outcome, scored = Stopwatch(), Outcome(params=planned.cell.params), None
    if isinstance(trained, WorkFailed):
        outcome.fail(trained.status, f"the backbone: {trained}", trained.details)
        return Ended(_record(planned, outcome, watch), log=outcome.log)
    outcome.checkpoint = trained.sha256
    try:
        with TemporaryDirectory(prefix="cell-", dir=allowance.scratch, ignore_cleanup_errors=True) as folder:
            _compress_and_serve(planned, dataset, trained, Path(folder), progress, allowance, cores, outcome)
        if outcome.topk is not None:
            with cores.shared():
                scored = score(outcome.topk, dataset)
                outcome.quality = assess(scored, trained.scored, dataset, planned.cell.division)
    except WorkFailed as failure:
        outcome.fail(failure.status, str(failure), failure.details)
    except Stopped:
        raise
    except Exception as error:  # Whatever a method brings about, the other cells go on.
        outcome.fail("failed", f"the runner itself: {type(error).__name__}: {error}", traceback.format_exc())
    made = _record(planned, outcome, watch)
    timing = timing_of(made, outcome.timed, outcome.refresh, watch) if outcome.timed and made.status == "ok" else None
    return Ended(made, timing, scored, outcome.log)


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
    turn = cores.alone() if cell.timing_seconds >= LONG_SECONDS else cores.shared()
    compressed = _compressed_in(turn, planned, dataset, trained, artefact, progress, allowance)
    if isinstance(compressed, str):
        outcome.fail("over-budget", compressed)
        return
    outcome.params = _as_asked(compressed.params, cell.params)
    outcome.energy = compressed.energy + trained.energy
    outcome.refresh = compressed.refresh
    outcome.cost = Cost(
        compress_seconds=compressed.seconds,
        peak_bytes=compressed.peak_bytes,
        backbone_seconds=trained.train_seconds,
        backbone_peak_bytes=trained.peak_bytes,
        trials=planned.config.tuning.trials,
    )
    outcome.served, outcome.topk = serve(dataset, trained, artefact, lists, progress, allowance, cores)
    outcome.energy = (outcome.served.energy, *outcome.energy)
    keep_artefact(artefact, outcome.served.serving.signature)
    weight = outcome.served.bytes
    budget = parse_budget(cell.budget) if cell.budget else None
    if budget is not None and weight.file > budget * weight.reference * TOLERANCE:
        over = weight.file / (budget * weight.reference) - 1
        outcome.fail(
            "over-budget", f"the artefact has {weight.file:,} bytes, {over:.1%} more than {cell.budget} allows"
        )
    elif cell.timing_seconds > 0:
        outcome.timed = time_serving(planned, dataset, trained, artefact, progress, allowance, cores)


def _as_asked(told: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that a method's process says it used, which must be those that were asked for."""
    if other := [name for name, value in asked.items() if told.get(name) != value]:
        raise WorkFailed(
            "failed", f"its process answered nonsense: other parameters than asked for ({', '.join(other)})"
        )
    return told


def _compressed_in(
    turn: AbstractContextManager[Slot],
    planned: Planned,
    dataset: Dataset,
    trained: Trained,
    folder: Path,
    progress: Progress,
    allowance: Allowance,
) -> worker.Compressed | str:
    """Compress as `compress` does, while it is a run's turn on some cores."""
    with turn as slot:
        cores = replace(allowance, cores=slot)
        return compress(planned, dataset, trained, folder, lambda share: progress("compress", share), cores)


def keep_artefact(artefact: Path, signature: str) -> None:
    """Keep an artefact in the cache for whoever times its signature, unless there is one."""
    kept = artefact_path(signature)
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError), creating(kept) as unfinished:
            shutil.copytree(artefact, unfinished, dirs_exist_ok=True)


def serve(
    dataset: Dataset,
    trained: Trained,
    artefact: Path,
    lists: Path,
    progress: Progress,
    allowance: Allowance,
    cores: Cores,
) -> tuple[worker.Served, NDArray[np.int32]]:
    """Let a fresh process answer from an artefact for every user.

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
    with cores.shared() as slot:
        served = call(
            worker.serve,
            artefact,
            trained.folder / worker.REFERENCE,
            dataset.split.fit,
            lists,
            timeout=SERVE_TIMEOUT,
            progress=lambda share: progress("serve", share),
            writable=(lists,),
            allowance=replace(allowance, cores=slot),
        )
    return served, _read_lists(lists / worker.TOPK, dataset)


def time_serving(
    planned: Planned,
    dataset: Dataset,
    trained: Trained,
    artefact: Path,
    progress: Progress,
    allowance: Allowance,
    cores: Cores,
) -> worker.Timed:
    """Let a fresh process time an artefact beside the backbone's fp32 tables, with the machine to itself.

    Raises
    ------
    WorkFailed
    Stopped
    """
    with cores.alone() as slot:
        return call(
            worker.time_serving,
            artefact,
            trained.folder / worker.REFERENCE,
            dataset.split.fit,
            planned.cell.timing_seconds,
            planned.cell.seed,
            timeout=SERVE_TIMEOUT,
            progress=lambda share: progress("time", share),
            allowance=replace(allowance, cores=slot),
        )


def retime(
    planned: Planned,
    made: Record,
    dataset: Dataset,
    trained: Trained,
    progress: Progress,
    allowance: Allowance,
    cores: Cores,
) -> Timing:
    """Time the serving signature of a run that has its record, on the kept artefact or on one that is made again.

    Raises
    ------
    WorkFailed
    Stopped
    """
    watch = Stopwatch()
    with TemporaryDirectory(prefix="cell-", dir=allowance.scratch, ignore_cleanup_errors=True) as scratch:
        artefact = artefact_path(made.signature)
        if not artefact.is_dir():
            artefact = Path(scratch) / "artefact"
            compressed = _compressed_in(cores.shared(), planned, dataset, trained, artefact, progress, allowance)
            if isinstance(compressed, str):
                raise WorkFailed("failed", f"its budget can't be reached any more: {compressed}")
            keep_artefact(artefact, made.signature)
        timed = time_serving(planned, dataset, trained, artefact, progress, allowance, cores)
    return timing_of(made, timed, None, watch)


def timing_of(made: Record, timed: worker.Timed, refresh: Latency | None, watch: Stopwatch) -> Timing:
    """Return the timing record of what was measured of a run's artefact."""
    single = {each.scenario: each for each in timed.latency}["single"]
    return Timing(
        signature=made.signature,
        run=run_id(made.identity),
        artefact=timed.artefact,
        kernel=timed.kernel,
        latency=(*timed.latency, *((refresh,) if refresh else ())),
        energy=(*timed.energy, *modelled_serving(single.p50_ms)),
        reference_energy=(*timed.reference_energy, *modelled_serving(single.reference_p50_ms)),
        resident=timed.resident,
        peak_resident=timed.peak_resident,
        provenance=watch.provenance(made.provenance.command),
    )


def _read_lists(path: Path, dataset: Dataset) -> NDArray[np.int32]:
    """Read served lists, which a process wrote that may have been led astray."""
    try:
        lists: NDArray[np.int32] = leftovers.array(path)
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
            made=planned.made,
            seed=cell.seed,
        ),
        quality=outcome.quality,
        bytes=served.bytes if served else None,
        serving=served.serving if served else None,
        energy=outcome.energy,
        cost=outcome.cost,
        provenance=watch.provenance(cell.command, planned.code, isolated=isolation() is None),
    )

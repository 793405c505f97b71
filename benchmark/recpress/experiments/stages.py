"""The stages of a run, each in a fresh process: compress, serve, time."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from recpress.core.io import creating
from recpress.data.dataset import Dataset
from recpress.experiments import worker
from recpress.experiments.backbone_cache import Trained
from recpress.experiments.cache_layout import artefact_path
from recpress.experiments.identity import PlannedRun
from recpress.isolation import leftovers
from recpress.isolation.locks import Cores, Slot
from recpress.isolation.processes import Allowance, WorkFailed, call
from recpress.measure.metering.modelled import modelled_serving
from recpress.measure.provenance import Stopwatch
from recpress.records.record import Latency, Record
from recpress.records.timing import Timing, run_id

# Far above what the slowest method takes on the largest registered set; a method that hangs must end.
COMPRESS_TIMEOUT = 6 * 3600.0
SERVE_TIMEOUT = 3600.0

# Is called with the stage ("compress", "serve", "time") and its finished share.
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class RunContext:
    """What every stage of a run works with.

    Attributes
    ----------
    planned : PlannedRun
    dataset : Dataset
    trained : Trained
        The frozen backbone.
    progress : callable
        Is called with the stage and its finished share.
    allowance : Allowance
        What each stage's process is given.
    cores : Cores
        Where stages wait for their turn.
    """

    planned: PlannedRun
    dataset: Dataset
    trained: Trained
    progress: Progress = lambda stage, share: None
    allowance: Allowance = field(default_factory=Allowance)
    cores: Cores = field(default_factory=Cores)

    def on(self, slot: Slot) -> RunContext:
        """Return the context of a stage that may use these cores."""
        return replace(self, allowance=replace(self.allowance, cores=slot))

    def share_of(self, stage: str) -> Callable[[float], None]:
        """Return what takes the finished share of one stage."""
        return lambda share: self.progress(stage, share)


def compress(context: RunContext, folder: Path) -> worker.Compressed | worker.OverBudget:
    """Write the artefact of a run to an empty folder.

    Raises
    ------
    WorkFailed
    Stopped
    """
    spec = context.planned.spec
    return call(
        worker.compress,
        context.dataset.graph(),
        context.trained.folder,
        spec.method,
        spec.budget,
        spec.params,
        spec.seed,
        folder,
        spec.timing,
        timeout=COMPRESS_TIMEOUT,
        progress=context.share_of("compress"),
        writable=(folder,),
        allowance=context.allowance,
    )


def serve(context: RunContext, artefact: Path, lists: Path) -> tuple[worker.Served, NDArray[np.int32]]:
    """Let a fresh process answer from an artefact for every user.

    Parameters
    ----------
    context : RunContext
    artefact : Path
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
    with context.cores.shared() as slot:
        served = call(
            worker.serve,
            artefact,
            context.trained.folder / worker.REFERENCE,
            context.dataset.split.fit,
            lists,
            timeout=SERVE_TIMEOUT,
            progress=context.share_of("serve"),
            writable=(lists,),
            allowance=context.on(slot).allowance,
        )
    return served, _read_lists(lists / worker.TOPK, context.dataset)


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


def keep_artefact(artefact: Path, signature: str) -> None:
    """Keep an artefact in the cache for whoever times its signature, unless there is one."""
    kept = artefact_path(signature)
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError), creating(kept) as unfinished:
            shutil.copytree(artefact, unfinished, dirs_exist_ok=True)


def time_serving(context: RunContext, artefact: Path) -> worker.Timed:
    """Let a fresh process time an artefact beside the backbone's fp32 tables, with the machine to itself.

    Raises
    ------
    WorkFailed
    Stopped
    """
    spec = context.planned.spec
    with context.cores.alone() as slot:
        return call(
            worker.time_serving,
            artefact,
            context.trained.folder / worker.REFERENCE,
            context.dataset.split.fit,
            spec.timing.seconds,
            spec.seed,
            timeout=SERVE_TIMEOUT,
            progress=context.share_of("time"),
            allowance=context.on(slot).allowance,
        )


def retime(context: RunContext, result: Record) -> Timing:
    """Time the serving signature of a run that has its record, on the kept artefact or on one that is made again.

    Raises
    ------
    WorkFailed
    Stopped
    """
    watch = Stopwatch()
    with TemporaryDirectory(prefix="artefact-", dir=context.allowance.scratch, ignore_cleanup_errors=True) as scratch:
        artefact = artefact_path(result.signature)
        if not artefact.is_dir():
            artefact = Path(scratch) / "artefact"
            with context.cores.shared() as slot:
                compressed = compress(context.on(slot), artefact)
            if isinstance(compressed, worker.OverBudget):
                raise WorkFailed("failed", f"its budget can't be reached any more: {compressed.reason}")
            keep_artefact(artefact, result.signature)
        timed = time_serving(context, artefact)
    return timing_of(result, timed, None, watch)


def timing_of(result: Record, timed: worker.Timed, refresh: Latency | None, watch: Stopwatch) -> Timing:
    """Return the timing record of what was measured of a run's artefact."""
    single = {latency.scenario: latency for latency in timed.latency}["single"]
    return Timing(
        signature=result.signature,
        run=run_id(result.identity),
        artefact=timed.artefact,
        kernel=timed.kernel,
        latency=(*timed.latency, *((refresh,) if refresh else ())),
        energy=(*timed.energy, *modelled_serving(single.p50_ms)),
        reference_energy=(*timed.reference_energy, *modelled_serving(single.reference_p50_ms)),
        resident=timed.resident,
        peak_resident=timed.peak_resident,
        provenance=watch.provenance(result.provenance.command),
    )

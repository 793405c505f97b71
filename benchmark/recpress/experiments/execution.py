"""One run, from its plan to its record."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recpress import registry
from recpress.core.cards import MethodCard
from recpress.evaluation.store import PerUser
from recpress.experiments import stages, worker
from recpress.experiments.backbone_cache import TrainingFailed
from recpress.experiments.identity import PlannedRun
from recpress.experiments.quality import assess, score
from recpress.experiments.stages import RunContext
from recpress.isolation.messages import in_a_line
from recpress.isolation.processes import Stopped, WorkFailed
from recpress.isolation.sandbox import isolation
from recpress.measure.provenance import Stopwatch
from recpress.records.record import Cost, Energy, Identity, Latency, Quality, Record, Status
from recpress.records.timing import Timing


@dataclass(frozen=True)
class RunOutput:
    """All that a run leaves.

    Attributes
    ----------
    result : Record
        Whatever happened: a failure has a status and a reason.
    timing : Timing or None
        Where it was timed.
    scored : PerUser or None
        Per-user metrics and the served lists, where it got that far.
    log : str
        The traceback of what failed.
    """

    result: Record
    timing: Timing | None = None
    scored: PerUser | None = None
    log: str = ""


@dataclass
class _Reached:
    """What a run has reached so far; its record is made from it wherever it ends."""

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
        """Note why the run ends here."""
        self.status, self.reason, self.log = status, in_a_line(reason), log


def run(context: RunContext) -> RunOutput:
    """Compress, serve and score one run, and time it if its spec says so.

    Raises
    ------
    Stopped
        When it is being stopped.
    """
    planned, dataset, trained = context.planned, context.dataset, context.trained
    watch, reached, scored = Stopwatch(), _Reached(params=planned.spec.params, checkpoint=trained.sha256), None
    try:
        with TemporaryDirectory(
            prefix="artefact-", dir=context.allowance.scratch, ignore_cleanup_errors=True
        ) as folder:
            _compress_and_serve(context, Path(folder), reached)
        if reached.topk is not None:
            with context.cores.shared():
                scored = score(reached.topk, dataset)
                reached.quality = assess(scored, trained.scored, dataset, planned.spec.division)
    except WorkFailed as failure:
        reached.fail(failure.status, str(failure), failure.details)
    except Stopped:
        raise
    except Exception as error:  # Whatever a method brings about, the other runs go on.
        reached.fail("failed", f"the runner itself: {type(error).__name__}: {error}", traceback.format_exc())
    result = _record(planned, reached, watch)
    timing = None
    if reached.timed and result.status == "ok":
        timing = stages.timing_of(result, reached.timed, reached.refresh, watch)
    return RunOutput(result, timing, scored, reached.log)


def untrained(planned: PlannedRun, failure: TrainingFailed) -> RunOutput:
    """Return what is left of a run whose backbone could not be trained."""
    return failed(planned, f"the backbone: {failure.reason}", failure.details, failure.status)


def failed(planned: PlannedRun, reason: str, log: str = "", status: Status = "failed") -> RunOutput:
    """Return what is left of a run that could not begin, or whose own runner has gone, as on a cluster."""
    reached = _Reached(params=planned.spec.params)
    reached.fail(status, reason, log)
    return RunOutput(_record(planned, reached, Stopwatch()), log=log)


def _compress_and_serve(context: RunContext, scratch: Path, reached: _Reached) -> None:
    spec, trained = context.planned.spec, context.trained
    artefact, lists = scratch / "artefact", scratch / "lists"
    with context.cores.alone() if spec.timing.times_compressing else context.cores.shared() as slot:
        compressed = stages.compress(context.on(slot), artefact)
    if isinstance(compressed, worker.OverBudget):
        reached.fail("over-budget", compressed.reason)
        return
    reached.params = _as_asked(compressed.params, spec.params)
    reached.energy = compressed.energy + trained.energy
    reached.refresh = compressed.refresh
    reached.cost = Cost(
        compress_seconds=compressed.seconds,
        peak_bytes=compressed.peak_bytes,
        backbone_seconds=trained.train_seconds,
        backbone_peak_bytes=trained.peak_bytes,
        trials=context.planned.config.tuning.trials,
    )
    reached.served, reached.topk = stages.serve(context, artefact, lists)
    reached.energy = (reached.served.energy, *reached.energy)
    stages.keep_artefact(artefact, reached.served.serving.signature)
    size, reference = reached.served.bytes.file, reached.served.bytes.reference
    if spec.budget and (excess := spec.budget.excess(size, reference)):
        reached.fail("over-budget", f"the artefact has {size:,} bytes, {excess:.1%} more than {spec.budget} allows")
    elif spec.timing.times_serving:
        reached.timed = stages.time_serving(context, artefact)


def _as_asked(used: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that a method's process says it used, which must be those that were asked for."""
    if other := [name for name, value in asked.items() if used.get(name) != value]:
        raise WorkFailed(
            "failed", f"its process answered nonsense: other parameters than asked for ({', '.join(other)})"
        )
    return used


def _record(planned: PlannedRun, reached: _Reached, watch: Stopwatch) -> Record:
    spec = planned.spec
    entry = registry.method(spec.method)
    card: MethodCard = entry.card
    served = reached.served
    return Record(
        status=reached.status,
        reason=reached.reason,
        identity=Identity(
            key=planned.id,
            dataset=spec.dataset,
            split=planned.split,
            protocol="standard",
            backbone=spec.backbone,
            checkpoint=reached.checkpoint,
            family=entry.family,
            method=spec.method,
            division=card.division,
            serve_form=card.serve_form,
            variant=spec.variant,
            budget=spec.budget.fraction if spec.budget else None,
            params=reached.params or {},
            artefact_key=planned.artefact_key,
            seed=spec.seed,
        ),
        quality=reached.quality,
        bytes=served.bytes if served else None,
        serving=served.serving if served else None,
        energy=reached.energy,
        cost=reached.cost,
        provenance=watch.provenance(spec.command, planned.code, isolated=isolation() is None),
    )

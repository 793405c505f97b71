"""An artefact that somebody brings: served, measured and scored as if a method of ours had made it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recpress.codecs import untrusted
from recpress.core.errors import UserError
from recpress.core.hashing import sha256_folder, sha256_json
from recpress.data import load
from recpress.experiments import backbone_cache, stages, worker
from recpress.experiments.execution import RunOutput
from recpress.experiments.identity import PlannedRun
from recpress.experiments.quality import assess, score
from recpress.experiments.stages import Progress, RunContext
from recpress.isolation.processes import Allowance, WorkFailed, call
from recpress.isolation.sandbox import isolation
from recpress.measure.provenance import Stopwatch
from recpress.records.record import Identity, Record

FAMILY = "external"
VARIANT = "as-is"
# Bytes that its processes may hold, beyond what they start with: in all, and for each user and item.
MEMORY = 4 << 30
ROW_MEMORY = 1 << 13
# Seconds to load it and decode it once.
EXAMINE_TIMEOUT = 600.0


@dataclass(frozen=True)
class Brought:
    """What its bringer says of an artefact.

    Attributes
    ----------
    folder : Path
        With ``artefact.safetensors`` and ``manifest.json`` (benchmark/docs/reference/artefact-format.md).
    name : str
        Stands for the method on the board.
    division : {"closed", "open"}
    command : str
        That scores it again.
    """

    folder: Path
    name: str
    division: Literal["closed", "open"]
    command: str


def measure(brought: Brought, planned: PlannedRun, progress: Progress) -> RunOutput:
    """Serve an artefact in a fresh process, score its lists, and time it beside the backbone's fp32 tables.

    Parameters
    ----------
    brought : Brought
    planned : PlannedRun
        The run of ``none`` with the backbone that it is compared with.
    progress : callable
        Is called with stage and share.

    Raises
    ------
    UserError
        When the folder is no artefact, or not one of this data set, or can't be served.
    """
    watch = Stopwatch()
    spec, dataset = planned.spec, load(planned.spec.dataset)
    sizes = dataset.split.n_users, dataset.split.n_items
    with tempfile.TemporaryDirectory(prefix="recpress-score-") as scratch:
        folder, lists = Path(scratch) / "artefact", Path(scratch) / "lists"
        held = untrusted.copy(brought.folder, folder, untrusted.most_bytes(sum(sizes)))
        allowance = Allowance(memory=MEMORY + 4 * held + ROW_MEMORY * sum(sizes))
        try:
            examined = call(worker.examine, folder, *sizes, timeout=EXAMINE_TIMEOUT, allowance=allowance)
            if isinstance(examined, worker.Refused):
                raise UserError(
                    f"{brought.folder} is refused: {examined.reason.rstrip('.')}. Rows must be those of "
                    f"`recpress info {spec.dataset}`, all of them."
                )
            model = backbone_cache.obtain(planned, dataset, lambda share: progress("train", share))
            context = RunContext(planned, dataset, model, progress, allowance)
            served, topk = stages.serve(context, folder, lists)
            scored = score(topk, dataset)
            timed = stages.time_serving(context, folder) if spec.timing.times_serving else None
        except WorkFailed as failure:
            raise UserError(f"{brought.folder} can't be served: {failure}.") from failure
        content = sha256_folder(folder)
    artefact_key = sha256_json({"training": planned.backbone_key, "artefact": content})
    result = Record(
        status="ok",
        identity=Identity(
            key=sha256_json([artefact_key, planned.id]),
            dataset=spec.dataset,
            split=planned.split,
            protocol="standard",
            backbone=spec.backbone,
            checkpoint=model.sha256,
            family=FAMILY,
            method=brought.name,
            division=brought.division,
            serve_form=examined.serve_form,
            variant=VARIANT,
            budget=None,
            params={},
            artefact_key=artefact_key,
            seed=spec.seed,
        ),
        quality=assess(scored, model.scored, dataset, brought.division),
        bytes=served.bytes,
        serving=served.serving,
        energy=(served.energy,),
        provenance=watch.provenance(brought.command, isolated=isolation() is None),
    )
    return RunOutput(result, stages.timing_of(result, timed, None, watch) if timed else None, scored)

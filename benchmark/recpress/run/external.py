"""An artefact that somebody brings: served, measured and scored as if a method of ours had made it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recpress.codecs import stranger
from recpress.data import load
from recpress.errors import UserError
from recpress.hashing import sha256_folder, sha256_json
from recpress.measure.provenance import Stopwatch
from recpress.record import Identity, Record
from recpress.run import cell as cells
from recpress.run import trained, worker
from recpress.run.cell import Ended, Progress
from recpress.run.identity import Planned
from recpress.run.isolate import Allowance, WorkFailed, call
from recpress.run.locks import Cores
from recpress.run.quality import assess, score
from recpress.run.sandbox import isolation

FAMILY = "external"
SETTING = "as-is"
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


def measure(brought: Brought, planned: Planned, progress: Progress) -> Ended:
    """Serve an artefact in a fresh process, score its lists, and time it beside the backbone's fp32 tables.

    Parameters
    ----------
    brought : Brought
    planned : Planned
        The cell ``none`` of the backbone that it is compared with.
    progress : callable
        Is told stage and share.

    Raises
    ------
    UserError
        When the folder is no artefact, or not one of this data set, or can't be served.
    """
    watch = Stopwatch()
    cell, dataset = planned.cell, load(planned.cell.dataset)
    sizes = dataset.split.n_users, dataset.split.n_items
    with tempfile.TemporaryDirectory(prefix="recpress-score-") as scratch:
        folder, lists = Path(scratch) / "artefact", Path(scratch) / "lists"
        held = stranger.copy(brought.folder, folder, stranger.most_bytes(sum(sizes)))
        allowance = Allowance(memory=MEMORY + 4 * held + ROW_MEMORY * sum(sizes))
        try:
            examined = call(worker.examine, folder, *sizes, timeout=EXAMINE_TIMEOUT, allowance=allowance)
            if isinstance(examined, str):
                raise UserError(
                    f"{brought.folder} is refused: {examined.rstrip('.')}. Rows must be those of "
                    f"`recpress info {cell.dataset}`, all of them."
                )
            model = trained.obtain(planned, dataset, lambda share: progress("train", share))
            served, topk = cells.serve(dataset, model, folder, lists, progress, allowance, Cores())
            scored = score(topk, dataset)
            timed = None
            if cell.timing_seconds:
                timed = cells.time_serving(planned, dataset, model, folder, progress, allowance, Cores())
        except WorkFailed as failure:
            raise UserError(f"{brought.folder} can't be served: {failure}.") from failure
        content = sha256_folder(folder)
    made = sha256_json({"training": planned.backbone_key, "artefact": content})
    record = Record(
        status="ok",
        identity=Identity(
            cell=sha256_json([made, planned.id]),
            dataset=cell.dataset,
            split=planned.split,
            protocol="standard",
            backbone=cell.backbone,
            checkpoint=model.sha256,
            family=FAMILY,
            method=brought.name,
            division=brought.division,
            serve_form=examined.serve_form,
            setting=SETTING,
            budget=None,
            params={},
            made=made,
            seed=cell.seed,
        ),
        quality=assess(scored, model.scored, dataset, brought.division),
        bytes=served.bytes,
        serving=served.serving,
        energy=(served.energy,),
        provenance=watch.provenance(brought.command, isolated=isolation() is None),
    )
    return Ended(record, cells.timing_of(record, timed, None, watch) if timed else None, scored)

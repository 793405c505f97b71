"""What runs in fresh processes: training, compressing, serving. None of them gets test data."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from recpress import registry
from recpress.api import BudgetUnreachable, Shape, Task, make_generator, method_class
from recpress.backbones import checkpoint
from recpress.backbones.base import Backbone, Session
from recpress.backbones.catalogue import backbone
from recpress.backbones.config import TrainingConfig
from recpress.backbones.training.allocator import keep_freed_memory
from recpress.codecs import Dense, untrusted
from recpress.codecs.artefact import Artefact, folder_breakdown
from recpress.codecs.signature import serving as serving_of
from recpress.codecs.work import Work
from recpress.core.budget import Budget
from recpress.core.cards import Sha256, validation_message
from recpress.core.errors import UserError
from recpress.core.hashing import sha256_folder
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems
from recpress.measure import energy, memory, refresh, serving, sizes
from recpress.measure.metering.meters import Meters, open_meters
from recpress.measure.profile import UNTIMED, TimingProfile
from recpress.records.record import Bytes, Count, Energy, Finite, Latency, Serving
from recpress.serve.recommender import Recommender

# Length of the lists that are scored: the deepest cut-off of the metrics.
DEPTH = 100
TOPK = "topk.npy"
STATE = "state.safetensors"
TRAINING = "training.json"
# A refresh is timed a dozen times; of a method that takes longer, compressing once has told enough.
SLOWEST_REFRESH = 5.0
# Folder of the dense fp32 artefact beside a checkpoint.
REFERENCE = "reference"


class Report(Protocol):
    """How a stage tells the finished share of its work."""

    def send(self, share: float, /) -> None:
        """Tell a share in [0, 1]."""

    def note(self, text: str, /) -> None:
        """Tell a line for whoever watches."""


def train(
    graph: Graph,
    name: str,
    config: TrainingConfig,
    seed: int,
    folder: Path,
    state: Path,
    device: str,
    metered: bool,
    report: Report,
) -> None:
    """Train a backbone and write its checkpoint, and the dense fp32 artefact that everything is compared with.

    Parameters
    ----------
    folder : Path
        Gets checkpoint and artefact.
    state : Path
        Folder that keeps the state of an unfinished training; one that was killed goes on from there.
    metered : bool
        Whether to meter the energy of training, too; of one that goes on, nothing would be known of its beginning.
    """

    def watch(epoch: int, loss: float, tables: object) -> None:
        report.note(f"epoch {epoch} of {config.epochs}, loss {loss:.4f}")
        report.send(epoch / config.epochs)

    keep_freed_memory()
    session = Session(state / STATE, device=device)
    meters = open_meters() if metered and not (state / STATE).exists() else Meters(None, None)
    trained, spent = meters.around(lambda: backbone(name).fit(graph, config, seed, watch, session), "training")
    checkpoint.write(folder, trained)
    Artefact(Dense.encode(trained.users), Dense.encode(trained.items)).save(folder / REFERENCE)
    facts = {"peak_bytes": memory.peak_resident(), "energy": [each.model_dump(mode="json") for each in spent]}
    (folder / TRAINING).write_text(json.dumps(facts), encoding="ascii")


@dataclass(frozen=True)
class Compressed:
    """What is known of an artefact once it is compressed."""

    params: dict[str, Any]
    seconds: Finite
    peak_bytes: Count
    energy: tuple[Energy, ...] = ()
    refresh: Latency | None = None


@dataclass(frozen=True)
class OverBudget:
    """Why a method has no artefact for a budget: one sentence."""

    reason: str


def compress(
    graph: Graph,
    checkpoint_folder: Path,
    method: str,
    budget: Budget | None,
    params: dict[str, Any],
    seed: int,
    folder: Path,
    timing: TimingProfile = UNTIMED,
    *,
    report: Report,
) -> Compressed | OverBudget:
    """Compress a checkpoint into an artefact folder, if the budget can be reached.

    Parameters
    ----------
    timing : TimingProfile
        Whether to meter the energy, too, and to time the refresh of a method that doesn't train.
    """
    entry = registry.method(method)
    chosen = method_class(entry.module())()
    trained = checkpoint.read(checkpoint_folder)
    before = trained.sha256()
    shape = Shape.of(graph, trained)
    try:
        solved = {} if budget is None else chosen.params_for(budget.bytes_of(shape.dense_bytes), shape).model_dump()
    except BudgetUnreachable as error:
        return OverBudget(str(error))
    task = Task(graph, trained, chosen.Params(**solved | params), seed, make_generator(seed), report.send)

    def timed() -> tuple[Artefact, float]:
        start = time.perf_counter()
        return chosen.compress(task), time.perf_counter() - start

    long = timing.times_compressing
    (artefact, seconds), spent = (open_meters() if long else Meters(None, None)).around(timed, "compressing")
    artefact.save(folder)
    if trained.sha256() != before:
        raise RuntimeError(f"{method} wrote to the frozen backbone")
    peak = memory.peak_resident()
    refreshed = None
    if long and artefact.network:
        refreshed = refresh.rebuilding(trained, graph, artefact, seconds=timing.seconds, seed=seed)
    elif long and entry.card.division == "closed" and seconds < SLOWEST_REFRESH:

        def again(fresh: Backbone) -> None:
            chosen.compress(replace(task, backbone=fresh, generator=make_generator(seed), progress=lambda share: None))

        refreshed = refresh.timing(trained, graph, again, seconds=timing.seconds, seed=seed)
    return Compressed(task.params.model_dump(mode="json"), seconds, peak, spent, refreshed)


def wrong_params(explicit: list[tuple[str, dict[str, Any]]], report: Report) -> list[str]:
    """Return what is wrong with explicit parameters of methods, each in one line; "" where nothing is."""
    found = []
    for name, params in explicit:
        takes = method_class(registry.method(name).module()).Params
        try:
            takes(**params)
            found.append("")
        except ValidationError as error:
            fields = ", ".join(takes.model_fields) or "no parameters"
            found.append(f"{validation_message(error)} ({name} takes {fields})")
    return found


def rank_all(folder: Path, seen: UserItems, report: Report) -> NDArray[np.int32]:
    """Load an artefact and answer for every user, int32 of shape (n_users, DEPTH)."""
    return Recommender(Artefact.load(folder), seen).recommend_all(DEPTH)


@dataclass(frozen=True)
class Examined:
    """What is known of an artefact that somebody brought, once it has decoded."""

    serve_form: Literal["table", "graph", "function"]


@dataclass(frozen=True)
class Refused:
    """Why an artefact that somebody brought is not measured: one sentence."""

    reason: str


def examine(folder: Path, n_users: int, n_items: int, *, report: Report) -> Examined | Refused:
    """Load an artefact that somebody brought and decode all of it."""
    try:
        return Examined(untrusted.examine(folder, n_users, n_items).serve_form)  # type: ignore[arg-type]  # It was checked.
    except UserError as error:
        return Refused(str(error))


@dataclass(frozen=True)
class Served:
    """What a serving process tells of an artefact: the same on every machine."""

    bytes: Bytes
    serving: Serving
    energy: Energy


def serve(folder: Path, reference_folder: Path, seen: UserItems, lists: Path, report: Report) -> Served:
    """Load an artefact and answer for every user.

    Parameters
    ----------
    folder, reference_folder : Path
        Artefacts; the second is of the backbone's dense fp32 tables.
    seen : UserItems
        Masked items, of every user.
    lists : Path
        Folder that gets the answers, int32 of shape (n_users, DEPTH), as `TOPK`.
    """
    artefact = Artefact.load(folder)
    columns = Artefact.load(reference_folder).users.shape[1]
    np.save(lists / TOPK, Recommender(artefact, seen).recommend_all(DEPTH), allow_pickle=False)
    work = query_work(artefact)
    size = measured_size(folder, artefact, work, reference_columns=columns)
    return Served(size, serving_of(artefact, sha256_folder(folder), columns), energy.analytic(work))


@dataclass(frozen=True)
class Timed:
    """What a serving process measured of itself: it belongs to this machine."""

    artefact: Sha256
    kernel: str
    latency: tuple[Latency, ...]
    energy: tuple[Energy, ...]
    reference_energy: tuple[Energy, ...]
    resident: Count
    peak_resident: Count


def time_serving(
    folder: Path, reference_folder: Path, seen: UserItems, seconds: float, seed: int, report: Report
) -> Timed:
    """Time an artefact in turn with dense fp32 tables, and measure the memory that it takes.

    Parameters
    ----------
    folder, reference_folder : Path
        Artefacts.
    seen : UserItems
        Masked items, of every user.
    seconds : float
        Least time per latency scenario, above 0.
    seed : int
        Of the order in which users are asked for.
    """
    # What a kernel makes of the tables when it is loaded is resident too.
    recommender, resident = memory.growth(lambda: Recommender(Artefact.load(folder), seen))
    serving.offline(recommender)(np.arange(min(seen.n_users, serving.OFFLINE_USERS), dtype=np.int64))
    peak, kernel = memory.peak_resident(), recommender.scorer.kernel
    del recommender
    artefact, reference = Artefact.load(folder), Artefact.load(reference_folder)
    load = partial(Artefact.load, folder)
    timings = serving.timings(load, artefact, reference, seen, seconds=seconds, seed=seed)
    ours, theirs = serving.measured_energy(artefact, reference, seen, seconds=seconds, seed=seed)
    return Timed(sha256_folder(folder), kernel, timings, ours, theirs, resident, peak)


def query_work(artefact: Artefact) -> Work:
    """Return the counted work of one query: fetch one user's row, score every item."""
    row = artefact.users.breakdown().total() // artefact.users.shape[0]
    return artefact.items.work(1) + Work({}, row)


def measured_size(folder: Path, artefact: Artefact, work: Work, *, reference_columns: int) -> Bytes:
    """Return the bytes of a saved artefact, beside those of dense fp32 tables of `reference_columns` columns."""
    users, items = artefact.users, artefact.items
    entities = users.shape[0] + items.shape[0]
    file = sizes.file_bytes(folder)
    return Bytes(
        file=file,
        reference=4 * entities * reference_columns,
        breakdown=dict(folder_breakdown(folder)),
        users=users.breakdown().total(),
        items=items.breakdown().total(),
        nominal_parameters=artefact.nominal(),
        nonzero_parameters=artefact.nonzero(),
        per_entity=file / entities,
        sha256=sha256_folder(folder),
        zstd=sizes.zstd_bytes(folder),
        touched_per_query=work.bytes_read,
    )

"""What runs in fresh processes: training, compressing, serving. None of them gets test data."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from recpress import registry
from recpress.api import BudgetUnreachable, Shape, Task, make_generator, method_class
from recpress.backbones import checkpoint
from recpress.backbones.base import Session
from recpress.backbones.catalogue import backbone
from recpress.backbones.recipe import Recipe
from recpress.codecs import Dense
from recpress.codecs.artefact import Artefact, folder_ledger
from recpress.codecs.work import Work
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems
from recpress.hashing import sha256_folder
from recpress.measure import energy, latency, memory, sizes, stages
from recpress.record import Bytes, Energy, Latency, Scenario
from recpress.serve.recommender import Recommender

# Length of the lists that are scored: the deepest cut-off of the metrics.
DEPTH = 100
TOPK = "topk.npy"
STATE = "state.safetensors"
TIMED_K = 20
STAGE_CALLS = 50
# Folder of the dense fp32 artefact beside a checkpoint.
REFERENCE = "reference"
SCENARIOS: dict[Scenario, int] = {"single": 1, "batch": 256}


class Report(Protocol):
    """How a stage tells the finished share of its work."""

    def send(self, share: float, /) -> None:
        """Tell a share in [0, 1]."""

    def note(self, text: str, /) -> None:
        """Tell a line for whoever watches."""


def train(
    graph: Graph, name: str, recipe: Recipe, seed: int, folder: Path, state: Path, device: str, report: Report
) -> None:
    """Train a backbone and write its checkpoint, and the dense fp32 artefact that everything is compared with.

    Parameters
    ----------
    folder : Path
        Gets checkpoint and artefact.
    state : Path
        Folder that keeps the state of an unfinished training; one that was killed goes on from there.
    """

    def watch(epoch: int, loss: float, tables: object) -> None:
        report.note(f"epoch {epoch} of {recipe.epochs}, loss {loss:.4f}")
        report.send(epoch / recipe.epochs)

    trained = backbone(name).fit(graph, recipe, seed, watch, Session(state / STATE, device=device))
    checkpoint.write(folder, trained)
    Artefact(Dense.encode(trained.users), Dense.encode(trained.items)).save(folder / REFERENCE)


@dataclass(frozen=True)
class Compressed:
    """What compressing tells besides the artefact."""

    params: dict[str, Any]
    seconds: float
    peak_bytes: int


def compress(
    graph: Graph,
    checkpoint_folder: Path,
    method: str,
    budget: float | None,
    params: dict[str, Any],
    seed: int,
    folder: Path,
    report: Report,
) -> Compressed | str:
    """Compress a checkpoint into an artefact folder; return a sentence where the budget can't be reached."""
    entry = registry.method(method)
    chosen = method_class(entry.module())()
    trained = checkpoint.read(checkpoint_folder)
    before = trained.sha256()
    shape = Shape(graph.n_users, graph.n_items, trained.users.shape[1], graph.user_items.nnz)
    try:
        solved = {} if budget is None else chosen.params_for(int(budget * shape.dense_bytes), shape).model_dump()
    except BudgetUnreachable as error:
        return str(error)
    task = Task(graph, trained, chosen.Params(**solved | params), seed, make_generator(seed), report.send)
    start = time.perf_counter()
    artefact = chosen.compress(task)
    seconds = time.perf_counter() - start
    artefact.save(folder)
    if trained.sha256() != before:
        raise RuntimeError(f"{method} wrote to the frozen backbone")
    return Compressed(task.params.model_dump(mode="json"), seconds, memory.peak_resident())


def rank_all(folder: Path, seen: UserItems, report: Report) -> NDArray[np.int32]:
    """Load an artefact and answer for every user, int32 of shape (n_users, DEPTH)."""
    return Recommender(Artefact.load(folder), seen).recommend_all(DEPTH)


@dataclass(frozen=True)
class Served:
    """What a serving process measured of itself."""

    bytes: Bytes
    latency: tuple[Latency, ...]
    energy: tuple[Energy, ...]


def serve(
    folder: Path, reference_folder: Path, seen: UserItems, seconds: float, seed: int, lists: Path, report: Report
) -> Served:
    """Load an artefact, answer for every user, and time it in turn with the dense fp32 reference.

    Parameters
    ----------
    folder, reference_folder : Path
        Artefacts.
    seen : UserItems
        Masked items, of every user.
    seconds : float
        Least time per latency scenario; with 0 nothing is timed.
    seed : int
        Of the order in which users are asked for.
    lists : Path
        Folder that gets the answers, int32 of shape (n_users, DEPTH), as `TOPK`.
    """
    artefact, resident = memory.growth(lambda: Artefact.load(folder))
    np.save(lists / TOPK, Recommender(artefact, seen).recommend_all(DEPTH), allow_pickle=False)
    report.send(0.3)
    reference = Artefact.load(reference_folder)
    timings = _time(folder, artefact, reference, seen, seconds, seed) if seconds else ()
    work = query_work(artefact)
    weight = weigh(folder, artefact, work, resident, reference_columns=reference.users.shape[1])
    return Served(weight, timings, (energy.analytic(work),))


def _time(
    folder: Path, artefact: Artefact, reference: Artefact, seen: UserItems, seconds: float, seed: int
) -> tuple[Latency, ...]:
    users = np.arange(seen.n_users, dtype=np.int64)
    candidate, dense = Recommender(artefact, seen), Recommender(reference, seen)
    timings = []
    for scenario, size in SCENARIOS.items():
        plan = latency.QUICK[scenario]
        timing = latency.interleave(
            partial(candidate.recommend, k=TIMED_K),
            partial(dense.recommend, k=TIMED_K),
            users,
            batch_size=size,
            scenario=scenario,
            seconds=seconds,
            min_queries=plan.min_queries,
            seed=seed,
        )
        spent = stages.stage_times(
            lambda: Artefact.load(folder), seen, users, batch_size=size, k=TIMED_K, calls=STAGE_CALLS, seed=seed
        )
        timings.append(timing.model_copy(update={"stages_ms": spent}))
    return tuple(timings)


def query_work(artefact: Artefact) -> Work:
    """Return the counted work of one query: fetch one user's row, score every item."""
    row = artefact.users.ledger().total() // artefact.users.shape[0]
    return artefact.items.work(1) + Work({}, row)


def weigh(folder: Path, artefact: Artefact, work: Work, resident: int, reference_columns: int) -> Bytes:
    """Return the bytes of a saved artefact, beside those of dense fp32 tables of `reference_columns` columns."""
    users, items = artefact.users, artefact.items
    entities = users.shape[0] + items.shape[0]
    file = sizes.file_bytes(folder)
    return Bytes(
        file=file,
        reference=4 * entities * reference_columns,
        ledger=dict(folder_ledger(folder)),
        nominal_parameters=users.nominal() + items.nominal(),
        nonzero_parameters=users.nonzero() + items.nonzero(),
        per_entity=file / entities,
        sha256=sha256_folder(folder),
        zstd=sizes.zstd_bytes(folder),
        resident=resident,
        touched_per_query=work.bytes_read,
    )

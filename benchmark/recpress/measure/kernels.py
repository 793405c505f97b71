"""Kernels on a catalogue that fits no cache: what fewer bytes buy in time, apart from any data set."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from recpress import registry
from recpress.api import Artefact, Dense, Shape, Task, make_generator, method_class
from recpress.backbones.base import Backbone
from recpress.backbones.config import TrainingConfig
from recpress.codecs.work import Work
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems
from recpress.measure import energy, latency
from recpress.measure.sizes import file_bytes
from recpress.measure.synthetic import COLUMNS, ROWS, catalogue
from recpress.records.record import Energy, Latency, Scenario
from recpress.serve.recommender import Recommender

USERS = 256
SIZES: Mapping[Scenario, int] = {"single": 1, "batch": 16}
K = 20


@dataclass(frozen=True)
class KernelTrack:
    """One method on the synthetic catalogue.

    Attributes
    ----------
    method : str
    params : dict
        All of them, as used.
    file_bytes, reference_bytes : int
        Of the artefact, and of the fp32 values.
    touched_per_query : int
        Bytes of items read for one query, as counted.
    latency : tuple of Latency
        Whole answers, interleaved with dense fp32: of one user, and of 16 at a time.
    energy : Energy
        Analytic, of one query.
    """

    method: str
    params: dict[str, Any]
    file_bytes: int
    reference_bytes: int
    touched_per_query: int
    latency: tuple[Latency, ...]
    energy: Energy


def track(
    name: str,
    *,
    budget: float | None = None,
    params: Mapping[str, Any] | None = None,
    rows: int = ROWS,
    columns: int = COLUMNS,
    seconds: float = 2.0,
    threads: int = 1,
) -> KernelTrack:
    """Compress the catalogue with a method and time its answers.

    Parameters
    ----------
    name : str
        A method that needs no training: there is nothing to learn from a random table.
    budget : float, optional
        Fraction of the fp32 bytes.
    params : mapping, optional
        Instead of a budget.
    rows, columns : int
        Size of the catalogue.
    seconds : float
        Least time per scenario.
    threads : int

    Raises
    ------
    BudgetUnreachable
        When the method can't get so small.
    ValidationError
        When a parameter is unknown or out of range.
    """
    graph, backbone = synthetic_backbone(rows, columns)
    method = method_class(registry.method(name).module())()
    shape = Shape(USERS, rows, columns, graph.user_items.nnz)
    chosen = method.Params(**(params or {}))
    if budget is not None:
        chosen = method.params_for(int(budget * shape.dense_bytes), shape)
    artefact = method.compress(Task(graph, backbone, chosen, 0, make_generator(0), lambda share: None))
    with tempfile.TemporaryDirectory(prefix="recpress-kernels-") as folder:
        artefact.save(Path(folder))
        size = file_bytes(Path(folder))
        artefact = Artefact.load(Path(folder))
    reference = Artefact(Dense(backbone.users), Dense(backbone.items))
    ours, theirs = (partial(Recommender(each, graph.user_items).recommend, k=K) for each in (artefact, reference))
    timings = [
        latency.interleave(
            ours,
            theirs,
            np.arange(USERS, dtype=np.int64),
            batch_size=batch,
            scenario=scenario,
            threads=threads,
            seconds=seconds,
        )
        for scenario, batch in SIZES.items()
    ]
    work: Work = artefact.items.work(1)
    dense = 4 * (USERS + rows) * columns
    return KernelTrack(
        name, chosen.model_dump(mode="json"), size, dense, work.bytes_read, tuple(timings), energy.analytic(work)
    )


@cache
def synthetic_backbone(rows: int, columns: int) -> tuple[Graph, Backbone]:
    """Return the catalogue as the items of a backbone, with a few users who have one item each."""
    users, items = catalogue(USERS, columns, seed=1), catalogue(rows, columns)
    who = np.arange(USERS)
    graph = Graph(UserItems.from_pairs(who, who % rows, USERS, rows))
    return graph, Backbone("synthetic", users, items, users, items, TrainingConfig(dim=columns), 0, 0.0)

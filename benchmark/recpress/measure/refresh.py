"""Refresh: from a changed graph to tables that can serve again, without training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from recpress.backbones.base import Backbone
from recpress.backbones.training.objective import Objective
from recpress.backbones.training.retrain import linear_config
from recpress.codecs.artefact import Artefact
from recpress.codecs.networks.linear import Propagated
from recpress.codecs.tables.dense import Dense
from recpress.compression.graph_form import network_of
from recpress.data.graph import Graph
from recpress.measure import latency
from recpress.records.record import Latency


def timing(
    backbone: Backbone, graph: Graph, compress: Callable[[Backbone], object], *, seconds: float, seed: int = 0
) -> Latency | None:
    """Time propagating and compressing, in turn with propagating alone.

    Both sides normalise the graph anew and propagate the base tables over it. The reference is then done, its final
    tables are fp32; the candidate compresses them.

    Parameters
    ----------
    backbone : Backbone
    graph : Graph
    compress : callable
        Takes a backbone with fresh final tables. It must not train: a training is not a refresh.
    seconds : float
    seed : int

    Returns
    -------
    Latency or None
        None where there is nothing to refresh: the backbone doesn't propagate, or not linearly.
    """
    config = linear_config(backbone, graph)
    if config is None or config.layers < 1:
        return None
    base = torch.cat([backbone.base_users, backbone.base_items])

    def propagated() -> Backbone:
        # A new graph each time: what a graph has normalised it keeps.
        fresh = Graph(graph.user_items, graph.bipartite)
        objective = Objective(fresh, config, torch.Generator())
        with torch.no_grad():
            users, items = objective.split(objective.final(base))
        return replace(backbone, users=users, items=items)

    return _interleaved(lambda: compress(propagated()), propagated, graph.n_users, seconds, seed)


def rebuilding(backbone: Backbone, graph: Graph, artefact: Artefact, *, seconds: float, seed: int = 0) -> Latency:
    """Time how an artefact of the serve form `graph` makes its final tables, in turn with the whole fp32 network.

    Both sides have their edges in memory, normalise them, and end with fp32 tables; the artefact decodes its base
    tables and weights first. Fewer edges, fewer layers and byte products pay here.

    Parameters
    ----------
    backbone : Backbone
    graph : Graph
        What the reference propagates over.
    artefact : Artefact
    seconds : float
    seed : int

    Raises
    ------
    ValueError
        When the artefact is of another serve form.
    """
    network = artefact.network
    if network is None or not isinstance(artefact.users, Propagated) or not isinstance(artefact.items, Propagated):
        raise ValueError(
            f"only a graph artefact makes its tables anew, not one of the serve form {artefact.serve_form}"
        )
    whole = network_of(backbone, graph, Dense.encode)
    stored, dense = (
        (artefact.users.base, artefact.items.base),
        (Dense.encode(backbone.base_users), Dense.encode(backbone.base_items)),
    )
    return _interleaved(lambda: network.tables(*stored), lambda: whole.tables(*dense), graph.n_users, seconds, seed)


def _interleaved(
    candidate: Callable[[], object], reference: Callable[[], object], n_users: int, seconds: float, seed: int
) -> Latency:
    users = np.arange(n_users, dtype=np.int64)
    return latency.interleave(
        lambda users: candidate(),
        lambda users: reference(),
        users,
        batch_size=len(users),
        scenario="refresh",
        seconds=seconds,
        min_queries=latency.QUICK["refresh"].min_queries,
        seed=seed,
    )

"""The frozen backbone, and how one is trained."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from recpress.backbones.objective import Embed, Objective
from recpress.backbones.recipe import Recipe
from recpress.backbones.sampling import Batch
from recpress.backbones.train import optimise
from recpress.data.graph import Graph

Tables = tuple[Tensor, Tensor]
# Called after each epoch with its number, mean loss and a function that makes the final tables; True stops.
Watch = Callable[[int, float, Callable[[], Tables]], bool | None]


@dataclass(frozen=True)
class Backbone:
    """A trained, frozen recommender whose scores are inner products of its final tables.

    Attributes
    ----------
    name : str
    users, items : float32 Tensor of shape (n_users, d) and (n_items, d)
        Final tables: what a `table` artefact stores.
    base_users, base_items : float32 Tensor of the same shapes
        Tables before propagation (those of `mf` are the final ones).
    recipe : Recipe
    seed : int
    train_seconds : float
    """

    name: str
    users: Tensor
    items: Tensor
    base_users: Tensor
    base_items: Tensor
    recipe: Recipe
    seed: int
    train_seconds: float

    def sha256(self) -> str:
        """Return the hash of the tables' content."""
        digest = hashlib.sha256()
        for table in (self.users, self.items, self.base_users, self.base_items):
            digest.update(str(tuple(table.shape)).encode())
            digest.update(table.numpy().tobytes())
        return digest.hexdigest()


def fit_embeddings(name: str, graph: Graph, recipe: Recipe, seed: int, watch: Watch | None = None) -> Backbone:
    """Train embedding tables, propagated over the graph `recipe.layers` times.

    Parameters
    ----------
    name : str
        Of the backbone.
    graph : Graph
        Training interactions.
    recipe : Recipe
    seed : int
        The same seed gives bitwise the same tables on the same machine and number of threads.
    watch : callable, optional
        Sees each epoch; see `Watch`.
    """
    started = time.perf_counter()
    generator = torch.Generator().manual_seed(seed)
    objective = Objective(graph, recipe, generator)
    nodes = graph.n_users + graph.n_items
    base = torch.empty(nodes, recipe.dim).normal_(std=recipe.init_std, generator=generator).requires_grad_()

    def loss(batch: Batch) -> Tensor:
        final = objective.split(objective.final(base))
        return objective.loss(batch, Embed.of(*final), Embed.of(*objective.split(base)))

    def tables() -> Tables:
        with torch.no_grad():
            users, items = objective.split(objective.final(base))
            return users.clone(), items.clone()

    optimise([base], loss, objective.sampler, recipe, watch and (lambda epoch, mean: watch(epoch, mean, tables)))
    users, items = tables()
    base_users, base_items = objective.split(base.detach())
    return Backbone(
        name, users, items, base_users.clone(), base_items.clone(), recipe, seed, time.perf_counter() - started
    )

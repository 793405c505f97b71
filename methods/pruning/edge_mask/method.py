"""Edge pruning by masks that are learned, and training over what is left."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from recpress.api import (
    Artefact,
    Batch,
    Field,
    Method,
    Shape,
    Task,
    TrainingParams,
    UserItems,
    largest,
    make_generator,
)
from recpress.backbones.propagate import Propagation
from recpress.backbones.pruning.masked import MaskedPropagation
from recpress.backbones.training.retrain import Retraining
from recpress.compression.edges import edge_bytes, edge_scores, retained_edges
from recpress.compression.graph_form import INTEGERS, BaseName, base_bytes, linear_artefact, propagating_config
from recpress.compression.pruning import largest_mask

# Masks move this much faster than vectors.
SPEED = 20.0
# Shares of the edges among which a budget is met.
SHARES = [kept / 20 for kept in range(18, 0, -1)]
# What the search of masks adds to the seed: its draws don't change those of the training that follows.
SEARCH = 1_000_003


class EdgeMaskParams(TrainingParams):
    """Share of edges that is dropped, number of rounds, and storage of the rest."""

    epochs: int = Field(10, ge=1, description="Passes over the interactions after the last round.")
    rate: float = Field(0.5, gt=0, description="Adam's learning rate as a share of the training config's.")
    keep: float = Field(0.5, ge=0, le=1, description="Share of the edges that stay; exact to one edge.")
    chosen: Literal["learned", "resistance", "random"] = Field(
        "learned", description="What decides which edges go: masks; or, as controls, drawing as edge_sparsify does."
    )
    rounds: int = Field(3, ge=1, description="Rounds of learning masks, pruning and rewinding.")
    mask_epochs: int = Field(3, ge=1, description="Passes over the interactions in each round.")
    hide: bool = Field(
        True, description="Whether an edge is left out while its own interaction is scored: else it helps itself."
    )
    sparsity_weight: float = Field(1e-4, ge=0, description="γ, of the mean |m|.")
    values: BaseName = Field("int8", description="How the base tables are stored.")


def tensor_bytes(params: EdgeMaskParams, shape: Shape) -> int:
    """Return the most bytes of base tables and edges; coefficients are a few."""
    kept = round(params.keep * shape.interactions)
    tables = base_bytes(shape.entities, shape.base_columns, params.values)
    return tables + edge_bytes(shape.n_users, shape.n_items, kept) + 64


def learn_mask(task: Task[EdgeMaskParams], edges: UserItems, generator: torch.Generator) -> Tensor:
    """Return the size of each edge's weight, trained together with copies of the frozen tables, which are dropped."""
    params, graph = task.params, replace(task.graph, user_items=edges)
    training = Retraining(task.backbone, task.graph, generator)
    propagation = MaskedPropagation(graph, propagating_config(task.backbone, task.graph))
    base = training.start.clone().requires_grad_()
    leaf = torch.zeros(edges.nnz, requires_grad=True)
    keys = torch.from_numpy(edges.users).long() * edges.n_items + torch.from_numpy(edges.items)

    def loss(batch: Batch) -> Tensor:
        mask = weights = 1 + SPEED * leaf
        if params.hide:
            own = batch.users * edges.n_items + batch.items
            places = torch.searchsorted(keys, own).clamp_max(len(keys) - 1)
            hidden = torch.zeros(len(keys), dtype=torch.bool).index_fill(0, places[keys[places] == own], True)
            weights = mask.masked_fill(hidden, 0.0)
        final = training.objective.scored(propagation(base, weights))
        return training.loss(batch, final, base) + params.sparsity_weight * mask.abs().mean()

    training.minimise([base, leaf], loss, params.mask_epochs, params.rate, lambda share: None)
    return (1 + SPEED * leaf).abs().detach()


class EdgeMask(Method[EdgeMaskParams]):
    """Find edges by masks on the graph, rewind, and train over them (Chen et al. 2021, algorithms 1 and 2).

    While an interaction is scored its own edge is hidden, which UGS, made for classifying nodes, has no need of.
    UGS prunes weights too; here the tables are what they were, and rewinding goes to the frozen backbone. Degrees are
    counted anew over the edges that stay, so that no weight of an edge is stored. Positives are drawn from all
    interactions: what is pruned is the graph and not the data.
    """

    Params = EdgeMaskParams

    def params_for(self, budget: int, shape: Shape) -> EdgeMaskParams:
        """See `Method.params_for`: the most edges first, then the most bits, as `edge_sparsify` does."""
        candidates = [EdgeMaskParams(keep=keep, values=values) for keep in SHARES for values in INTEGERS]
        return largest(candidates, lambda params: tensor_bytes(params, shape), budget)

    def compress(self, task: Task[EdgeMaskParams]) -> Artefact:
        """See `Method.compress`."""
        params, edges, generator = task.params, task.graph.user_items, make_generator(task.seed + SEARCH)
        config = propagating_config(task.backbone, task.graph)
        for done in range(1, params.rounds + 1):
            # Each round takes the same share of what is left, and the last one hits the count.
            target = round(edges_after(done, params, task.graph.user_items.nnz))
            if target < edges.nnz:
                if params.chosen == "learned":
                    ranked = learn_mask(task, edges, generator)
                else:
                    tables = task.backbone.base_users, task.backbone.base_items
                    ranked = edge_scores(replace(task.graph, user_items=edges), *tables, params.chosen, generator)
                edges = retained_edges(edges, largest_mask(ranked[None], 1 - target / edges.nnz)[0])
            task.progress(done / (params.rounds + 1))
        training = Retraining(task.backbone, task.graph, task.generator)
        training.objective.propagation = Propagation(
            replace(task.graph, user_items=edges).adjacency(), config.layers, config.first_layer, config.precision
        )
        base = training.start.clone().requires_grad_()

        def loss(batch: Batch) -> Tensor:
            return training.loss(batch, training.objective.final(base), base)

        before = params.rounds / (params.rounds + 1)
        training.minimise(
            [base], loss, params.epochs, params.rate, lambda share: task.progress(before + (1 - before) * share)
        )
        return linear_artefact(
            task.backbone,
            task.graph,
            edges,
            layers=config.layers,
            values=params.values,
            base=training.objective.split(base.detach()),
        )


def edges_after(done: int, params: EdgeMaskParams, count: int) -> float:
    """Return how many edges are left after some rounds."""
    if done == params.rounds:
        return count - round((1 - params.keep) * count)
    return float(count * params.keep ** (done / params.rounds))

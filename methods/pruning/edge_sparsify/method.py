"""Propagation over a part of the edges."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.api import Artefact, Field, Graph, Method, Params, Shape, Task, UserItems, largest
from recpress.codecs.graph_form import (
    INTEGERS,
    BaseName,
    Coefficients,
    base_bytes,
    edge_bytes,
    linear_artefact,
    propagating_recipe,
)
from recpress.codecs.pruned import largest_mask

Score = Literal["degree", "cosine", "resistance", "random"]
# Shares of the edges among which a budget is met.
SHARES = [kept / 20 for kept in range(18, -1, -1)]


class EdgeSparsifyParams(Params):
    """Which edges stay, and how the rest is stored."""

    keep: float = Field(0.5, ge=0, le=1, description="Share of the edges that stay; exact to one edge.")
    score: Score = Field(
        "resistance",
        description="degree: those of least d_u · d_i. cosine: of most similar ends. resistance: drawn without "
        "replacement by 1/d_u + 1/d_i, which bounds the effective resistance. random: drawn evenly, the control.",
    )
    degrees: Literal["kept", "original"] = Field(
        "kept", description="What normalises: the degrees of the edges that stay, or those of all, which are stored."
    )
    coefficients: Coefficients = Field(
        "fitted",
        description="Weights of the steps. fitted: by least squares to the backbone's final tables. mean: equal ones.",
    )
    values: BaseName = Field("int8", description="How the base tables are stored.")


def tensor_bytes(params: EdgeSparsifyParams, shape: Shape) -> int:
    """Return the most bytes of base tables, edges and degrees; coefficients are a few."""
    kept = round(params.keep * shape.interactions)
    degrees = 4 * shape.entities if params.degrees == "original" else 0
    tables = base_bytes(shape.entities, shape.base_columns, params.values)
    return tables + edge_bytes(shape.n_users, shape.n_items, kept) + degrees + 64


def scores(graph: Graph, users: Tensor, items: Tensor, score: Score, generator: torch.Generator) -> Tensor:
    """Return what decides which edges stay, float64 of shape (edges,), the largest first.

    Drawing k edges without replacement with weights w is keeping the k largest ``log(u) / w``, u uniform (Efraimidis
    and Spirakis 2006). Weights ``1/d_u + 1/d_i`` are, but for a factor between 1/2 and one over the spectral gap, the
    effective resistances that Spielman and Srivastava 2011 draw by (Lovász 1993, "Random walks on graphs", section 3).
    """
    edges = graph.user_items
    owners, targets = torch.from_numpy(edges.users).long(), torch.from_numpy(edges.items).long()
    by_user = torch.from_numpy(edges.counts).double()[owners]
    by_item = torch.bincount(targets, minlength=graph.n_items).double()[targets]
    if score == "degree":
        return -(by_user.log() + by_item.log())
    if score == "cosine":
        return (F.normalize(users)[owners] * F.normalize(items)[targets]).sum(1).double()
    drawn = torch.rand(len(owners), generator=generator, dtype=torch.float64).clamp_min(1e-300).log()
    return drawn / (1 / by_user + 1 / by_item) if score == "resistance" else drawn


def kept_edges(edges: UserItems, mask: Tensor) -> UserItems:
    """Return the edges that a mask of shape (edges,) keeps."""
    kept = mask.numpy()
    indptr = np.concatenate([[0], np.cumsum(kept)])[edges.indptr]
    return UserItems(indptr.astype(np.int64), edges.items[kept], edges.n_items)


class EdgeSparsify(Method[EdgeSparsifyParams]):
    """Keep a share of the edges, chosen without training, and propagate the backbone's base tables over them."""

    Params = EdgeSparsifyParams

    def params_for(self, budget: int, shape: Shape) -> EdgeSparsifyParams:
        """See `Method.params_for`: the most edges first, then the most bits: an edge is worth more than a bit."""
        candidates = [EdgeSparsifyParams(keep=keep, values=values) for keep in SHARES for values in INTEGERS]
        return largest(candidates, lambda params: tensor_bytes(params, shape), budget)

    def compress(self, task: Task[EdgeSparsifyParams]) -> Artefact:
        """See `Method.compress`."""
        params, backbone, edges = task.params, task.backbone, task.graph.user_items
        recipe = propagating_recipe(backbone, task.graph)
        ranked = scores(task.graph, backbone.base_users, backbone.base_items, params.score, task.generator)
        mask = largest_mask(ranked[None], 1 - params.keep)[0]
        return linear_artefact(
            backbone,
            task.graph,
            kept_edges(edges, mask),
            layers=recipe.layers,
            values=params.values,
            coefficients=params.coefficients,
            original_degrees=params.degrees == "original",
        )

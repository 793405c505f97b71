"""Propagation over a part of the edges."""

from __future__ import annotations

from typing import Literal

from recpress.api import Artefact, Field, Method, Params, Shape, Task, largest
from recpress.compression.edges import Score, edge_bytes, edge_scores, retained_edges
from recpress.compression.graph_form import (
    INTEGERS,
    BaseName,
    Coefficients,
    base_bytes,
    linear_artefact,
    propagating_config,
)
from recpress.compression.pruning import largest_mask

# Shares of the edges among which a budget is met.
SHARES = [kept / 20 for kept in range(18, -1, -1)]


class EdgeSparsifyParams(Params):
    """Choice of the edges, and storage."""

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
        config = propagating_config(backbone, task.graph)
        ranked = edge_scores(task.graph, backbone.base_users, backbone.base_items, params.score, task.generator)
        mask = largest_mask(ranked[None], 1 - params.keep)[0]
        return linear_artefact(
            backbone,
            task.graph,
            retained_edges(edges, mask),
            layers=config.layers,
            values=params.values,
            coefficients=params.coefficients,
            original_degrees=params.degrees == "original",
        )

"""Search along a navigable graph of the items."""

from __future__ import annotations

import math

from recpress.api import Artefact, Field, Method, Params, Shape, Task, largest
from recpress.codecs.search.navigable import Navigable
from recpress.compression.graph_form import ENCODERS, INTEGERS, BaseName, base_bytes
from recpress.compression.histories import history_bytes

# A second and a third codec's part of header and manifest.
NAVIGABLE_BYTES = 1024
# Standard deviations over the mean within which the number of upper lists is taken to lie.
SURE = 8


class HnswParams(Params):
    """The graph, and how tables are stored."""

    neighbours: int = Field(
        16, ge=2, le=64, description="Neighbours of an item on each level (M), twice as many on the lowest; at most."
    )
    build: int = Field(100, ge=1, description="Items in view while neighbours are looked for (efConstruction).")
    search: int = Field(
        100,
        ge=100,
        description="Items in view of a query (efSearch), beyond what its user has seen: as many as the longest list.",
    )
    values: BaseName = Field("int8", description="How both tables are stored; items are fp32 in memory.")


def graph_bytes(n: int, m: int) -> int:
    """Return the most bytes of a graph of n items: every list is full.

    An item is on an upper level with probability 1/m and on the one above it with 1/m again: the number of upper lists
    has a mean of n / (m - 1) and a variance of n m / (m - 1)².
    """
    upper = math.ceil(n / (m - 1) + SURE * math.sqrt(n * m) / (m - 1))
    room = min(2 * m, n) * n + min(m, n) * upper
    return history_bytes(n + upper, n, room) + n + NAVIGABLE_BYTES


def tensor_bytes(params: HnswParams, shape: Shape) -> int:
    """Return the most bytes of both tables and the graph."""
    return base_bytes(shape.entities, shape.dim, params.values) + graph_bytes(shape.n_items, params.neighbours)


class Hnsw(Method[HnswParams]):
    """A hierarchical navigable small world over the items (Malkov and Yashunin 2020), for the inner product.

    This accelerates the search and compresses nothing by itself: its bytes are those of a grid and of the graph on top.
    Edges are made by inner products too, as Morozov and Babenko 2018 have them.
    """

    Params = HnswParams

    def params_for(self, budget: int, shape: Shape) -> HnswParams:
        """See `Method.params_for`: the most bits that fit beside the largest graph that there could be."""
        candidates = [HnswParams(values=values) for values in INTEGERS]
        return largest(candidates, lambda params: tensor_bytes(params, shape), budget)

    def compress(self, task: Task[HnswParams]) -> Artefact:
        """See `Method.compress`."""
        params, encode = task.params, ENCODERS[task.params.values]
        items = Navigable.encode(encode(task.backbone.items), params.neighbours, params.build, params.search, task.seed)
        return Artefact(encode(task.backbone.users), items)

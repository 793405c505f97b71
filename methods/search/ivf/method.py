"""Search among the items of a few inverted lists."""

from __future__ import annotations

import math

from recpress.api import Artefact, Field, Method, Params, Shape, Task, largest
from recpress.codecs.search.inverted import Inverted
from recpress.compression.graph_form import ENCODERS, INTEGERS, BaseName, base_bytes

# A second codec's part of header and manifest.
INVERTED_BYTES = 512


class IvfParams(Params):
    """The lists, and how tables are stored."""

    cells: int | None = Field(None, ge=1, description="Lists; by default the square root of the number of items.")
    share: float = Field(0.25, gt=0, le=1, description="Of the lists, those that a query visits; one at least.")
    values: BaseName = Field("int8", description="How both tables are stored; items are fp32 in memory.")


def runs_of(params: IvfParams, n_items: int) -> int:
    """Return how many lists there are."""
    return min(params.cells or math.isqrt(n_items), n_items)


def tensor_bytes(params: IvfParams, shape: Shape) -> int:
    """Return the bytes of both tables, centres, and the list of each item."""
    cells = runs_of(params, shape.n_items)
    number = 1 if cells <= 2**8 else 2 if cells <= 2**16 else 4
    lists = 2 * cells * shape.dim + number * shape.n_items + INVERTED_BYTES
    return base_bytes(shape.entities, shape.dim, params.values) + lists


class Ivf(Method[IvfParams]):
    """Inverted lists over the items (Jégou et al. 2011, section IV, with the rows' own codec in the place of PQ).

    This accelerates the search and compresses nothing by itself: its bytes are those of a grid and of the index on top.
    """

    Params = IvfParams

    def params_for(self, budget: int, shape: Shape) -> IvfParams:
        """See `Method.params_for`: the most bits that fit."""
        candidates = [IvfParams(values=values) for values in INTEGERS]
        return largest(candidates, lambda params: tensor_bytes(params, shape), budget)

    def compress(self, task: Task[IvfParams]) -> Artefact:
        """See `Method.compress`."""
        params, items = task.params, task.backbone.items
        cells = runs_of(params, len(items))
        encode = ENCODERS[params.values]
        probes = max(1, round(params.share * cells))
        return Artefact(encode(task.backbone.users), Inverted.encode(items, encode(items), cells, probes, task.seed))

"""GF-CF with a sparse linear filter and a low-pass one of small rank."""

from __future__ import annotations

import torch

from recpress.api import Artefact, Field, LowRank, Method, Params, Shape, Sum, Task, Uniform, largest
from recpress.backbones.references import gfcf, matrix
from recpress.compression.histories import Values, encode_histories, encode_weights, history_bytes, weight_bytes

# The published rank; on dense data fewer are better (valid of ml-100k; docs/reference/references.md).
HIGHEST_RANK = 256
# A tree of six codecs takes twice the room for header and manifest that every method has.
NESTING_BYTES = 768


class GfcfParams(Params):
    """The two filters."""

    rank: int = Field(32, ge=1, description="Singular vectors of the ideal low-pass filter.")
    neighbours: int = Field(16, ge=1, description="Entries of the linear filter kept for each item.")
    alpha: float = Field(0.3, ge=0, description="Weight of the low-pass filter; 0.3 is the paper's.")
    values: Values = Field("int8", description="How the linear filter's entries are stored; the other is int8.")


def tensor_bytes(params: GfcfParams, shape: Shape) -> int:
    """Return the bytes of histories, linear filter, and both factors of the low-pass filter with their scales."""
    low_pass = 2 * shape.n_items * params.rank + 4 * (shape.n_items + params.rank)
    linear = weight_bytes(shape.n_items, params.neighbours, params.values)
    return history_bytes(shape.n_users, shape.n_items, shape.interactions) + linear + low_pass + NESTING_BYTES


class Gfcf(Method[GfcfParams]):
    """Filter a user's history over the item graph (Shen et al. 2021); the backbone's tables are not used."""

    Params = GfcfParams

    def params_for(self, budget: int, shape: Shape) -> GfcfParams:
        """See `Method.params_for`: the highest rank that fits with half as many neighbours."""
        most = max(1, min(HIGHEST_RANK, shape.n_users - 1, shape.n_items - 1))
        candidates = [GfcfParams(rank=rank, neighbours=max(1, rank // 2)) for rank in range(most, 0, -1)]
        return largest(candidates, lambda params: tensor_bytes(params, shape), budget)

    def compress(self, task: Task[GfcfParams]) -> Artefact:
        """See `Method.compress`."""
        interactions = matrix(task.graph.user_items)
        solved = gfcf(interactions, task.params.rank, task.params.alpha)
        linear = encode_weights(solved.linear(task.params.neighbours), task.params.values)
        write, read = (Uniform.encode(torch.from_numpy(table)) for table in (solved.write, solved.read.T))
        return Artefact(encode_histories(interactions), Sum(linear, LowRank(write, read)))

"""Rank, then bits, then entropy."""

from __future__ import annotations

import torch
from torch import Tensor

from recpress.api import Artefact, Codec, Field, Method, Params, Shape, Task, largest
from recpress.codecs.composite.entropy import Entropy
from recpress.codecs.packing import row_bytes
from recpress.compression.clipping import clipped
from recpress.compression.rotation import principal


class DeepParams(Params):
    """Size after each stage."""

    rank: int = Field(16, ge=1, description="Directions kept, at most the backbone's dimension.")
    bits: int = Field(4, ge=2, le=8, description="Bits of a code before entropy coding.")


def tensor_bytes(params: DeepParams, shape: Shape) -> int:
    """Return the bytes if the coder saved nothing: codes, a scale a row, a model of at most 2^bits codes a column."""
    models = 2 * params.rank * (2 + 2 * (1 << params.bits))
    return shape.entities * (row_bytes(params.rank, params.bits) + 2) + models


class DeepCompression(Method[DeepParams]):
    """Han et al. 2016 for embedding tables: SVD in the place of pruning, a uniform grid, an entropy coder.

    Unstructured pruning is left out, since it costs more in indices than it saves at equal quality. On disk there is
    the entropy code, in memory the packed codes: `bytes.resident` of a record tells them apart.
    """

    Params = DeepParams

    def params_for(self, budget: int, shape: Shape) -> DeepParams:
        """See `Method.params_for`: 4 bits, and the highest rank that fits even if the coder saved nothing."""
        candidates = [DeepParams(rank=rank) for rank in range(shape.dim, 0, -1)]
        return largest(candidates, lambda params: tensor_bytes(params, shape), budget)

    def compress(self, task: Task[DeepParams]) -> Artefact:
        """See `Method.compress`."""
        users, items = task.backbone.users, task.backbone.items
        if task.params.rank > users.shape[1]:
            raise ValueError(f"rank {task.params.rank} is above the backbone's dimension {users.shape[1]}")
        axes = principal(torch.cat([users, items]), task.params.rank)

        def coded(table: Tensor) -> Codec:
            return Entropy.encode(clipped(table @ axes, task.params.bits, "row", symmetric=True))

        return Artefact(coded(users), coded(items))

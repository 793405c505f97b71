"""Truncated singular value decomposition."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from recpress.api import Artefact, Codec, Dense, Field, LowRank, Method, Params, Shape, Task, largest
from recpress.codecs.dense import FLOATS
from recpress.codecs.rotation import principal


class SVDParams(Params):
    """The rank, and how factors are stored."""

    rank: int = Field(16, ge=1, description="Directions kept, at most the backbone's dimension.")
    joint: bool = Field(
        True, description="True: one basis for users and items, which scores cancel. False: one each, stored."
    )
    values: Literal["fp32", "fp16"] = Field("fp16", description="How factors are stored.")


class SVD(Method[SVDParams]):
    """Project both tables on their leading singular directions (Eckart and Young 1936).

    With one orthonormal basis V for both sides, ``(u V)·(i V)`` is the score of the projected tables: V itself is not
    needed to serve and not stored, and the tables really become thinner.
    """

    Params = SVDParams

    def params_for(self, budget: int, shape: Shape) -> SVDParams:
        """See `Method.params_for`: the highest rank that fits."""
        candidates = [SVDParams(rank=rank) for rank in range(shape.dim, 0, -1)]
        return largest(candidates, lambda params: shape.entities * params.rank * FLOATS[params.values].itemsize, budget)

    def compress(self, task: Task[SVDParams]) -> Artefact:
        """See `Method.compress`."""
        rank, values = task.params.rank, task.params.values
        users, items = task.backbone.users, task.backbone.items
        if rank > users.shape[1]:
            raise ValueError(f"rank {rank} is above the backbone's dimension {users.shape[1]}")
        if task.params.joint:
            shared = principal(torch.cat([users, items]), rank)
            return Artefact(Dense.encode(users @ shared, values), Dense.encode(items @ shared, values))

        def factor(table: Tensor) -> Codec:
            own = principal(table, rank)
            return LowRank(Dense.encode(table @ own, values), Dense.encode(own.T, values))

        return Artefact(factor(users), factor(items))

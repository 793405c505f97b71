"""Truncated singular value decomposition."""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from recpress.api import Artefact, Codec, Dense, Encoder, Field, LowRank, Method, Params, Shape, Task, Uniform, largest
from recpress.codecs.packing import row_bytes
from recpress.compression.rotation import principal

Values = Literal["fp32", "fp16", "int8", "int4"]
ENCODERS: dict[Values, Encoder] = {
    "fp32": Dense.encode,
    "fp16": partial(Dense.encode, values="fp16"),
    "int8": Uniform.encode,
    "int4": partial(Uniform.encode, bits=4),
}


class SVDParams(Params):
    """The rank, and how factors are stored."""

    rank: int = Field(16, ge=1, description="Directions kept, at most the backbone's dimension.")
    joint: bool = Field(
        True, description="True: one basis for users and items, which scores cancel. False: one each, stored."
    )
    popularity: float = Field(
        0.0, ge=0, le=1, description="Rows are weighted by their number of interactions to this power; 0: all alike."
    )
    values: Values = Field("fp16", description="How the thin tables are stored; integers have a range per row.")


def factor_bytes(params: SVDParams, columns: int) -> int:
    """Return the bytes of one row of a thin table."""
    if params.values in ("fp32", "fp16"):
        return columns * (4 if params.values == "fp32" else 2)
    return row_bytes(columns, 8 if params.values == "int8" else 4) + 4


class SVD(Method[SVDParams]):
    """Project both tables on their leading singular directions (Eckart and Young 1936).

    With one orthonormal basis V for both sides, ``(u V)·(i V)`` is the score of the projected tables: V itself is not
    needed to serve and not stored, and the tables really become thinner. A basis for each side is stored, and errs
    more on scores: what one side drops, the other keeps in vain.
    """

    Params = SVDParams

    def params_for(self, budget: int, shape: Shape) -> SVDParams:
        """See `Method.params_for`: the highest rank that fits in fp16."""
        candidates = [SVDParams(rank=rank) for rank in range(shape.dim, 0, -1)]
        return largest(candidates, lambda params: shape.entities * factor_bytes(params, params.rank), budget)

    def compress(self, task: Task[SVDParams]) -> Artefact:
        """See `Method.compress`."""
        rank, encode = task.params.rank, ENCODERS[task.params.values]
        users, items = task.backbone.users, task.backbone.items
        if rank > users.shape[1]:
            raise ValueError(f"rank {rank} is above the backbone's dimension {users.shape[1]}")
        seen = task.graph.user_items
        counts = (seen.counts, np.bincount(seen.items, minlength=seen.n_items))
        weighted = [
            table * torch.from_numpy(count).clamp_min(1).float()[:, None] ** task.params.popularity
            for table, count in zip((users, items), counts, strict=True)
        ]
        if task.params.joint:
            shared = principal(torch.cat(weighted), rank)
            return Artefact(encode(users @ shared), encode(items @ shared))

        def factor(table: Tensor, own: Tensor) -> Codec:
            return LowRank(encode(table @ own), Dense.encode(own.T, "fp32" if task.params.values == "fp32" else "fp16"))

        own_users, own_items = (principal(each, rank) for each in weighted)
        return Artefact(factor(users, own_users), factor(items, own_items))

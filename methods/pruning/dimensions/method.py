"""Pruning of whole columns."""

from __future__ import annotations

import torch

from recpress.api import Artefact, Dense, Field, Method, Params, Shape, Task, largest


class DimensionParams(Params):
    """Number of remaining columns."""

    keep: int = Field(16, ge=1, description="Columns kept, at most the backbone's dimension; in fp16.")


class DimensionPruning(Method[DimensionParams]):
    """Drop whole columns of both tables, as filters are dropped from a network (Li et al. 2017).

    This is the negative control of `svd`. Scores don't change when both tables are rotated, so the columns of a
    trained backbone are no better than those of any other rotation, and the least of them carries nearly as much as
    the largest. Dropping columns after rotating to principal axes is another matter: it is joint truncated SVD, to
    the byte, and registered as that.
    """

    Params = DimensionParams

    def params_for(self, budget: int, shape: Shape) -> DimensionParams:
        """See `Method.params_for`: the most columns that fit."""
        candidates = [DimensionParams(keep=keep) for keep in range(shape.dim, 0, -1)]
        return largest(candidates, lambda params: 2 * shape.entities * params.keep, budget)

    def compress(self, task: Task[DimensionParams]) -> Artefact:
        """See `Method.compress`."""
        users, items = task.backbone.users, task.backbone.items
        if task.params.keep > users.shape[1]:
            raise ValueError(f"{task.params.keep} columns are more than the backbone's {users.shape[1]}")
        variance = torch.cat([users, items]).double().var(0)
        kept = variance.argsort(descending=True, stable=True)[: task.params.keep].sort().values
        return Artefact(Dense.encode(users[:, kept], "fp16"), Dense.encode(items[:, kept], "fp16"))

"""Pruning of whole rows by popularity."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recpress.api import Artefact, Dense, Field, LowRank, Method, Params, Shape, Task, largest
from recpress.codecs.composite.mixed import PART_METADATA_BYTES, Mixed, head_and_tail
from recpress.codecs.packing import row_bytes
from recpress.codecs.tables.constant import Constant


class EntityParams(Params):
    """Number of remaining rows."""

    keep: float = Field(0.5, ge=0, le=1, description="Share of users, and of items, whose rows are kept, in fp16.")


def tensor_bytes(params: EntityParams, shape: Shape) -> int:
    """Return the bytes of kept rows, the shared row of each table, and a bit a row that says which it has."""
    kept = sum(round(params.keep * rows) for rows in (shape.n_users, shape.n_items))
    index = row_bytes(shape.n_users, 1) + row_bytes(shape.n_items, 1)
    return 2 * shape.dim * (kept + 2) + index + 8 + 2 * PART_METADATA_BYTES


def shared(table: Tensor) -> LowRank:
    """Store one row for all: their mean."""
    ones = torch.ones(len(table), 1)
    return LowRank(Constant.encode(ones), Dense.encode(table.mean(0, keepdim=True), "fp16"))


class EntityPruning(Method[EntityParams]):
    """Keep rows by their number of interactions (after Zhang et al. 2020, who hash the infrequent ones).

    Users that lose their row are all given the same list, and items that do are recommended together or not at all:
    what this keeps overall, it keeps for the head alone.
    """

    Params = EntityParams

    def params_for(self, budget: int, shape: Shape) -> EntityParams:
        """See `Method.params_for`: the largest share that fits, to a thousandth."""
        candidates = [EntityParams(keep=share / 1000) for share in range(1000, -1, -1)]
        return largest(candidates, lambda params: tensor_bytes(params, shape), budget)

    def compress(self, task: Task[EntityParams]) -> Artefact:
        """See `Method.compress`."""
        seen = task.graph.user_items

        def encode(table: Tensor, counts: NDArray[np.int64]) -> Mixed:
            bucket = head_and_tail(counts, task.params.keep)
            return Mixed.encode(table, bucket, [partial(Dense.encode, values="fp16"), shared])

        users = encode(task.backbone.users, seen.counts)
        return Artefact(users, encode(task.backbone.items, np.bincount(seen.items, minlength=seen.n_items)))

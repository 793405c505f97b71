"""Bits by popularity."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from recpress.api import Artefact, Field, Method, Params, Shape, Task, largest
from recpress.codecs.composite.mixed import PART_METADATA_BYTES, Mixed, head_and_tail
from recpress.codecs.packing import row_bytes
from recpress.compression.clipping import clipped


class MixedPrecisionParams(Params):
    """Share of rows in the head, and the bits of head and tail."""

    head: float = Field(0.2, gt=0, lt=1, description="Share of users, and of items, that are the head.")
    head_bits: int = Field(8, ge=1, le=8, description="Bits of a value of the head.")
    tail_bits: int = Field(4, ge=1, le=8, description="Bits of a value of the others.")


def tensor_bytes(params: MixedPrecisionParams, shape: Shape) -> int:
    """Return the bytes of codes, two ranges a table, and a bit a row that says where it belongs."""
    size = 0
    for rows in (shape.n_users, shape.n_items):
        head = round(params.head * rows)
        size += head * row_bytes(shape.dim, params.head_bits) + (rows - head) * row_bytes(shape.dim, params.tail_bits)
        size += row_bytes(rows, 1) + 8 + PART_METADATA_BYTES
    return size


class MixedPrecision(Method[MixedPrecisionParams]):
    """More bits for rows that are asked for more (the idea of Yang et al. 2020, applied after training).

    The ranges are clipped for least error, one for each half of a table: rows of similar popularity have similar
    length, so that a scale per row would buy little.
    """

    Params = MixedPrecisionParams

    def params_for(self, budget: int, shape: Shape) -> MixedPrecisionParams:
        """See `Method.params_for`: as many bits for the tail as fit, then for the head, at most two more.

        Without that bound a head of 8 bits would be paid for by a tail of 1.
        """
        candidates = [
            MixedPrecisionParams(head_bits=head, tail_bits=tail)
            for tail in range(8, 0, -1)
            for head in range(min(8, tail + 2), tail, -1)
        ]
        return largest(candidates, lambda params: tensor_bytes(params, shape), budget)

    def compress(self, task: Task[MixedPrecisionParams]) -> Artefact:
        """See `Method.compress`."""
        params, seen = task.params, task.graph.user_items
        encoders = [partial(clipped, bits=bits, granularity="tensor") for bits in (params.head_bits, params.tail_bits)]

        def encode(table: Tensor, counts: NDArray[np.int64]) -> Mixed:
            return Mixed.encode(table, head_and_tail(counts, params.head), encoders)

        users = encode(task.backbone.users, seen.counts)
        return Artefact(users, encode(task.backbone.items, np.bincount(seen.items, minlength=seen.n_items)))

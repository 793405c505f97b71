"""Post-training product quantization."""

from __future__ import annotations

import torch

from recpress.api import Artefact, Field, Method, Params, Shape, Task, largest
from recpress.codecs.packing import row_bytes
from recpress.codecs.tables.product import Product, optimized_rotation, pad_columns


class ProductParams(Params):
    """Number of parts of a row, and size of each codebook."""

    parts: int = Field(16, ge=1, description="Parts of a row, at most d; the last is padded where they don't divide d.")
    bits: int = Field(8, ge=1, le=8, description="Codebooks have 2^bits words, one codebook per part and table.")
    rotate: bool = Field(
        True, description="Fit a rotation of both tables first (OPQ). It changes no score and is not stored."
    )
    iterations: int = Field(10, ge=1, le=200, description="Turns of fitting the rotation and codebooks.")


def tensor_bytes(params: ProductParams, shape: Shape) -> int:
    """Return the bytes of codes and of both tables' codebooks."""
    words = 2 * params.parts * (1 << params.bits) * -(-shape.dim // params.parts)
    return shape.entities * row_bytes(params.parts, params.bits) + 2 * words


def candidates(dim: int) -> list[ProductParams]:
    """Return every way to cut a row into equal parts, the most bits per row first, then the fewest parts."""
    cuts = {-(-dim // parts): parts for parts in range(dim, 0, -1)}
    made = [ProductParams(parts=parts, bits=bits) for parts in cuts.values() for bits in range(1, 9)]
    return sorted(made, key=lambda params: (-params.parts * params.bits, params.parts))


class ProductQuantization(Method[ProductParams]):
    """Name parts of rows by words (Jégou et al. 2011), after an optimised rotation (Ge et al. 2013)."""

    Params = ProductParams

    def params_for(self, budget: int, shape: Shape) -> ProductParams:
        """See `Method.params_for`: the most bits per row that fit beside their codebooks."""
        return largest(candidates(shape.dim), lambda params: tensor_bytes(params, shape), budget)

    def compress(self, task: Task[ProductParams]) -> Artefact:
        """See `Method.compress`."""
        parts, bits = task.params.parts, task.params.bits
        users, items = task.backbone.users, task.backbone.items
        if task.params.rotate:
            stacked = torch.cat([users, items])
            rotation = optimized_rotation(stacked, parts, bits, task.params.iterations, task.seed)
            users, items = (pad_columns(table, parts) @ rotation for table in (users, items))
        task.progress(0.6)
        return Artefact(Product.encode(users, parts, bits, task.seed), Product.encode(items, parts, bits, task.seed))

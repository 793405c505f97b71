"""One-shot magnitude pruning."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
from torch import Tensor

from recpress.api import Artefact, Dense, Encoder, Field, Method, Params, Shape, Sparse, Task, Uniform, largest
from recpress.codecs.sparse import Layout, layout_bytes

ENCODERS: dict[str, Encoder] = {
    "fp32": Dense.encode,
    "fp16": partial(Dense.encode, values="fp16"),
    "int8": partial(Uniform.encode, bits=8, granularity="tensor", symmetric=True),
}
VALUE_BYTES = {"fp32": 4, "fp16": 2, "int8": 1}
LAYOUTS: tuple[Layout, Layout] = ("csr", "bitmap")


class MagnitudeParams(Params):
    """How much goes, and how the rest is stored."""

    sparsity: float = Field(0.5, ge=0, lt=1, description="Share of the values that become zero; exact to one value.")
    scope: Literal["global", "row"] = Field("global", description="Rank values over both tables, or within each row.")
    values: Literal["fp32", "fp16", "int8"] = Field("fp16", description="How the values that stay are stored.")


def prune(tables: list[Tensor], sparsity: float, scope: Literal["global", "row"]) -> list[Tensor]:
    """Return copies of the tables, shapes unchanged, with the smallest values set to zero.

    Parameters
    ----------
    tables : list of float32 Tensor of shape (n_i, d)
    sparsity : float in [0, 1)
        ``round(sparsity · size)`` values go: of all tables together, or of each row.
    scope : {"global", "row"}

    Notes
    -----
    Of equal magnitudes the later one (by table, row, column) goes first, so that the count is exact.
    """
    values = torch.cat(tables)
    ranked = values.flatten()[None] if scope == "global" else values
    keep = ranked.shape[1] - round(sparsity * ranked.shape[1])
    kept = ranked.abs().argsort(dim=1, descending=True, stable=True)[:, :keep]
    mask = torch.zeros_like(ranked, dtype=torch.bool).scatter_(1, kept, True)
    pruned = torch.where(mask, ranked, 0.0).view_as(values)
    return list(torch.split(pruned, [len(table) for table in tables]))


class Magnitude(Method[MagnitudeParams]):
    """Keep the largest values (Han et al. 2015), without fine-tuning."""

    Params = MagnitudeParams

    def params_for(self, budget: int, shape: Shape) -> MagnitudeParams:
        """See `Method.params_for`: as many values per row as fit, in the layout that leaves room for most.

        The sum over both tables of the smaller layout is at most that of one layout for both, which is what is
        counted here.
        """
        size = shape.entities * shape.dim
        width = VALUE_BYTES[MagnitudeParams().values]
        candidates = [MagnitudeParams(sparsity=1 - kept / (16 * shape.dim)) for kept in range(16 * shape.dim, 0, -1)]

        def tensor_bytes(params: MagnitudeParams) -> float:
            kept = size - round(params.sparsity * size)
            return kept * width + min(layout_bytes(each, shape.entities, shape.dim, kept) for each in LAYOUTS)

        return largest(candidates, tensor_bytes, budget)

    def compress(self, task: Task[MagnitudeParams]) -> Artefact:
        """See `Method.compress`."""
        tables = prune([task.backbone.users, task.backbone.items], task.params.sparsity, task.params.scope)
        users, items = (Sparse.encode(table, ENCODERS[task.params.values]) for table in tables)
        return Artefact(users, items)

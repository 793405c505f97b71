"""One-shot magnitude pruning."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from recpress.api import Artefact, Field, Method, Params, Shape, Task, largest
from recpress.compression import pruning
from recpress.compression.pruning import ValueName


class MagnitudeParams(Params):
    """Share that is pruned, and storage of the rest."""

    sparsity: float = Field(0.5, ge=0, lt=1, description="Share of the values that become zero; exact to one value.")
    scope: Literal["global", "row"] = Field("global", description="Rank values over both tables, or within each row.")
    values: ValueName = Field("fp16", description="How the values that stay are stored.")


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
    kept = torch.where(pruning.largest_mask(ranked.abs(), sparsity), ranked, 0.0).view_as(values)
    return list(torch.split(kept, [len(table) for table in tables]))


class Magnitude(Method[MagnitudeParams]):
    """Keep the largest values (Han et al. 2015), without fine-tuning."""

    Params = MagnitudeParams

    def params_for(self, budget: int, shape: Shape) -> MagnitudeParams:
        """See `Method.params_for`: as many values as fit."""
        candidates = [MagnitudeParams(sparsity=each) for each in pruning.sparsities(shape.dim)]
        return largest(
            candidates,
            lambda params: pruning.tensor_bytes(shape.entities, shape.dim, params.sparsity, params.values),
            budget,
        )

    def compress(self, task: Task[MagnitudeParams]) -> Artefact:
        """See `Method.compress`."""
        tables = prune([task.backbone.users, task.backbone.items], task.params.sparsity, task.params.scope)
        users, items = (pruning.encode(table, task.params.values) for table in tables)
        return Artefact(users, items)

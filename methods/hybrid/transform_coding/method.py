"""Transform coding of embedding tables: decorrelate, round, entropy-code."""

from __future__ import annotations

import json
from dataclasses import replace

import torch
from safetensors.torch import save
from torch import Tensor

from recpress.api import TOLERANCE, Artefact, BudgetUnreachable, Field, Method, Params, Shape, Task, Uniform
from recpress.codecs.composite.entropy import Entropy
from recpress.codecs.tables.exponent import exponent, lost, shift
from recpress.compression.rotation import principal

# Codes are bytes around zero.
LEVELS = 127
# Halvings of the interval that holds the step: on a logarithmic scale, so it is found to 0.02 %.
HALVINGS = 16
# Headers, models and manifest of the smallest artefact, in bytes, and the least rate that leaves anything to rank by.
OVERHEAD = 1536
LEAST_BITS = 0.05


class TransformParams(Params):
    """The rate; the step follows from it and the data."""

    bits: float = Field(2.0, ge=LEAST_BITS, le=8, description="Bits per value of both tables, everything counted.")
    dead_zone: float = Field(
        0.2, ge=0, le=0.5, description="In steps, how much further than half a step zero reaches: zeros are cheap."
    )


def quantized(table: Tensor, step: float, dead_zone: float) -> Uniform:
    """Round a table to multiples of a step, with a wider zero."""
    exact = torch.tensor([[step]])
    by = exponent(exact) if lost(exact, exact) else 0
    scale = shift(exact, -by).half()
    steps = table / shift(scale.float(), by)
    codes = (steps.abs() + 0.5 - dead_zone).floor().clamp(0, LEVELS) * steps.sign() + LEVELS
    return Uniform(codes.byte(), scale, None, 8, table.shape[1], by)


def artefact(users: Tensor, items: Tensor, steps: tuple[float, float], dead_zone: float) -> Artefact:
    """Code rotated tables, without the columns in which one of the two is all zero: they add nothing to a score."""
    grids = [quantized(table, step, dead_zone) for table, step in zip((users, items), steps, strict=True)]
    live = [(grid.codes != LEVELS).any(0) for grid in grids]
    kept = (live[0] & live[1]).nonzero()[:, 0]
    # A table of zeros still has a column.
    kept = kept if len(kept) else torch.tensor([0])
    coded_users, coded_items = (
        Entropy.encode(replace(grid, codes=grid.codes[:, kept], columns=len(kept))) for grid in grids
    )
    return Artefact(coded_users, coded_items)


def file_bytes(made: Artefact) -> int:
    """Return what an artefact will take on disk."""
    return len(save(made.tensors())) + len(json.dumps(made.manifest(), separators=(",", ":")))


class TransformCoding(Method[TransformParams]):
    """Principal axes, one uniform grid, an entropy coder per column (Goyal 2001).

    Scores are inner products, so the tables may be rotated together. In the principal axes of both, columns are
    uncorrelated and their variances differ by orders of magnitude. With one step Δ for all of them every column errs
    by about ``Δ²/12`` or by its own variance, whichever is less, and an entropy coder spends
    ``max(0, ½ log₂(σ²/Δ²) + c)`` bits on a column: that is reverse water-filling, the allocation that is optimal for
    Gaussian columns, without choosing bits for any.

    Users and items have a step each. Summed over all pairs, the squared error of the scores is about
    ``(n_U Δ_U² ‖E_I‖² + n_I Δ_I² ‖E_U‖²) / 12`` and the bits fall by ``n_U log₂ Δ_U + n_I log₂ Δ_I`` per column; the
    best ratio is therefore ``Δ_U / Δ_I = ‖E_U‖ / ‖E_I‖`` (Frobenius norms), and the axes are those of the tables
    scaled to one norm.

    Codes are bytes in memory, served by the int8 kernel; only the disk sees the entropy code.
    """

    Params = TransformParams

    def params_for(self, budget: int, shape: Shape) -> TransformParams:
        """See `Method.params_for`: the rate is the budget's own."""
        values = shape.entities * shape.dim
        least = OVERHEAD + LEAST_BITS / 8 * values
        if budget * TOLERANCE < least:
            raise BudgetUnreachable(f"the smallest artefact takes {least:,.0f} bytes and the budget is {budget:,}")
        return TransformParams(bits=min(8.0, 8 * budget * TOLERANCE / values))

    def compress(self, task: Task[TransformParams]) -> Artefact:
        """See `Method.compress`: the finest step, by bisection, whose artefact has the rate.

        Raises
        ------
        ValueError
            When a value is not finite, or not even a table of zeros has the rate.
        """
        users, items = task.backbone.users, task.backbone.items
        if not (torch.isfinite(users).all() and torch.isfinite(items).all()):
            raise ValueError("a value of the backbone is not finite")
        norms = [float(table.norm()) or 1.0 for table in (users, items)]
        axes = principal(torch.cat([users / norms[0], items / norms[1]]), users.shape[1])
        users, items = users @ axes, items @ axes
        budget = task.params.bits / 8 * (users.numel() + items.numel())

        def made(step: float) -> Artefact | None:
            steps = (step * norms[0], step * norms[1])
            candidate = artefact(users, items, steps, task.params.dead_zone)
            return candidate if file_bytes(candidate) <= budget else None

        # The finest step that a byte's codes allow without clipping, and one that leaves nothing.
        peak = max(float(table.abs().max()) / norm for table, norm in zip((users, items), norms, strict=True)) or 1.0
        fine, coarse = peak / LEVELS, 4 * peak
        finest, best = made(fine), made(coarse)
        if finest is not None:
            return finest
        if best is None:
            raise ValueError(f"{task.params.bits} bits a value are too few for tables this small")
        for turn in range(HALVINGS):
            step = (fine * coarse) ** 0.5
            candidate = made(step)
            if candidate is None:
                fine = step
            else:
                best, coarse = candidate, step
            task.progress((turn + 1) / HALVINGS)
        return best

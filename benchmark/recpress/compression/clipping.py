"""Clipping before rounding: a narrower grid errs more on the few largest values and less on all others."""

from __future__ import annotations

import torch
from torch import Tensor

from recpress.codecs.tables.uniform import Granularity, Uniform

# Shares of the full range that are tried; the last one clips nothing, so that clipping never errs more.
GRID = tuple(share / 20 for share in range(6, 21))


def clipped(table: Tensor, bits: int, granularity: Granularity = "row", symmetric: bool = False) -> Uniform:
    """Encode a table with the range, among those of `GRID`, that errs least.

    Parameters
    ----------
    table : float32 Tensor of shape (n, d)
    bits, granularity, symmetric
        As in `Uniform.encode`. The range is chosen for each row, or for the whole table.

    Raises
    ------
    ValueError
        As `Uniform.encode`.

    Notes
    -----
    ``c* = argmin_c ‖x − Q_c(x)‖²`` by search: symmetric ranges shrink towards zero, others towards their middle
    (Shin et al. 2016 and Sung et al. 2015 search the step of a quantizer in this way).
    """
    dims = (1,) if granularity == "row" else (0, 1)
    least, best = torch.full_like(table.sum(dims, keepdim=True), torch.inf), table
    for share in GRID:
        narrowed = _narrowed(table, share, dims, symmetric)
        decoded = Uniform.encode(narrowed, bits, granularity, symmetric).decode()
        error = (decoded - table).square().sum(dims, keepdim=True)
        # The full range comes last and wins ties: a constant row stays as it is.
        better = error <= least
        least, best = torch.where(better, error, least), torch.where(better, narrowed, best)
    return Uniform.encode(best, bits, granularity, symmetric)


def _narrowed(table: Tensor, share: float, dims: tuple[int, ...], symmetric: bool) -> Tensor:
    if symmetric:
        bound = share * table.abs().amax(dims, keepdim=True)
        return table.clamp(-bound, bound)
    low, high = table.amin(dims, keepdim=True), table.amax(dims, keepdim=True)
    middle, half = (low + high) / 2, share * (high - low) / 2
    return table.clamp(middle - half, middle + half) if share < 1 else table

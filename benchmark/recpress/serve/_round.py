"""Tables and queries in signed bytes, with a bound on what rounding changes in any score of a query."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recpress.codecs.base import blocks

LEVELS = 127

_LOST = LEVELS * 2.0**-22  # What float32 can lose on the way to units.

MOST_COLUMNS = (1 << 24) // LEVELS**2
"""With more, a product of bytes need not be a whole number in float32."""


@dataclass(frozen=True)
class Rounded:
    """A table in bytes: row i, column j is ``units[j] · codes[i, j]`` and a rest of at most ``rests[j]``.

    Attributes
    ----------
    codes : int8 Tensor of shape (n, d)
    units, rests : float64 Tensor of shape (d,)
    longest_code, longest_rest : float
        The greatest Euclidean norm of a row of codes, and of a row of rests in units.
    """

    codes: Tensor
    units: Tensor
    rests: Tensor
    longest_code: float
    longest_rest: float

    @classmethod
    def of(cls, table: Tensor) -> Rounded:
        """Round a finite float32 table."""
        peaks = table.abs().amax(0) if len(table) else table.new_zeros(table.shape[1])
        units = torch.where(peaks > 0, peaks / LEVELS, 1.0)
        codes = torch.empty(table.shape, dtype=torch.int8)
        rests, longest_code, longest_rest = torch.zeros(table.shape[1]), 0.0, 0.0
        for part in blocks(len(table)):
            folded = table[part] / units
            near = folded.round().clamp_(-LEVELS, LEVELS)
            codes[part] = near.to(torch.int8)
            rest = folded.sub_(near).abs_().add_(_LOST)
            rests = torch.maximum(rests, rest.amax(0))
            longest_code = max(longest_code, _longest(near))
            longest_rest = max(longest_rest, _longest(rest))
        return cls(codes, units.double(), rests.double() * units, longest_code, longest_rest)

    def queries(self, queries: Tensor) -> tuple[Tensor, NDArray[np.float64]]:
        """Round queries, folded into the columns' units.

        Parameters
        ----------
        queries : float32 Tensor of shape (B, d)
            Finite.

        Returns
        -------
        codes : int8 Tensor of shape (B, d)
        margins : float64 array of shape (B,)
            If a row's product of codes is more than a margin below another's, its exact score, and the one that
            float32 makes of it in any order of the columns, are below that other's.
        """
        folded = queries.double() * self.units
        steps = folded.abs().amax(1, keepdim=True) / LEVELS
        steps = torch.where(steps > 0, steps, 1.0)
        codes = (folded / steps).round_()
        lost = folded - steps * codes
        # A sum of products is at most the sum of magnitudes times the peak, and at most the product of norms.
        of_queries = torch.minimum(LEVELS * lost.abs().sum(1), self.longest_code * lost.norm(dim=1))
        of_table = torch.minimum(queries.abs().double() @ self.rests, self.longest_rest * folded.norm(dim=1))
        of_sums = (queries.shape[1] + 16) * 2.0**-22 * LEVELS * folded.abs().sum(1)
        margins = 2 * (of_queries + of_table + of_sums) / steps[:, 0] + 1
        return codes.to(torch.int8), margins.numpy()


def _longest(rows: Tensor) -> float:
    # A norm in float32 is off by a few units in its last place.
    return float(rows.norm(dim=1).max()) * (1 + 2.0**-16)

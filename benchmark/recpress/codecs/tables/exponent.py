"""A power of two beside float16 numbers, for tables that are too small or too large for these.

Below 2⁻¹⁴ a float16 has fewer bits the smaller it is, and below 2⁻²⁵ none. A codec whose numbers would lose more than
`SHARE` by that is made of the table times a power of two, and remembers the exponent. It takes no bytes but in the
manifest, and the codec of any other table is the same as without it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from recpress.codecs.base import Items, Scores, TopKScorer
from recpress.data.interactions import UserItems

# What rounding to float16 may lose of a row, or of a table where numbers belong to all of it.
SHARE = 1 / 64
# The least float16 of full precision, and the first float32 that is rounded to infinity.
LEAST_NORMAL, OVERFLOW = 2.0**-14, 65520.0
# Exponent of the largest value once shifted: room for sums and doubles above it, and for most rows below it.
TOP = 12
# Beyond these, shifting back would leave float32.
LOWEST, HIGHEST = -100, 100


def lost(exact: Tensor, size: Tensor, reach: float = 1.0) -> bool:
    """Return whether float16 can't hold numbers well enough.

    Parameters
    ----------
    exact : float32 Tensor
        The numbers.
    size : float32 Tensor that broadcasts
        The largest value of what they are of.
    reach : float
        How often a number's error counts: for a step, the levels of its grid.
    """
    error = (exact.half().float() - exact).abs() * reach
    coarse = (exact.abs() < LEAST_NORMAL) & (error > SHARE * size)
    return bool((coarse | (exact.abs() >= OVERFLOW)).any())


def exponent(table: Tensor) -> int:
    """Return the exponent of what a table is divided by to be held in float16; 0 where that wouldn't help."""
    peak = float(table.abs().max()) if table.numel() else 0.0
    if not 0 < peak < np.inf:
        return 0
    found = int(np.clip(np.frexp(peak)[1] - 1 - TOP, LOWEST, HIGHEST))
    return found if found < 0 or peak >= OVERFLOW else 0


def shift(table: Tensor, by: int) -> Tensor:
    """Return a table times ``2 ** by``, exactly."""
    return table * 2.0**by if by else table


def stored(by: int) -> dict[str, int]:
    """Return the option of a codec that says the exponent, none where it is 0."""
    return {"exponent": by} if by else {}


def restored(options: dict[str, Any]) -> int:
    """Return the exponent that a codec's options say.

    Raises
    ------
    ValueError
        When shifting by it would leave float32.
    """
    by = int(options.get("exponent", 0))
    if not LOWEST <= by <= HIGHEST:
        raise ValueError(f"an exponent lies in [{LOWEST}, {HIGHEST}], not {by}")
    return by


class ShiftedTopKScorer(TopKScorer):
    """Another ranker's scores, times a power of two: what comes first is the same.

    Parameters
    ----------
    inner : TopKScorer
    by : int
        The exponent.
    """

    def __init__(self, inner: TopKScorer, by: int) -> None:
        self.inner, self.by, self.kernel = inner, by, inner.kernel

    def scores(self, queries: Tensor, out: Tensor | None = None) -> Tensor:
        """See `Scorer.scores`."""
        return self.inner.scores(queries, out).mul_(2.0**self.by)

    def top(self, queries: Tensor, seen: UserItems, users: NDArray[np.int64], k: int) -> tuple[Items, Scores]:
        """See `TopKScorer.top`."""
        items, best = self.inner.top(queries, seen, users, k)
        return items, best * np.float32(2.0**self.by)


def top_k_scorer(inner: TopKScorer, by: int) -> TopKScorer:
    """Return a ranker whose scores are shifted; itself where the exponent is 0."""
    return ShiftedTopKScorer(inner, by) if by else inner

"""Low-rank tables: the product of two thin ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from recpress.codecs.base import ALL, Codec, Items, Rows, Scorer, Scores, TopKScorer, part, prefixed
from recpress.codecs.registry import register, restore
from recpress.codecs.work import Work
from recpress.data.interactions import UserItems


@register
@dataclass(frozen=True)
class LowRank(Codec):
    """``table ≈ left @ right`` with `left` of shape (n, k) and `right` of shape (k, d), each a codec of its own."""

    kind = "low-rank"
    left: Codec
    right: Codec

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the product."""
        return (self.left.shape[0], self.right.shape[1])

    def decode(self, rows: Rows = ALL) -> Tensor:
        """See `Codec.decode`."""
        return self.left.decode(rows) @ self.right.decode()

    def tensors(self) -> dict[str, Tensor]:
        """See `Codec.tensors`."""
        return prefixed("left", self.left.tensors()) | prefixed("right", self.right.tensors())

    def options(self) -> dict[str, Any]:
        """See `Codec.options`."""
        return {"left": self.left.spec(), "right": self.right.spec()}

    def breakdown(self) -> Counter[str]:
        """See `Codec.breakdown`."""
        return self.left.breakdown() + self.right.breakdown()

    @classmethod
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> LowRank:
        """See `Codec.restore`."""
        left, right = (restore(options[side], part(side, tensors)) for side in ("left", "right"))
        if left.shape[1] != right.shape[0]:
            raise ValueError(f"a left factor of rank {left.shape[1]} meets a right one of {right.shape[0]}")
        return cls(left, right)

    def nominal(self) -> int:
        """Count the factors' parameters: the product is not stored."""
        return self.left.nominal() + self.right.nominal()

    def nonzero(self) -> int:
        """Count the factors' parameters: the product is not stored."""
        return self.left.nonzero() + self.right.nonzero()

    def work(self, queries: int) -> Work:
        """See `Codec.work`: the query's projection, then the left factor's own work."""
        rank, columns = self.right.shape
        projection = Work({"fp32": queries * rank * columns}, self.right.breakdown().total())
        return projection + self.left.work(queries)

    def scorer(self) -> Scorer:
        """Return the kernel that folds the query into the left factor's space."""
        left = self.left.scorer()
        right = self.right.decode().T.contiguous()
        return FoldedTopKScorer(right, left) if isinstance(left, TopKScorer) else FoldedScorer(right, left)


class FoldedScorer(Scorer):
    """Project the query once, ``q @ right.T``, and score the thin left factor with its own kernel.

    Parameters
    ----------
    right : float32 Tensor of shape (d, k)
    left : Scorer of k columns
    """

    def __init__(self, right: Tensor, left: Scorer) -> None:
        self.right, self.left = right, left
        self.kernel = f"folded query, {left.kernel}"

    def scores(self, queries: Tensor, out: Tensor | None = None) -> Tensor:
        """See `Scorer.scores`."""
        return self.left.scores(queries @ self.right, out)


class FoldedTopKScorer(FoldedScorer, TopKScorer):
    """Project the query once, and rank the thin left factor with its own kernel."""

    left: TopKScorer

    def top(self, queries: Tensor, seen: UserItems, users: NDArray[np.int64], k: int) -> tuple[Items, Scores]:
        """See `TopKScorer.top`."""
        return self.left.top(queries @ self.right, seen, users, k)

"""Two codecs of one table: a coarse one finds candidates, a fine one ranks them. Search is approximate."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recpress.codecs.base import ALL, Codec, Items, Rows, Scorer, Scores, TopKScorer, part, prefixed
from recpress.codecs.registry import register, restore
from recpress.codecs.work import Work
from recpress.data.interactions import UserItems


@register
@dataclass(frozen=True)
class Reranked(Codec):
    """The score of a candidate is the fine codec's; which rows are candidates, the coarse one says.

    Both are stored and charged. The table that it decodes to is the fine one.

    Attributes
    ----------
    coarse, fine : Codec of one shape
        The coarse one has a kernel that ranks (`TopKScorer`).
    count : int
        Candidates of each query, however long its list; in a longer one the others follow as the coarse codec ranks
        them.
    """

    kind = "reranked"
    coarse: Codec
    fine: Codec
    count: int

    def __post_init__(self) -> None:
        if self.coarse.shape != self.fine.shape:
            raise ValueError(f"a table of shape {self.fine.shape} can't be searched by one of {self.coarse.shape}")
        if self.count < 1:
            raise ValueError(f"at least one candidate is ranked, not {self.count}")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of either part."""
        return self.fine.shape

    def decode(self, rows: Rows = ALL) -> Tensor:
        """See `Codec.decode`: the fine rows."""
        return self.fine.decode(rows)

    def tensors(self) -> dict[str, Tensor]:
        """See `Codec.tensors`."""
        return prefixed("coarse", self.coarse.tensors()) | prefixed("fine", self.fine.tensors())

    def options(self) -> dict[str, Any]:
        """See `Codec.options`."""
        return {"coarse": self.coarse.spec(), "fine": self.fine.spec(), "count": self.count}

    def breakdown(self) -> Counter[str]:
        """See `Codec.breakdown`."""
        return self.coarse.breakdown() + self.fine.breakdown()

    @classmethod
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> Reranked:
        """See `Codec.restore`."""
        coarse, fine = (restore(options[name], part(name, tensors)) for name in ("coarse", "fine"))
        return cls(coarse, fine, int(options["count"]))

    def nominal(self) -> int:
        """Count the parameters of both parts."""
        return self.coarse.nominal() + self.fine.nominal()

    def nonzero(self) -> int:
        """Count those of both parts that aren't zero."""
        return self.coarse.nonzero() + self.fine.nonzero()

    def work(self, queries: int) -> Work:
        """See `Codec.work`: the coarse scan, and the fine rows of each query's candidates, decoded and multiplied."""
        n, columns = self.shape
        rows = queries * min(self.count, n)
        read = rows * self.fine.breakdown().total() // max(n, 1)
        return self.coarse.work(queries) + Work({"fp32": 2 * rows * columns}, read)

    def scorer(self) -> Scorer:
        """Return the kernel that ranks candidates."""
        return RerankedScorer(self)


class RerankedScorer(TopKScorer):
    """Take the best rows of the coarse codec's own kernel and score them as the fine codec decodes them.

    What comes first does not depend on how long a list is asked for.

    Raises
    ------
    ValueError
        When the coarse codec has no kernel that ranks.
    """

    kernel = "coarse ranking, candidates scored again (approximate)"

    def __init__(self, codec: Reranked) -> None:
        coarse = codec.coarse.scorer()
        if not isinstance(coarse, TopKScorer):
            raise ValueError(f"{codec.coarse.kind} tables don't rank while they scan")
        self.coarse, self.codec = coarse, codec

    def scores(self, queries: Tensor, out: Tensor | None = None) -> Tensor:
        """See `Scorer.scores`: the fine scores of all rows, none left out."""
        return self.codec.fine.scorer().scores(queries, out)

    def top(self, queries: Tensor, seen: UserItems, users: NDArray[np.int64], k: int) -> tuple[Items, Scores]:
        """See `TopKScorer.top`: candidates by fine score; where k is larger, the next ones by coarse score."""
        count = self.codec.count
        found, scores = self.coarse.top(queries, seen, users, max(min(count, seen.n_items), k))
        if not self.codec.shape[0]:
            return found[:, :k], scores[:, :k]
        first, missing = found[:, :count], found[:, :count] < 0
        rows = torch.from_numpy(np.where(missing, 0, first).astype(np.int64))
        vectors = self.codec.fine.decode(rows.flatten()).view(*rows.shape, -1)
        fine = torch.bmm(vectors, queries[:, :, None])[:, :, 0].numpy()
        if np.isnan(fine).any():
            raise ValueError(f"the scores of user {int(users[np.isnan(fine).any(1)][0])} contain NaN")
        fine[missing] = -np.inf
        order = np.lexsort((first, -fine))
        found[:, :count] = np.take_along_axis(first, order, 1)
        scores[:, :count] = np.take_along_axis(fine, order, 1)
        return found[:, :k], scores[:, :k]

"""Tables whose rows are products, entry by entry, of rows of two small tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from recpress.codecs.base import ALL, Codec, Rows, part, prefixed
from recpress.codecs.registry import register, restore
from recpress.codecs.work import Work


@register
@dataclass(frozen=True)
class Compositional(Codec):
    """``row i = remainders[i mod m] ⊙ quotients[i div m]``: every row its own, of about ``2 sqrt(n)`` stored ones.

    Products have no codebook trick: scores of rows don't follow from scores of factors, so rows are made in blocks.

    Attributes
    ----------
    remainders : Codec of shape (m, d)
    quotients : Codec of shape (ceil(rows / m), d)
    rows : int
    """

    kind = "compositional"
    remainders: Codec
    quotients: Codec
    rows: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.rows, self.remainders.shape[1])

    def decode(self, rows: Rows = ALL) -> Tensor:
        """See `Codec.decode`."""
        ids, size = torch.arange(self.rows)[rows], self.remainders.shape[0]
        return self.remainders.decode(ids % size) * self.quotients.decode(ids // size)

    def tensors(self) -> dict[str, Tensor]:
        """See `Codec.tensors`."""
        return prefixed("remainders", self.remainders.tensors()) | prefixed("quotients", self.quotients.tensors())

    def options(self) -> dict[str, Any]:
        """See `Codec.options`."""
        return {"remainders": self.remainders.spec(), "quotients": self.quotients.spec(), "rows": self.rows}

    def breakdown(self) -> Counter[str]:
        """See `Codec.breakdown`."""
        return Counter(codebooks=(self.remainders.breakdown() + self.quotients.breakdown()).total())

    @classmethod
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> Compositional:
        """See `Codec.restore`."""
        first, second = (restore(options[side], part(side, tensors)) for side in ("remainders", "quotients"))
        rows = int(options["rows"])
        if first.shape[1] != second.shape[1] or first.shape[0] * second.shape[0] < rows:
            raise ValueError(f"tables of shape {first.shape} and {second.shape} don't make {rows} rows")
        return cls(first, second, rows)

    def nominal(self) -> int:
        """Count both tables: the products are not stored."""
        return self.remainders.nominal() + self.quotients.nominal()

    def nonzero(self) -> int:
        """Count both tables: the products are not stored."""
        return self.remainders.nonzero() + self.quotients.nonzero()

    def work(self, queries: int) -> Work:
        """See `Codec.work`: a product to make each entry and one per query to score it."""
        return Work({"fp32": (queries + 1) * self.rows * self.shape[1]}, self.breakdown().total())

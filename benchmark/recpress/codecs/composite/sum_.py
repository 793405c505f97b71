"""Tables stored as a sum of two."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from recpress.codecs.base import ALL, Codec, Rows, Scorer, part, prefixed
from recpress.codecs.registry import register, restore
from recpress.codecs.work import Work


@register
@dataclass(frozen=True)
class Sum(Codec):
    """``table ≈ first + second``, two codecs of one shape: sparse and low-rank, or codes and what they miss.

    Inner products are linear, so the scores add up and neither part is decoded for them.
    """

    kind = "sum"
    first: Codec
    second: Codec

    def __post_init__(self) -> None:
        if self.first.shape != self.second.shape:
            raise ValueError(f"a table of shape {self.first.shape} can't be added to one of {self.second.shape}")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of either part."""
        return self.first.shape

    def decode(self, rows: Rows = ALL) -> Tensor:
        """See `Codec.decode`."""
        return self.first.decode(rows) + self.second.decode(rows)

    def tensors(self) -> dict[str, Tensor]:
        """See `Codec.tensors`."""
        return prefixed("first", self.first.tensors()) | prefixed("second", self.second.tensors())

    def options(self) -> dict[str, Any]:
        """See `Codec.options`."""
        return {"first": self.first.spec(), "second": self.second.spec()}

    def breakdown(self) -> Counter[str]:
        """See `Codec.breakdown`."""
        return self.first.breakdown() + self.second.breakdown()

    @classmethod
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> Sum:
        """See `Codec.restore`."""
        return cls(*(restore(options[name], part(name, tensors)) for name in ("first", "second")))

    def nominal(self) -> int:
        """Count the parameters of both parts."""
        return self.first.nominal() + self.second.nominal()

    def nonzero(self) -> int:
        """Count those of both parts that aren't zero."""
        return self.first.nonzero() + self.second.nonzero()

    def work(self, queries: int) -> Work:
        """See `Codec.work`: both parts' work."""
        return self.first.work(queries) + self.second.work(queries)

    def scorer(self) -> Scorer:
        """Return the kernel that adds the parts' scores."""
        return SumScorer(self)


class SumScorer(Scorer):
    """Score each part with its own kernel and add."""

    kernel = "sum of two kernels"

    def __init__(self, codec: Sum) -> None:
        self.first, self.second = codec.first.scorer(), codec.second.scorer()

    def scores(self, queries: Tensor, out: Tensor | None = None) -> Tensor:
        """See `Scorer.scores`."""
        return self.first.scores(queries, out).add_(self.second.scores(queries))

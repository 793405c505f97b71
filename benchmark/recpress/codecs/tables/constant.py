"""A table that is one number everywhere."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from recpress.codecs.base import ALL, Codec, Rows, nbytes
from recpress.codecs.registry import register


@register
@dataclass(frozen=True)
class Constant(Codec):
    """One stored number. As the values of a `Sparse` table it makes a set of places, for no bytes per value.

    Attributes
    ----------
    value : float32 Tensor of shape (1,)
    rows, columns : int
    """

    kind = "constant"
    value: Tensor
    rows: int
    columns: int

    @classmethod
    def encode(cls, table: Tensor) -> Constant:
        """Store the number that a table consists of; an empty table is one of zeros.

        Raises
        ------
        ValueError
            When values differ, or are not finite.
        """
        value = table.flatten()[:1] if table.numel() else torch.zeros(1)
        if not torch.isfinite(value).all() or (table != value).any():
            raise ValueError("the table is not one finite number everywhere")
        return cls(value.clone(), table.shape[0], table.shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.rows, self.columns)

    def decode(self, rows: Rows = ALL) -> Tensor:
        """See `Codec.decode`."""
        return self.value.expand(len(range(self.rows)[rows]) if isinstance(rows, slice) else len(rows), self.columns)

    def tensors(self) -> dict[str, Tensor]:
        """See `Codec.tensors`."""
        return {"value": self.value}

    def options(self) -> dict[str, Any]:
        """See `Codec.options`."""
        return {"rows": self.rows, "columns": self.columns}

    def breakdown(self) -> Counter[str]:
        """See `Codec.breakdown`."""
        return Counter(values=nbytes(self.value))

    @classmethod
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> Constant:
        """See `Codec.restore`."""
        value, rows, columns = tensors["value"], int(options["rows"]), int(options["columns"])
        if value.shape != (1,) or value.dtype != torch.float32 or min(rows, columns) < 0:
            raise ValueError(f"one float32 number and a shape were expected, not {value.dtype} {tuple(value.shape)}")
        return cls(value, rows, columns)

    def nominal(self) -> int:
        """Count the one parameter that is stored."""
        return 1

    def nonzero(self) -> int:
        """Count it if it isn't zero."""
        return int(torch.count_nonzero(self.value))

"""Tables whose rows are cut into groups of columns, each encoded as a row of its own: finer scales, more of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.codecs.base import ALL, Codec, Encoder, Rows, part, prefixed
from recpress.codecs.registry import register, restore


@register
@dataclass(frozen=True)
class Grouped(Codec):
    """Row ``r`` of the table is rows ``r · g … r · g + g - 1`` of the inner codec, side by side.

    Where d is not a multiple of the group, the last group is padded with its row's last value, which widens no
    range; the padding is stored and counted.

    Attributes
    ----------
    groups : Codec of shape (n · ceil(d / size), size)
    columns : int
        d.
    """

    kind = "grouped"
    groups: Codec
    columns: int

    @classmethod
    def encode(cls, table: Tensor, size: int, encode: Encoder) -> Grouped:
        """Cut rows into groups of `size` columns, at most d, and encode all groups as one table."""
        columns = table.shape[1]
        if not 1 <= size <= columns:
            raise ValueError(f"a group must have 1 to {columns} columns, not {size}")
        padded = F.pad(table[:, None, :], (0, -columns % size), mode="replicate")
        return cls(encode(padded.reshape(-1, size)), columns)

    @property
    def per_row(self) -> int:
        """Groups of one row."""
        return -(-self.columns // self.groups.shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.groups.shape[0] // self.per_row, self.columns)

    def decode(self, rows: Rows = ALL) -> Tensor:
        """See `Codec.decode`."""
        picked = torch.arange(self.shape[0])[rows]
        inside = (picked[:, None] * self.per_row + torch.arange(self.per_row)).flatten()
        return self.groups.decode(inside).reshape(len(picked), self.per_row * self.groups.shape[1])[:, : self.columns]

    def tensors(self) -> dict[str, Tensor]:
        """See `Codec.tensors`."""
        return prefixed("groups", self.groups.tensors())

    def options(self) -> dict[str, Any]:
        """See `Codec.options`."""
        return {"groups": self.groups.spec(), "columns": self.columns}

    def breakdown(self) -> Counter[str]:
        """See `Codec.breakdown`."""
        return self.groups.breakdown()

    @classmethod
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> Grouped:
        """See `Codec.restore`."""
        codec = cls(restore(options["groups"], part("groups", tensors)), int(options["columns"]))
        if codec.groups.shape[0] % codec.per_row:
            raise ValueError(f"{codec.groups.shape[0]} groups don't make rows of {codec.per_row}")
        return codec

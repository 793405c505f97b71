"""Tables that are a function of the row's number: a small network over hashes of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.codecs.base import ALL, Codec, Rows, nbytes
from recpress.codecs.hashed import uniforms
from recpress.codecs.work import Work


def network(features: Tensor, layers: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Return ``W_L(… mish(W_1 x + b_1) …) + b_L``: linear layers of (out, in) weights and biases, Mish in between."""
    x = features
    for depth, (weight, bias) in enumerate(layers):
        x = F.linear(F.mish(x) if depth else x, weight, bias)
    return x


@dataclass(frozen=True)
class HashedNetwork(Codec):
    """Row i is a network of k numbers in [-1, 1) that are hashed from i. Nothing is stored for a row.

    Attributes
    ----------
    layers : tuple of (Tensor, Tensor)
        Weights of shape (out, in) and biases of shape (out,), float16 or float32, first layer first.
    rows : int
    """

    kind = "hashed-network"
    layers: tuple[tuple[Tensor, Tensor], ...]
    rows: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.rows, len(self.layers[-1][1]))

    @cached_property
    def _widened(self) -> list[tuple[Tensor, Tensor]]:
        return [(weight.float(), bias.float()) for weight, bias in self.layers]

    def decode(self, rows: Rows = ALL) -> Tensor:
        """See `Codec.decode`."""
        ids = torch.arange(self.rows)[rows]
        return network(uniforms(ids, self.layers[0][0].shape[1]), self._widened)

    def tensors(self) -> dict[str, Tensor]:
        """See `Codec.tensors`."""
        named = [(f"weight{depth}", weight) for depth, (weight, _) in enumerate(self.layers)]
        named += [(f"bias{depth}", bias) for depth, (_, bias) in enumerate(self.layers)]
        return dict(named)

    def options(self) -> dict[str, Any]:
        """See `Codec.options`."""
        return {"layers": len(self.layers), "rows": self.rows}

    def ledger(self) -> Counter[str]:
        """See `Codec.ledger`."""
        return Counter(weights=sum(nbytes(tensor) for layer in self.layers for tensor in layer))

    @classmethod
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> HashedNetwork:
        """See `Codec.restore`."""
        count, rows = int(options["layers"]), int(options["rows"])
        layers = tuple((tensors[f"weight{depth}"], tensors[f"bias{depth}"]) for depth in range(count))
        width = layers[0][0].shape[1]
        for weight, bias in layers:
            if weight.dim() != 2 or tuple(bias.shape) != (weight.shape[0],) or weight.shape[1] != width:
                raise ValueError("the layers of a network don't follow each other")
            width = weight.shape[0]
        return cls(layers, rows)

    def nominal(self) -> int:
        """Count weights and biases."""
        return sum(tensor.numel() for layer in self.layers for tensor in layer)

    def nonzero(self) -> int:
        """Count weights and biases that aren't zero."""
        return sum(int(torch.count_nonzero(tensor)) for layer in self.layers for tensor in layer)

    def work(self, queries: int) -> Work:
        """See `Codec.work`: the network runs for every row, in every scoring call."""
        n, columns = self.shape
        making = sum(weight.numel() for weight, _ in self.layers)
        return Work({"fp32": n * (making + queries * columns)}, self.ledger().total())

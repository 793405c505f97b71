"""Tables that are a function of the row's number: a small network over hashes of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.codecs.base import ALL, Codec, Rows, nbytes, no_floats
from recpress.codecs.registry import register
from recpress.codecs.tables.exponent import exponent, lost, restored, shift, stored
from recpress.codecs.tables.hashed import uniforms
from recpress.codecs.work import Work

Layers = list[tuple[Tensor, Tensor]]


def network(features: Tensor, layers: Layers) -> Tensor:
    """Return ``W_L(… mish(W_1 x + b_1) …) + b_L``: linear layers of (out, in) weights and biases, Mish in between."""
    x = features
    for depth, (weight, bias) in enumerate(layers):
        x = F.linear(F.mish(x) if depth else x, weight, bias)
    return x


@register
@dataclass(frozen=True)
class HashedNetwork(Codec):
    """Row i is a network of k numbers in [-1, 1) that are hashed from i. Nothing is stored for a row.

    Attributes
    ----------
    weights : float16 or float32 Tensor of shape (·,)
        Of all layers, the first one first: a weight matrix of shape (out, in), row by row, then its biases.
    widths : tuple of int
        k, the units of each hidden layer, d.
    rows, exponent : int
        The table is ``2 ** exponent`` times what the last layer gives; see `recpress.codecs.tables.exponent`.
    """

    kind = "hashed-network"
    weights: Tensor
    widths: tuple[int, ...]
    rows: int
    exponent: int = 0

    @classmethod
    def encode(cls, layers: Layers, rows: int) -> HashedNetwork:
        """Store layers as float16.

        Raises
        ------
        ValueError
            When a weight is not finite as float16.
        """
        last = torch.cat([tensor.flatten() for tensor in layers[-1]])
        if last.numel() and lost(last, last.abs().max()) and (by := exponent(last)):
            # A table is linear in the last layer, which is as large as the table.
            weight, bias = layers[-1]
            return replace(cls.encode([*layers[:-1], (shift(weight, -by), shift(bias, -by))], rows), exponent=by)
        weights = torch.cat([tensor.flatten() for layer in layers for tensor in layer]).half()
        if not torch.isfinite(weights).all():
            raise ValueError("a weight is not finite as fp16")
        return cls(weights, (layers[0][0].shape[1], *(len(bias) for _, bias in layers)), rows)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.rows, self.widths[-1])

    @cached_property
    def layers(self) -> Layers:
        """Weights and biases of each layer as float32."""
        left, layers = self.weights.float(), []
        for into, out in pairwise(self.widths):
            weight, bias, left = torch.split(left, [out * into, out, len(left) - out * into - out])
            layers.append((weight.view(out, into), bias))
        return layers

    def decode(self, rows: Rows = ALL) -> Tensor:
        """See `Codec.decode`."""
        made = network(uniforms(torch.arange(self.rows)[rows], self.widths[0]), self.layers)
        return shift(made, self.exponent)

    def tensors(self) -> dict[str, Tensor]:
        """See `Codec.tensors`."""
        return {"weights": self.weights}

    def options(self) -> dict[str, Any]:
        """See `Codec.options`."""
        return {"widths": list(self.widths), "rows": self.rows} | stored(self.exponent)

    def breakdown(self) -> Counter[str]:
        """See `Codec.breakdown`."""
        return Counter(weights=nbytes(self.weights))

    @classmethod
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> HashedNetwork:
        """See `Codec.restore`."""
        widths, weights = tuple(int(width) for width in options["widths"]), tensors["weights"]
        if not 0 <= int(options["rows"]) < 2**31 or any(width < 1 for width in widths):
            raise ValueError("a network makes at least no rows, of layers of at least one unit")
        if no_floats(weights) or len(widths) < 2 or tuple(weights.shape) != (parameters(widths),):
            raise ValueError(f"layers of {widths} units don't have {tuple(weights.shape)} weights")
        return cls(weights, widths, int(options["rows"]), restored(options))

    def nominal(self) -> int:
        """Count weights and biases."""
        return len(self.weights)

    def nonzero(self) -> int:
        """Count weights and biases that aren't zero."""
        return int(torch.count_nonzero(self.weights))

    def work(self, queries: int) -> Work:
        """See `Codec.work`: the network runs for every row, in every scoring call."""
        n, columns = self.shape
        return Work({"fp32": n * (len(self.weights) + queries * columns)}, nbytes(self.weights))


def parameters(widths: tuple[int, ...]) -> int:
    """Return how many weights and biases layers between so many units have."""
    return sum(into * out + out for into, out in pairwise(widths))

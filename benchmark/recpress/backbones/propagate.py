"""Products with the sparse matrices of the user-item graph, and linear propagation, the engine of LightGCN."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.data.graph import Adjacency

CPU = torch.device("cpu")


class SparseProduct:
    """``x → M x`` for a matrix with the pattern of a symmetric graph.

    On a CPU a product is an `embedding_bag`: the fastest sparse product that torch has there, and bitwise the same with
    any number of threads. On other devices it is torch's product with a CSR matrix. Since the pattern is symmetric, the
    transpose has the same pointers and neighbours and other weights, so the backward pass is a product too, and nothing
    is kept in between.

    Parameters
    ----------
    pointers, neighbours : int32 Tensor of shape (n + 1,) and (nnz,)
        CSR of the pattern.
    weights, transposed : float32 Tensor of shape (nnz,)
        Values of the matrix and of its transpose.
    """

    def __init__(self, pointers: Tensor, neighbours: Tensor, weights: Tensor, transposed: Tensor) -> None:
        self.pointers = pointers
        self.neighbours = neighbours
        self.weights = weights
        self.transposed = transposed

    def apply(self, x: Tensor, transpose: bool = False) -> Tensor:
        """Return ``M x`` or ``Mᵀ x`` for x of shape (n, d), without tracking gradients. Empty rows become 0."""
        weights = self.transposed if transpose else self.weights
        with torch.no_grad():
            if x.device.type != "cpu":
                return _csr(self.pointers, self.neighbours, weights.to(x.dtype)) @ x
            return F.embedding_bag(
                self.neighbours,
                x,
                self.pointers,
                mode="sum",
                per_sample_weights=weights.to(x.dtype),
                include_last_offset=True,
            )

    def __call__(self, x: Tensor) -> Tensor:
        """Return ``M x``, differentiable once."""
        result: Tensor = _Product.apply(x, self)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return result


def _csr(pointers: Tensor, neighbours: Tensor, weights: Tensor) -> Tensor:
    nodes = len(pointers) - 1
    with warnings.catch_warnings():
        # torch says that its CSR is a beta, and older versions that checks are disabled as they are asked to be.
        warnings.simplefilter("ignore", UserWarning)
        return torch.sparse_csr_tensor(pointers, neighbours, weights, (nodes, nodes), check_invariants=False)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, product: SparseProduct) -> Tensor:
        ctx.product = product
        return product.apply(x)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.product.apply(gradient.contiguous(), transpose=True), None


def symmetric(adjacency: Adjacency, device: torch.device = CPU) -> SparseProduct:
    """Return the product with ``Ã = D^-1/2 A D^-1/2``."""
    weights = torch.from_numpy(adjacency.weights).to(device)
    return SparseProduct(*_pattern(adjacency, device), weights, weights)


def neighbour_mean(adjacency: Adjacency, device: torch.device = CPU) -> SparseProduct:
    """Return the product with ``D^-1 A``: each node's mean over its neighbours."""
    degrees = np.diff(adjacency.indptr)
    inverse = np.divide(1.0, degrees, out=np.zeros(len(degrees), np.float32), where=degrees > 0, dtype=np.float32)
    weights, transposed = np.repeat(inverse, degrees), inverse[adjacency.indices]
    return SparseProduct(
        *_pattern(adjacency, device), torch.from_numpy(weights).to(device), torch.from_numpy(transposed).to(device)
    )


def _pattern(adjacency: Adjacency, device: torch.device) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(adjacency.indptr).to(device), torch.from_numpy(adjacency.indices).to(device)


class Propagation:
    """The mean of `first` to `layers` steps over a symmetric normalised adjacency, ``P = mean_l Ã^l``.

    `P` is a polynomial of a symmetric matrix, hence symmetric itself, so the gradient of ``P x`` is `P` applied to the
    incoming gradient (LightGCN, He et al. 2020, equations 7 and 8, with `first` = 0).

    Parameters
    ----------
    adjacency : Adjacency
        Over n nodes.
    layers : int
        1 or more; 0 is the identity.
    first : int
        The first step in the mean.
    precision : {"fp32", "bf16"}
        Of the rows that a step reads; sums over steps are always fp32.
    device : torch.device
    """

    def __init__(
        self,
        adjacency: Adjacency,
        layers: int,
        first: int = 0,
        precision: Literal["fp32", "bf16"] = "fp32",
        device: torch.device = CPU,
    ) -> None:
        self.product = symmetric(adjacency, device)
        self.layers = layers
        self.first = first
        self.half = precision == "bf16"

    def step(self, x: Tensor) -> Tensor:
        """Return ``Ã x`` for x of shape (n, d), without tracking gradients. Nodes without edges become 0."""
        return self._read(x).to(x.dtype)

    def _read(self, x: Tensor) -> Tensor:
        # In the precision of what is read: the next step needs no other.
        return self.product.apply(x.bfloat16() if self.half else x)

    def apply(self, x: Tensor) -> Tensor:
        """Return ``P x`` without tracking gradients."""
        return self.walk(x)[0]

    def __call__(self, x: Tensor) -> Tensor:
        """Return ``P x``, differentiable once."""
        result: Tensor = _Propagate.apply(x, self)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return result

    def noisy(self, x: Tensor, layer: int, length: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return the mean of steps, and step `layer` of them, with noise added to each row after each step.

        The noise of a row has the given length and the signs of the row: ``sign(e) ⊙ length · u / |u|`` with `u`
        uniform in [0, 1) (SimGCL, Yu et al. 2022, equation 8). Differentiable once; the noise is a constant.

        Parameters
        ----------
        x : Tensor of shape (n, d)
        layer : int
            From `first` or 1 to `layers`.
        length : float
        generator : torch.Generator
        """
        views: tuple[Tensor, Tensor] = _PropagateNoisy.apply(  # type: ignore[no-untyped-call]  # torch leaves it untyped
            x, self, layer, length, generator
        )
        return views

    def walk(
        self, x: Tensor, layer: int = 0, length: float = 0.0, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the mean of steps and step `layer`, without tracking gradients; see `noisy`."""
        with torch.no_grad():
            share = 1 / (self.layers + 1 - self.first)
            total = x * share if self.first == 0 else torch.zeros_like(x)
            power, view = x, x
            for number in range(1, self.layers + 1):
                power = self._read(power)
                if length and generator is not None:
                    power = power.to(x.dtype)
                    _perturb(power, length, generator)
                if number >= self.first:
                    total.add_(power, alpha=share)
                if number == layer:
                    view = power.to(x.dtype)
            return total, view

    def adjoint(self, mean: Tensor, view: Tensor, layer: int) -> Tensor:
        """Return the gradient by ``x`` from those by the two results of `walk`, by Horner's rule."""
        with torch.no_grad():
            share = mean / (self.layers + 1 - self.first)
            total = torch.zeros_like(mean)
            for number in range(self.layers, -1, -1):
                if number < self.layers:
                    total = self.step(total)
                if number >= self.first:
                    total += share
                if number == layer:
                    total += view
            return total


def _perturb(rows: Tensor, length: float, generator: torch.Generator) -> None:
    # Eight bits for each entry are enough for a direction, and eight times as fast to draw as floats.
    bits = torch.empty(-(-rows.numel() // 8), dtype=torch.int64, device=rows.device)
    bits.random_(-(2**63), None, generator=generator)
    noise = bits.view(torch.uint8)[: rows.numel()].view(rows.shape).to(rows.dtype)
    scale = length / torch.linalg.vector_norm(noise, dim=1, keepdim=True).clamp_(min=1.0)
    rows.addcmul_(torch.copysign(noise, rows, out=noise), scale)


class _Propagate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, propagation: Propagation) -> Tensor:
        ctx.propagation = propagation
        return propagation.apply(x)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.propagation.apply(gradient.contiguous()), None


class _PropagateNoisy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, propagation: Propagation, layer: int, length: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        ctx.propagation, ctx.layer = propagation, layer
        mean, view = propagation.walk(x, layer, length, generator)
        return mean, view.clone() if view is x else view

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, mean: Tensor, view: Tensor) -> tuple[Tensor, None, None, None, None]:
        return ctx.propagation.adjoint(mean.contiguous(), view, ctx.layer), None, None, None, None

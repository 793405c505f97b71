"""Embeddings whose dimension falls with popularity."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from recpress.api import Artefact, Dense, Field, LowRank, Method, Shape, Task, TrainingParams, largest
from recpress.backbones.training.objective import Embed, Rows
from recpress.backbones.training.retrain import leading_directions, train_lookups
from recpress.codecs.composite.mixed import PART_METADATA_BYTES, Mixed, width
from recpress.codecs.packing import row_bytes

# Where buckets end, as shares of the rows from the most popular on.
ENDS = (1 / 16, 1 / 4, 1.0)


class MixedDimParams(TrainingParams):
    """The columns and the training."""

    epochs: int = Field(5, ge=1, description="Passes over the interactions.")
    dim: int = Field(32, ge=1, description="d₀: columns of the most popular bucket.")
    alpha: float = Field(0.3, ge=0, le=1, description="How fast columns fall with popularity; 0: not at all.")


def columns_of(params: MixedDimParams) -> list[int]:
    """Return the columns of each bucket, if popularity falls as one over rank (Zipf), taken at the buckets' middles.

    A rule of ranks alone keeps bytes independent of the data, so that a budget can be met without looking at it.
    """
    middles = [(start + end) / 2 for start, end in zip((0.0, *ENDS[:-1]), ENDS, strict=True)]
    return [max(1, round(params.dim * (middles[0] / middle) ** params.alpha)) for middle in middles]


def sizes_of(n: int) -> list[int]:
    """Return the rows of each bucket of n rows."""
    ends = [round(end * n) for end in ENDS]
    return [end - start for start, end in zip((0, *ends[:-1]), ends, strict=True)]


def buckets_of(popularity: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the bucket of each row, 0 for the most popular; of equally popular rows the first come first."""
    buckets = np.empty(len(popularity), np.uint8)
    buckets[np.argsort(-popularity, kind="stable")] = np.repeat(np.arange(len(ENDS)), sizes_of(len(popularity)))
    return buckets


class Side:
    """One table in buckets: thin rows and a projection for each, both leaves.

    They start as the leading directions of the bucket's own rows, which no other start of this form beats in squared
    error.
    """

    def __init__(self, table: Tensor, popularity: NDArray[np.int64], columns: list[int]) -> None:
        self.buckets = buckets_of(popularity)
        of = torch.from_numpy(self.buckets).long()
        self.factors = []
        for bucket, count in enumerate(columns):
            mine = table[of == bucket]
            basis = leading_directions(mine, min(count, table.shape[1]))
            self.factors.append(((mine @ basis).requires_grad_(), basis.T.contiguous().requires_grad_()))
        order = of.argsort(stable=True)
        self.place = torch.empty_like(order).scatter_(0, order, torch.arange(len(order)))

    @property
    def leaves(self) -> list[Tensor]:
        """The trained tensors."""
        return [leaf for factor in self.factors for leaf in factor]

    @property
    def rows(self) -> Rows:
        """From ids to rows of full width."""
        return lambda ids: F.embedding(self.place[ids], torch.cat([thin @ wide for thin, wide in self.factors]))

    def encode(self) -> Mixed:
        """Return both factors of each bucket as fp16."""
        table = self.rows(torch.arange(len(self.buckets))).detach()
        # The factors are known: what `Mixed` hands out is the product of each bucket.
        return Mixed.encode(table, self.buckets, [partial(_factors, factor) for factor in self.factors])


def _factors(factor: tuple[Tensor, Tensor], product: Tensor) -> LowRank:
    thin, wide = (Dense.encode(each.detach(), "fp16") for each in factor)
    return LowRank(thin, wide)


def tensor_bytes(params: MixedDimParams, shape: Shape) -> int:
    """Return the bytes of factors and bucket numbers, with what the parts add to header and manifest."""
    total, columns = 0, columns_of(params)
    for n in (shape.n_users, shape.n_items):
        total += row_bytes(n, width(len(ENDS))) + PART_METADATA_BYTES * len(ENDS)
        total += 2 * sum(count * (size + shape.dim) for count, size in zip(columns, sizes_of(n), strict=True))
    return total


class MixedDim(Method[MixedDimParams]):
    """Train factors of popularity buckets (Ginart et al. 2019) from the frozen final vectors on, without the graph."""

    Params = MixedDimParams

    def params_for(self, budget: int, shape: Shape) -> MixedDimParams:
        """See `Method.params_for`: as many columns as fit, at most the backbone's."""
        candidates = [MixedDimParams(dim=dim) for dim in range(shape.dim, 0, -1)]
        return largest(candidates, lambda params: tensor_bytes(params, shape), budget)

    def compress(self, task: Task[MixedDimParams]) -> Artefact:
        """See `Method.compress`."""
        params, seen = task.params, task.graph.user_items
        columns = columns_of(params)
        users = Side(task.backbone.users, np.diff(seen.indptr).astype(np.int64), columns)
        items = Side(task.backbone.items, np.bincount(seen.items, minlength=seen.n_items).astype(np.int64), columns)
        train_lookups(
            task.backbone,
            task.graph,
            task.generator,
            Embed(users.rows, items.rows),
            [*users.leaves, *items.leaves],
            params.epochs,
            task.progress,
            params.rate,
        )
        return Artefact(users.encode(), items.encode())

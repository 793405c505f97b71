"""Shared rows with a factor for each id."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.api import Artefact, Codebook, Codec, Dense, Field, Method, Params, Shape, Task, Uniform, largest
from recpress.backbones.training.objective import Embed, Rows
from recpress.backbones.training.retrain import train_lookups
from recpress.codecs.tables.codebook import places

# Factors add two tensors with scales to each side, which header and manifest have to describe.
FACTORS_METADATA_BYTES = 512
encode_factors = partial(Uniform.encode, bits=8, granularity="tensor")


class MemcomParams(Params):
    """The tables and the training."""

    share: float = Field(0.25, gt=0, le=1, description="Rows of a table as a share of the ids that share them.")
    dim: int = Field(32, ge=1, description="Columns.")
    epochs: int | None = Field(None, ge=1, description="Passes over the interactions; by default the config's.")


class Memcom(Method[MemcomParams]):
    """Train a hashed table and one factor per id, stored in a byte: ids of one row differ, if only in length.

    Users of one row still get the same order of items, since their factor doesn't change it.
    """

    Params = MemcomParams

    def params_for(self, budget: int, shape: Shape) -> MemcomParams:
        """See `Method.params_for`: as many rows as fit beside the factors, of half the backbone's columns."""
        dim = max(1, shape.dim // 2)
        candidates = [MemcomParams(share=share / 1024, dim=dim) for share in range(1024, 0, -1)]

        def tensor_bytes(params: MemcomParams) -> int:
            rows = sum(max(1, round(params.share * n)) for n in (shape.n_users, shape.n_items))
            return 2 * params.dim * rows + shape.entities + FACTORS_METADATA_BYTES

        return largest(candidates, tensor_bytes, budget)

    def compress(self, task: Task[MemcomParams]) -> Artefact:
        """See `Method.compress`."""
        params, std = task.params, task.backbone.config.init_std

        def side(n: int) -> tuple[Tensor, Tensor, Rows]:
            words = torch.empty(max(1, round(params.share * n)), params.dim)
            words.normal_(std=std, generator=task.generator).requires_grad_()
            # Factors that differ from the start: with equal ones, ids of one row would get the same gradients.
            factors = torch.empty(n, 1).normal_(1.0, 0.1, generator=task.generator).requires_grad_()
            where = places("hash", n, len(words), 1)[:, 0]
            return words, factors, lambda ids: F.embedding(where[ids], words) * F.embedding(ids, factors)

        def encode(words: Tensor, factors: Tensor) -> Codec:
            stored = encode_factors(factors.detach())
            return Codebook(Dense.encode(words.detach(), "fp16"), "hash", None, stored, len(factors), 1)

        users, items = side(task.graph.n_users), side(task.graph.n_items)
        train_lookups(
            task.backbone,
            task.graph,
            task.generator,
            Embed(users[2], items[2]),
            [*users[:2], *items[:2]],
            params.epochs,
            task.progress,
        )
        return Artefact(encode(*users[:2]), encode(*items[:2]))

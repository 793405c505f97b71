"""The hashing trick, with one hash function or two."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.api import Artefact, Codebook, Dense, Field, Method, Params, Shape, Task, largest
from recpress.backbones.training.objective import Embed, Rows
from recpress.backbones.training.retrain import train_lookups
from recpress.codecs.tables.codebook import places


class HashingParams(Params):
    """The tables and the training."""

    share: float = Field(0.25, gt=0, le=1, description="Rows of a table as a share of the ids that share them.")
    hashes: int = Field(2, ge=1, le=4, description="Rows that are added for each id.")
    dim: int = Field(32, ge=1, description="Columns.")
    epochs: int | None = Field(None, ge=1, description="Passes over the interactions; by default the config's.")


def words_of(params: HashingParams, n: int) -> int:
    """Return the rows of the table that n ids share."""
    return max(1, round(params.share * n))


class Hashing(Method[HashingParams]):
    """Train a small table whose rows ids share by a hash (Weinberger et al. 2009), users and items apart.

    Hashes are computed again when serving and cost no bytes. With two, two ids rarely share both rows.
    """

    Params = HashingParams

    def params_for(self, budget: int, shape: Shape) -> HashingParams:
        """See `Method.params_for`: as many rows as fit, of half the backbone's columns."""
        dim = max(1, shape.dim // 2)
        candidates = [HashingParams(share=share / 1024, dim=dim) for share in range(1024, 0, -1)]

        def tensor_bytes(params: HashingParams) -> int:
            return 2 * params.dim * (words_of(params, shape.n_users) + words_of(params, shape.n_items))

        return largest(candidates, tensor_bytes, budget)

    def compress(self, task: Task[HashingParams]) -> Artefact:
        """See `Method.compress`."""
        params = task.params
        std = task.backbone.config.init_std / params.hashes**0.5

        def side(n: int) -> tuple[Tensor, Rows]:
            words = torch.empty(words_of(params, n), params.dim).normal_(std=std, generator=task.generator)
            where = places("hash", n, len(words), params.hashes)
            return words.requires_grad_(), lambda ids: F.embedding(where[ids], words).sum(-2)

        (users, user_rows), (items, item_rows) = side(task.graph.n_users), side(task.graph.n_items)
        train_lookups(
            task.backbone,
            task.graph,
            task.generator,
            Embed(user_rows, item_rows),
            [users, items],
            params.epochs,
            task.progress,
        )

        def encode(words: Tensor, n: int) -> Codebook:
            return Codebook(Dense.encode(words.detach(), "fp16"), "hash", None, None, n, params.hashes)

        return Artefact(encode(users, task.graph.n_users), encode(items, task.graph.n_items))

"""Quotient-remainder (compositional) embeddings."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.api import Artefact, Codebook, Codec, Compositional, Dense, Field, Method, Params, Shape, Task, largest
from recpress.backbones.training.objective import Embed, Rows
from recpress.backbones.training.retrain import train_lookups
from recpress.codecs.tables.codebook import remainders


class QrParams(Params):
    """The tables and the training."""

    share: float = Field(0.25, gt=0, le=1, description="Rows of both small tables as a share of the ids.")
    operation: Literal["multiply", "add"] = Field(
        "multiply", description="How two rows make one. Sums are scored without making rows; products aren't."
    )
    dim: int = Field(32, ge=1, description="Columns.")
    epochs: int | None = Field(None, ge=1, description="Passes over the interactions; by default the config's.")


def split(share: float, n: int) -> tuple[int, int]:
    """Return the rows for remainders and for quotients of n ids.

    Together they are `share` of n, or the fewest that there can be, about ``2 sqrt(n)``.
    """
    words = max(2, round(share * n))
    while True:
        try:
            size = remainders(n, words)
        except ValueError:
            words += 1
        else:
            return size, -(-n // size)


class QuotientRemainder(Method[QrParams]):
    """Train two small tables whose rows make one for each id, all of them different (Shi et al. 2020, section 3)."""

    Params = QrParams

    def params_for(self, budget: int, shape: Shape) -> QrParams:
        """See `Method.params_for`: as many rows as fit, of half the backbone's columns."""
        dim = max(1, shape.dim // 2)
        candidates = [QrParams(share=share / 512, dim=dim) for share in range(512, 0, -1)]

        def tensor_bytes(params: QrParams) -> int:
            return 2 * params.dim * sum(sum(split(params.share, n)) for n in (shape.n_users, shape.n_items))

        return largest(candidates, tensor_bytes, budget)

    def compress(self, task: Task[QrParams]) -> Artefact:
        """See `Method.compress`."""
        params, std = task.params, task.backbone.config.init_std
        product = params.operation == "multiply"

        def side(n: int) -> tuple[Tensor, Tensor, Rows]:
            size, quotients = split(params.share, n)
            first = torch.empty(size, params.dim).normal_(std=std, generator=task.generator).requires_grad_()
            # Factors around 1, so that products are as large as the first row alone; terms of a sum around 0.
            mean, spread = (1.0, 0.5) if product else (0.0, std)
            second = torch.empty(quotients, params.dim).normal_(mean, spread, generator=task.generator).requires_grad_()

            def rows(ids: Tensor) -> Tensor:
                remainder, quotient = F.embedding(ids % size, first), F.embedding(ids // size, second)
                return remainder * quotient if product else remainder + quotient

            return first, second, rows

        def encode(first: Tensor, second: Tensor, n: int) -> Codec:
            if product:
                return Compositional(Dense.encode(first.detach(), "fp16"), Dense.encode(second.detach(), "fp16"), n)
            words = Dense.encode(torch.cat([first, second]).detach(), "fp16")
            return Codebook(words, "quotient", None, None, n, 2)

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
        return Artefact(encode(*users[:2], task.graph.n_users), encode(*items[:2], task.graph.n_items))

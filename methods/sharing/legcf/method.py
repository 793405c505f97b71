"""A codebook whose assignments follow the graph."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.api import Artefact, Codebook, Dense, Field, Method, Shape, Task, TrainingParams, Uniform, largest
from recpress.backbones.training.objective import Embed, Objective
from recpress.backbones.training.retrain import train_lookups
from recpress.codecs.tables.codebook import place_type

encode_weights = partial(Uniform.encode, bits=8, granularity="tensor")
# Header and manifest of weights and places, beyond those of two plain tables.
MORE_METADATA_BYTES = 640
# Rows that are compared with all codewords at a time.
BLOCK_ROWS = 4096
CLUSTERING_STEPS = 10


class LegcfParams(TrainingParams):
    """The codebook and the training."""

    epochs: int = Field(10, ge=1, description="Passes over the interactions in each round.")
    rate: float = Field(0.2, gt=0, description="Adam's learning rate as a share of the training config's.")
    share: float = Field(0.1, gt=0, le=1, description="Codewords as a share of the rows that are written with them.")
    terms: int = Field(4, ge=1, le=8, description="Codewords of a row.")
    rounds: int = Field(2, ge=1, description="Rounds of assigning rows, from the second on by the graph, and training.")


def words_of(params: LegcfParams, n: int) -> int:
    """Return the codewords of a table of n rows."""
    return max(params.terms, round(params.share * n))


def cluster(table: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return the centres of rows, float32 of shape (count, d): some steps of k-means from random rows.

    There are no more centres than rows.
    """
    centres = table[torch.randperm(len(table), generator=generator)[:count]].clone()
    for _ in range(CLUSTERING_STEPS):
        nearest = torch.cat([torch.cdist(rows, centres).argmin(1) for rows in torch.split(table, BLOCK_ROWS)])
        sums = torch.zeros_like(centres).index_add_(0, nearest, table)
        members = torch.bincount(nearest, minlength=len(centres))[:, None]
        centres = torch.where(members > 0, sums / members.clamp(min=1), centres)
    return centres


def pursue(table: Tensor, words: Tensor, terms: int) -> tuple[Tensor, Tensor]:
    """Write rows as sums of a few codewords by orthogonal matching pursuit.

    Parameters
    ----------
    table : float32 Tensor of shape (n, d)
    words : float32 Tensor of shape (c, d)
    terms : int
        At most c.

    Returns
    -------
    where : int64 Tensor of shape (n, terms)
        Distinct codewords.
    weights : float32 Tensor of shape (n, terms)
        Those of the least squared error.
    """
    directions = F.normalize(words)
    blocks = [_pursue(rows, words, directions, terms) for rows in torch.split(table, BLOCK_ROWS)]
    return torch.cat([where for where, _ in blocks]), torch.cat([weights for _, weights in blocks])


def _pursue(rows: Tensor, words: Tensor, directions: Tensor, terms: int) -> tuple[Tensor, Tensor]:
    where, left = torch.empty(len(rows), 0, dtype=torch.int64), rows
    for _ in range(terms):
        fit = (left @ directions.T).abs().scatter_(1, where, -1.0)
        where = torch.cat([where, fit.argmax(1, keepdim=True)], 1)
        chosen = words[where]
        # A little of the diagonal more, so that two codewords that nearly coincide don't cancel with huge weights.
        gram = chosen @ chosen.mT
        damped = gram + 1e-3 * gram.diagonal(dim1=1, dim2=2).mean(1)[:, None, None].clamp(min=1e-6) * torch.eye(
            where.shape[1]
        )
        weights = torch.linalg.solve(damped, (chosen @ rows[:, :, None])[:, :, 0])
        left = rows - (weights[:, None, :] @ chosen)[:, 0]
    return where, weights


class Legcf(Method[LegcfParams]):
    """Train codewords and the weights of their sums; which codewords a row gets follows from propagated vectors.

    After LEGCF (Liang et al. 2024), folded: there, sums are propagated when serving, which takes the graph; here they
    are the final vectors. A first codebook is the k-means centres of the frozen final vectors. After each round the
    sums are propagated over the graph and rows are assigned anew to what came out (equation 8 there takes the largest
    entries of a pseudo-inverse solution, which is spread over all codewords where these outnumber the columns; here
    the code is sparse from the start).
    """

    Params = LegcfParams

    def params_for(self, budget: int, shape: Shape) -> LegcfParams:
        """See `Method.params_for`: as many codewords as fit beside the assignments, of four terms if these fit."""
        candidates = [
            LegcfParams(share=share / 1024, terms=terms) for terms in (4, 3, 2) for share in range(512, 0, -1)
        ]

        def tensor_bytes(params: LegcfParams) -> int:
            total = MORE_METADATA_BYTES
            for n in (shape.n_users, shape.n_items):
                words = words_of(params, n)
                total += 2 * words * shape.dim + n * params.terms * (1 + place_type(words)().itemsize)
            return total

        return largest(candidates, tensor_bytes, budget)

    def compress(self, task: Task[LegcfParams]) -> Artefact:
        """See `Method.compress`."""
        params, teacher, graph = task.params, task.backbone, task.graph
        propagation = Objective(graph, teacher.config, task.generator).propagation
        targets = [teacher.users, teacher.items]
        words = [cluster(table, words_of(params, len(table)), task.generator).requires_grad_() for table in targets]
        # A row of distinct codewords can't have more than there are.
        terms = min(params.terms, *map(len, words))
        where: list[Tensor] = []
        weights: list[Tensor] = []

        def row(side: int, ids: Tensor) -> Tensor:
            return (F.embedding(ids, weights[side])[..., None] * F.embedding(where[side][ids], words[side])).sum(-2)

        for number in range(params.rounds):
            codes = [pursue(t, w.detach(), terms) for t, w in zip(targets, words, strict=True)]
            where, weights = [code[0] for code in codes], [code[1].requires_grad_() for code in codes]

            def progress(share: float, done: int = number) -> None:
                task.progress((done + share) / params.rounds)

            train_lookups(
                teacher,
                graph,
                task.generator,
                Embed(partial(row, 0), partial(row, 1)),
                [*words, *weights],
                params.epochs,
                progress,
                params.rate,
            )
            made = [row(side, torch.arange(len(table))).detach() for side, table in enumerate(targets)]
            if propagation:
                targets = list(torch.split(propagation(torch.cat(made)), [graph.n_users, graph.n_items]))

        def encode(side: int) -> Codebook:
            stored = Dense.encode(words[side].detach(), "fp16")
            return Codebook.encode(stored, where[side], encode_weights(weights[side].detach()))

        return Artefact(encode(0), encode(1))

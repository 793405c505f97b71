"""The loss that a training config stands for, over tables that may come about in any differentiable way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.backbones.config import TrainingConfig
from recpress.backbones.propagate import Propagation
from recpress.backbones.training import losses
from recpress.backbones.training.pairs import pair_scores
from recpress.backbones.training.sampling import Batch, Sampler
from recpress.data.graph import Graph

Rows = Callable[[Tensor], Tensor]

# Numbers of the rows that are scored at a time on a device.
DEVICE_BLOCK = 2**28


@dataclass(frozen=True)
class Embed:
    """From ids to vectors: int64 Tensor of any shape to float32 Tensor of that shape and one more axis, d.

    Attributes
    ----------
    users, items : callable
    tables : tuple of Tensor, optional
        What rows are looked up in, where that is all there is to it.
    """

    users: Rows
    items: Rows
    tables: tuple[Tensor, Tensor] | None = None

    @classmethod
    def of(cls, users: Tensor, items: Tensor) -> Embed:
        """Look ids up in tables; the gradients of repeated rows add up in a fixed order."""
        return cls(lambda ids: F.embedding(ids, users), lambda ids: F.embedding(ids, items), (users, items))


class Objective:
    """Training on one graph with one training config: the loss that backbones, and methods that retrain, minimise.

    Parameters
    ----------
    graph : Graph
        Training interactions.
    config : TrainingConfig
    generator : torch.Generator
        All randomness comes from it; tables live on its device.
    """

    def __init__(self, graph: Graph, config: TrainingConfig, generator: torch.Generator) -> None:
        self.sampler = Sampler(graph.user_items, generator)
        self.config = config
        self.n_nodes, self.n_users, self.n_items = graph.n_nodes, graph.n_users, graph.n_items
        self.bipartite = graph.bipartite
        self.propagation = (
            Propagation(graph.adjacency(), config.layers, config.first_layer, config.precision, generator.device)
            if config.layers
            else None
        )

    def final(self, base: Tensor) -> Tensor:
        """Return the final table of a base table, both of shape (n_nodes, d), users before items."""
        return self.scored(self.propagation(base) if self.propagation else base)

    def scored(self, table: Tensor) -> Tensor:
        """Return the table whose inner products are the scores: with rows of length 1 where these are cosines."""
        return F.normalize(table) if self.config.cosine else table

    def scored_rows(self, embed: Embed) -> Embed:
        """Return the vectors whose inner products are the scores, of those of an embedding without propagation."""
        if not self.config.cosine:
            return embed
        return Embed(lambda ids: self.scored(embed.users(ids)), lambda ids: self.scored(embed.items(ids)))

    def split(self, table: Tensor) -> tuple[Tensor, Tensor]:
        """Return the users' and the items' part of a table of all nodes: twice the whole where they are the same."""
        if not self.bipartite:
            return table, table
        users, items, _ = torch.split(table, [self.n_users, self.n_items, self.n_nodes - self.n_users - self.n_items])
        return users, items

    def negatives(self, users: Tensor, final: Embed) -> Tensor:
        """Draw negatives, shape (B, negatives): each is the one that scores highest of `candidates` uniform draws.

        With more than one candidate this is dynamic negative sampling (Zhang et al. 2013).
        """
        count, candidates = self.config.negatives, self.config.candidates
        if candidates == 1:
            return self.sampler.negatives(users, count)
        drawn = self.sampler.uniform(len(users), count * candidates)
        scores = self.scores(final.users(users), drawn, final)
        owners = users.repeat_interleave(count)
        best = self.sampler.best(owners, drawn.view(-1, candidates), scores.view(-1, candidates))
        return best.view(-1, count)

    def near(self, users: Tensor, final: Embed) -> tuple[Tensor, Tensor]:
        """Draw `negatives` items for each row, and return those whose cosine with it is above the margin.

        As in SimpleX, an item that the user has may be among them.

        Parameters
        ----------
        users : Tensor of shape (B, d)
        final : Embed

        Returns
        -------
        rows, items : int64 Tensor of shape (n,)
            Row of `users`, ascending, and item.
        """
        drawn = self.sampler.uniform(len(users), self.config.negatives)
        rows, places = (self.scores(users, drawn, final) > self.config.margin).nonzero(as_tuple=True)
        return rows, drawn[rows, places]

    @torch.no_grad()
    def scores(self, users: Tensor, drawn: Tensor, final: Embed) -> Tensor:
        """Return the score of each row of `users`, shape (B, d), with each of the items drawn for it, shape (B, N)."""
        if users.device.type == "cpu":
            if final.tables:
                return pair_scores(users, final.tables[1], drawn)
            # No more rows than were drawn: there may be millions.
            if drawn.numel() < self.n_items:
                places = torch.arange(drawn.numel()).view_as(drawn)
                return pair_scores(users, final.items(drawn.flatten()), places)
            return pair_scores(users, final.items(torch.arange(self.n_items)), drawn)
        block = max(1, DEVICE_BLOCK // (drawn.shape[1] * users.shape[1]))
        parts = zip(torch.split(drawn, block), torch.split(users, block), strict=True)
        return torch.cat([(final.items(some) * who[:, None]).sum(2) for some, who in parts])

    def loss(self, batch: Batch, final: Embed, base: Embed) -> Tensor:
        """Return the training config's loss on a batch: of scores between final vectors, with base vectors kept small.

        Where both are the same object, vectors are looked up once.
        """
        config, sampler = self.config, self.sampler
        users = final.users(batch.users)
        if config.loss == "ccl":
            users = drop(users, config.dropout, sampler.generator)
            owners, drawn = self.near(users, final)
        else:
            drawn = self.negatives(batch.users, final) if config.loss == "bpr" else sampler.uniform(config.negatives)
        negatives = drawn.flatten()
        # One look-up for all items: each costs a table of zeros, for its gradient.
        looked_up = torch.cat([batch.items, negatives])
        items, others = torch.split(final.items(looked_up), [len(batch.items), len(negatives)])
        if config.loss == "bpr":
            value = losses.bpr(users, items, others.view(*drawn.shape, -1))
        elif config.loss == "softmax":
            value = losses.sampled_softmax(users, items, others, config.temperature)
        elif config.loss == "ccl":
            weight = config.negative_weight / config.negatives
            value = losses.cosine_contrastive(users, items, F.embedding(owners, users), others, config.margin, weight)
        else:
            by_user, by_item = sampler.degree_weights
            own = by_user[batch.users]
            weights = own[:, None] * by_item[negatives] if config.negative_scaling == "degree" else torch.ones(())
            value = losses.weighted_bce(
                (users * items).sum(1),
                users @ others.T,
                own * by_item[batch.items],
                weights,
                config.negative_weight,
            )
        if config.regularisation:
            if final is not base and base.tables:
                ids = (batch.users, looked_up)
                parts = [losses.squared_lengths(table, each) for table, each in zip(base.tables, ids, strict=True)]
            else:
                kept = (users, items, others) if final is base else (base.users(batch.users), base.items(looked_up))
                parts = [vectors.square().sum() for vectors in kept]
            value = value + config.regularisation / 2 * torch.stack(parts).sum() / len(batch.users)
        return value


def drop(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Set a share of the entries, drawn at random, to 0, and scale up what is left (Srivastava et al. 2014)."""
    if not share:
        return x
    kept = torch.rand(x.shape, generator=generator, device=x.device) >= share
    return x * kept / (1 - share)

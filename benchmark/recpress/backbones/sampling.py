"""Batches of interactions with sampled negatives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from recpress.data.interactions import UserItems

# Draws before a negative is taken as it is: a user who has nearly everything has no negatives to find.
MAX_DRAWS = 16


@dataclass(frozen=True)
class Batch:
    """Positives of one step: int64 tensors of shape (B,)."""

    users: Tensor
    items: Tensor


class Sampler:
    """Shuffled batches of a training set, and items that users don't have.

    Parameters
    ----------
    interactions : UserItems
    generator : torch.Generator
        All randomness comes from it.
    """

    def __init__(self, interactions: UserItems, generator: torch.Generator) -> None:
        self.users = torch.from_numpy(interactions.users).long()
        self.items = torch.from_numpy(interactions.items).long()
        self.n_items = interactions.n_items
        self.generator = generator
        self._keys = self.users * self.n_items + self.items  # ascending, since rows and items are

    def epoch(self, batch_size: int) -> Iterator[Batch]:
        """Yield every interaction once, in a fresh random order."""
        order = torch.randperm(len(self.users), generator=self.generator)
        for chosen in torch.split(order, batch_size):
            yield Batch(self.users[chosen], self.items[chosen])

    def uniform(self, *shape: int) -> Tensor:
        """Return items drawn uniformly, whoever has them."""
        return torch.randint(self.n_items, shape, generator=self.generator)

    def negatives(self, users: Tensor, count: int) -> Tensor:
        """Return items, shape (B, count), that each user has no interaction with."""
        drawn = self.uniform(len(users), count)
        owners = users[:, None].expand_as(drawn)
        for _ in range(MAX_DRAWS):
            hits = self.contains(owners, drawn)
            if not (n_hits := int(hits.sum())):
                break
            drawn[hits] = self.uniform(n_hits)
        return drawn

    def contains(self, users: Tensor, items: Tensor) -> Tensor:
        """Return whether each pair is an interaction."""
        keys = users * self.n_items + items
        place = torch.searchsorted(self._keys, keys).clamp_(max=len(self._keys) - 1)
        return self._keys[place] == keys

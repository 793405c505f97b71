"""Batches of interactions with sampled negatives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from recpress.data.interactions import UserItems

# Draws again before a negative is taken as it is.
MAX_DRAWS = 16
# Users with a larger share of all items draw from a list of those that they don't have: with this share the draws above
# would leave one negative in 130 wrong, with 90 % one in 6. No user of the data sets here has as many.
CROWDED = 0.75


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
        device = generator.device
        self.users = torch.from_numpy(interactions.users).long().to(device)
        self.items = torch.from_numpy(interactions.items).long().to(device)
        self.n_users = interactions.n_users
        self.n_items = interactions.n_items
        self.generator = generator
        self._keys = self.users * self.n_items + self.items  # ascending, since rows and items are

    @cached_property
    def degree_weights(self) -> tuple[Tensor, Tensor]:
        """Factors by user and by item of ``β_ui = 1/d_u √((d_u + 1)/(d_i + 1))`` (UltraGCN, Mao et al. 2021, eq. 5)."""
        by_user = torch.bincount(self.users, minlength=self.n_users)
        by_item = torch.bincount(self.items, minlength=self.n_items)
        return (by_user + 1).sqrt() / by_user.clamp(min=1), (by_item + 1).rsqrt()

    def epoch(self, batch_size: int, skip: int = 0) -> Iterator[Batch]:
        """Draw a fresh random order and return its batches, every interaction once, without the first `skip`.

        Within a batch interactions are in order of users, then items, so that users' rows are read one after another.
        """
        order = torch.randperm(len(self.users), generator=self.generator, device=self.generator.device)
        chunks = torch.split(order, batch_size)[skip:]
        ordered = (chosen.sort().values for chosen in chunks)
        return (Batch(self.users[chosen], self.items[chosen]) for chosen in ordered)

    @cached_property
    def _left(self) -> tuple[Tensor, Tensor, Tensor] | None:
        """Items that crowded users don't have, one after another, and where each user's begin and how many they are.

        Others have none here, nor has who has everything. None where nobody is crowded.
        """
        counts = torch.bincount(self.users, minlength=self.n_users)
        crowded = ((counts > CROWDED * self.n_items) & (counts < self.n_items)).nonzero().squeeze(1)
        if not len(crowded):
            return None
        everything = torch.arange(self.n_items, device=crowded.device)
        lists = [everything[~self.contains(user.expand(self.n_items), everything)] for user in crowded]
        sizes = torch.zeros_like(counts)
        sizes[crowded] = self.n_items - counts[crowded]
        return torch.cat(lists), sizes.cumsum(0) - sizes, sizes

    def uniform(self, *shape: int) -> Tensor:
        """Return items drawn uniformly, whoever has them."""
        return torch.randint(self.n_items, shape, generator=self.generator, device=self.generator.device)

    def negatives(self, users: Tensor, count: int) -> Tensor:
        """Return items, shape (B, count), that each user has no interaction with.

        A user who has everything gets any item.
        """
        drawn = self.uniform(len(users), count)
        owners, items = users[:, None].expand_as(drawn).flatten(), drawn.view(-1)
        hits = self.contains(owners, items).nonzero().squeeze(1)
        if self._left and len(hits):
            hits = self._drawn_of_left(owners, items, hits)
        for _ in range(MAX_DRAWS):
            if not len(hits):
                break
            items[hits] = self.uniform(len(hits))
            hits = hits[self.contains(owners[hits], items[hits])]
        return drawn

    def _drawn_of_left(self, owners: Tensor, items: Tensor, hits: Tensor) -> Tensor:
        """Replace the draws of crowded users by ones of what they don't have; return the hits of all others."""
        assert self._left is not None
        left, starts, sizes = self._left
        exact = sizes[owners[hits]] > 0
        places, users = hits[exact], owners[hits[exact]]
        share = torch.rand(len(places), dtype=torch.float64, generator=self.generator, device=left.device)
        items[places] = left[starts[users] + (share * sizes[users]).long()]
        return hits[~exact]

    def best(self, users: Tensor, drawn: Tensor, scores: Tensor) -> Tensor:
        """Return the draw that scores highest, for each user the best that it has no interaction with, shape (B,).

        A user who has all its draws gets another one, as good as `negatives`.

        Parameters
        ----------
        users : int64 Tensor of shape (B,)
        drawn : int64 Tensor of shape (B, N)
            Items.
        scores : Tensor of shape (B, N)
            Those of a user's own items are set to -inf where they would be chosen.
        """
        place = scores.argmax(1, keepdim=True)
        items = drawn.gather(1, place).squeeze(1)
        hits = self.contains(users, items).nonzero().squeeze(1)
        for _ in range(drawn.shape[1] - 1):
            if not len(hits):
                return items
            scores[hits, place[hits, 0]] = -torch.inf
            place[hits] = scores[hits].argmax(1, keepdim=True)
            items[hits] = drawn[hits, place[hits, 0]]
            hits = hits[self.contains(users[hits], items[hits])]
        items[hits] = self.negatives(users[hits], 1).squeeze(1)
        return items

    def contains(self, users: Tensor, items: Tensor) -> Tensor:
        """Return whether each pair is an interaction."""
        keys = users * self.n_items + items
        place = torch.searchsorted(self._keys, keys).clamp_(max=len(self._keys) - 1)
        return self._keys[place] == keys

"""A seeded generator of power-law interactions, for scale and for tests without data.

All randomness is hashed counters (SplitMix64, as for the splits), so the outcome doesn't hang on a library's
generator.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from recpress.data.card import Synthetic
from recpress.data.interactions import Interactions, sorted_unique
from recpress.data.splits import keys

ROUNDS = 30
_ACTIVITY, _USER_GROUP, _ITEM_GROUP, _ITEM_RANK, _DRAW = range(5)


def generate(spec: Synthetic) -> Interactions:
    """Generate distinct interactions.

    A user's number of items follows rank^-exponent (at least one, at most half of the catalogue). Each item is
    drawn by popularity rank^-exponent: from the user's own community with probability `affinity`, otherwise from
    all items. A pair that is drawn twice is drawn again; what a saturated user still lacks after 30 rounds is filled
    with uniform draws.

    Returns
    -------
    Interactions
        Exactly `spec.interactions` pairs in order of user and item.

    Raises
    ------
    ValueError
        When so many distinct pairs don't fit: fewer than one per user, or more than half of all pairs.
    """
    sys.audit("recpress.data", "synthetic")  # As loading does, for whoever watches.
    n_users, n_items, n = spec.users, spec.items, spec.interactions
    if not n_users <= n <= n_users * (n_items // 2):
        raise ValueError(f"interactions must lie between users ({n_users}) and users · items / 2")
    degrees = _degrees(n_users, n, n_items // 2, spec)
    user_group = _uniform(np.arange(n_users), spec.seed, _USER_GROUP) * spec.communities
    catalogue = _Catalogue(spec)
    found = np.empty(0, np.int64)
    counter = 0
    missing = degrees
    for round_ in range(ROUNDS + 1):
        users = np.repeat(np.arange(n_users), missing)
        if not len(users):
            break
        draws = np.arange(counter, counter + len(users))
        counter += len(users)
        if round_ < ROUNDS:
            items = catalogue.draw(user_group[users].astype(np.int64), draws)
        else:
            items = _first_unused(found, users, n_items)
        found = sorted_unique(np.concatenate([found, users * n_items + items]))
        missing = degrees - np.bincount(found // n_items, minlength=n_users)
    users, items = np.divmod(found, n_items)
    return Interactions(
        users.astype(np.int32), items.astype(np.int32), n_users, n_items, np.arange(n_users), np.arange(n_items)
    )


class _Catalogue:
    """Draws items by popularity, from all of them or from one community."""

    def __init__(self, spec: Synthetic) -> None:
        items = np.arange(spec.items)
        group = (_uniform(items, spec.seed, _ITEM_GROUP) * spec.communities).astype(np.int64)
        rank = np.empty(spec.items, np.int64)
        rank[np.argsort(_uniform(items, spec.seed, _ITEM_RANK), kind="stable")] = items
        weights = (rank + 1.0) ** -spec.exponent
        self._spec = spec
        self._all = np.cumsum(weights)
        self._order = np.argsort(group, kind="stable")
        self._grouped = np.cumsum(weights[self._order])
        self._starts = np.searchsorted(group[self._order], np.arange(spec.communities + 1))

    def draw(self, groups: NDArray[np.int64], draws: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return one item for each draw; `groups` are the communities of the users that draw."""
        uniform = _uniform(draws, self._spec.seed, _DRAW)
        coin = _uniform(draws, self._spec.seed, _DRAW + 1)
        low = np.concatenate([[0.0], self._grouped])[self._starts[groups]]
        high = np.concatenate([[0.0], self._grouped])[self._starts[groups + 1]]
        own = (coin < self._spec.affinity) & (high > low)
        items = np.empty(len(draws), np.int64)
        position = np.searchsorted(self._grouped, low[own] + uniform[own] * (high - low)[own], side="right")
        items[own] = self._order[np.clip(position, self._starts[groups[own]], self._starts[groups[own] + 1] - 1)]
        everywhere = np.searchsorted(self._all, uniform[~own] * self._all[-1], side="right")
        items[~own] = np.minimum(everywhere, self._spec.items - 1)
        return items


def _degrees(n_users: int, total: int, most: int, spec: Synthetic) -> NDArray[np.int64]:
    """Return interactions per user, shape (n_users,): at least 1, at most `most`, their sum exactly `total`."""
    rank = np.empty(n_users, np.int64)
    rank[np.argsort(_uniform(np.arange(n_users), spec.seed, _ACTIVITY), kind="stable")] = np.arange(n_users)
    weights = (rank + 1.0) ** -spec.exponent
    extra = np.floor(weights / weights.sum() * (total - n_users))
    degrees: NDArray[np.int64] = np.minimum(extra.astype(np.int64) + 1, most)
    # Rounding and the cap leave a rest; it goes to the most active users that have room.
    order = np.argsort(rank)
    while (rest := total - int(degrees.sum())) > 0:
        room = order[degrees[order] < most]
        share = max(1, rest // len(room))
        chosen = room if share > 1 or rest >= len(room) else room[:rest]
        degrees[chosen] = np.minimum(degrees[chosen] + share, most)
    return degrees


def _first_unused(found: NDArray[np.int64], users: NDArray[np.int64], n_items: int) -> NDArray[np.int64]:
    """Return for each user of the (sorted, repeated) list another item that it doesn't have yet."""
    items = np.empty(len(users), np.int64)
    lacking, starts, counts = np.unique(users, return_index=True, return_counts=True)
    for user, start, count in zip(lacking, starts, counts, strict=True):
        first, last = np.searchsorted(found, [user * n_items, (user + 1) * n_items])
        free = np.setdiff1d(np.arange(n_items), found[first:last] - user * n_items, assume_unique=True)
        items[start : start + count] = free[:count]
    return items


def _uniform(counters: NDArray[np.integer], seed: int, stream: int) -> NDArray[np.float64]:
    """Return numbers in [0, 1), one per counter, independent between streams."""
    words = keys(counters, np.full(1, stream), seed)
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53

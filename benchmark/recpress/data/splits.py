"""Splits: train, valid and test, the same on every platform and with every library version.

Random choices use no library generator: each interaction gets a 64-bit key from (seed, user, item) by the
finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014),
and a user's interactions are ordered by key. A split therefore depends on the set of interactions and the seed
alone: not on the order of rows, nor on numpy. Leave-one-out alone looks at the order of rows, where times are equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recpress.core.errors import UserError
from recpress.core.hashing import sha256_json
from recpress.data.card import SplitSpec
from recpress.data.interactions import Interactions, UserItems

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
TRAIN, VALID, TEST = 0, 1, 2
NAMES = ("train", "valid", "test")


@dataclass(frozen=True)
class Split:
    """Disjoint train, valid and test interactions over the same users and items."""

    train: UserItems
    valid: UserItems
    test: UserItems

    @property
    def n_users(self) -> int:
        """Number of users."""
        return self.train.n_users

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.train.n_items

    @cached_property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of each part, by name."""
        return {"train": self.train.sha256(), "valid": self.valid.sha256(), "test": self.test.sha256()}

    @property
    def sha256(self) -> str:
        """Hash of the whole split: of its three hashes."""
        return sha256_json(self.hashes)

    @cached_property
    def fit(self) -> UserItems:
        """Train and valid together: what a final model may see."""
        return self.train.union(self.valid)


def make(interactions: Interactions, spec: SplitSpec, ordered: bool = False) -> Split:
    """Split interactions by a protocol other than the official one.

    Parameters
    ----------
    interactions : Interactions
        Without duplicates.
    spec : SplitSpec
    ordered : bool
        The rows of each user are in time order, though there are no times.

    Raises
    ------
    UserError
        When a time-based protocol is asked for and the file tells no order, or leaves a part empty.
    """
    if spec.protocol == "random-per-user":
        part = random_parts(interactions.users, interactions.items, spec.valid, spec.test, spec.seed)
    elif spec.protocol == "leave-one-out":
        part = _leave_one_out(interactions, spec.seed, ordered)
        _refuse_empty(part, spec.protocol, (VALID, TEST), "no user has three interactions; take a larger file")
    elif spec.protocol == "temporal-global":
        part = _temporal(interactions, spec)
        asked = [TRAIN, *([VALID] if spec.valid else []), *([TEST] if spec.test else [])]
        why = "too many interactions are at one time, or their users or items aren't in train; give other shares"
        _refuse_empty(part, spec.protocol, asked, why)
    else:
        raise ValueError("official splits are read, not made")
    return from_parts(interactions, part)


def from_parts(interactions: Interactions, part: NDArray[np.int8]) -> Split:
    """Return the split in which row ``i`` belongs to ``part[i]``: 0 train, 1 valid, 2 test, -1 none."""

    def of(wanted: int) -> UserItems:
        rows = part == wanted
        return UserItems.from_pairs(
            interactions.users[rows], interactions.items[rows], interactions.n_users, interactions.n_items
        )

    return Split(of(TRAIN), of(VALID), of(TEST))


def official(interactions: Interactions, rows: Sequence[int], spec: SplitSpec) -> Split:
    """Keep a published split; where it has no valid part, hold out a random part of each user's train items.

    Parameters
    ----------
    interactions : Interactions
        The rows of the train file, then those of the valid file (if there is one), then those of the test file.
    rows : sequence of int
        Rows of each file: two or three numbers.

    Raises
    ------
    UserError
        When a pair stands in two files or twice in one, or a user has test items but no train items and the card
        doesn't say that there are such users.
    """
    names = ("train", "test") if len(rows) == 2 else ("train", "valid", "test")
    starts = np.concatenate([[0], np.cumsum(rows)])
    _refuse_repeats(interactions, names, starts)
    users, n_train, test = interactions.users, rows[0], slice(starts[-2], None)
    cold = ~np.isin(users[test], users[:n_train])
    if cold.any() and not spec.cold_users:
        row = int(np.argmax(cold))
        user = interactions.user_ids[users[test][row]]
        raise UserError(f"User {user} has test items but no train items (interaction {row + 1} of the test file).")
    part = np.full(len(interactions), VALID, np.int8)
    part[:n_train] = TRAIN
    part[test] = TEST
    if len(rows) == 2:
        part[:n_train] = random_parts(users[:n_train], interactions.items[:n_train], spec.valid, 0.0, spec.seed)
    return from_parts(interactions, part)


def _refuse_repeats(interactions: Interactions, names: Sequence[str], starts: NDArray[np.int64]) -> None:
    pairs = interactions.users.astype(np.int64) * interactions.n_items + interactions.items
    order = np.argsort(pairs, kind="stable")
    repeats = np.flatnonzero(np.diff(pairs[order]) == 0)
    if not len(repeats):
        return
    row = int(order[repeats + 1].min())
    first = int(np.flatnonzero(pairs == pairs[row])[0])
    user, item = interactions.user_ids[interactions.users[row]], interactions.item_ids[interactions.items[row]]

    def named(index: int) -> str:
        file = int(np.searchsorted(starts, index, side="right")) - 1
        return f"interaction {index - starts[file] + 1} of the {names[file]} file"

    raise UserError(f"Duplicate split rows: user {user} with item {item} is {named(first)} and again {named(row)}.")


def keys(users: NDArray[np.integer], items: NDArray[np.integer], seed: int) -> NDArray[np.uint64]:
    """Return a pseudorandom 64-bit key for each (user, item), dense ids below 2**32."""
    word = users.astype(np.uint64) << np.uint64(32) | items.astype(np.uint64)
    start = _mix(np.array([seed], np.uint64) + _GOLDEN)
    return _mix(_mix(word + _GOLDEN) ^ start)


def _mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def random_parts(
    users: NDArray[np.int32], items: NDArray[np.int32], valid: float, test: float, seed: int
) -> NDArray[np.int8]:
    """Assign each interaction to a part, at random within its user.

    Of a user's n interactions, round(test · n) go to test and round(valid · n) to valid (halves up, in thousandths,
    so that no floating point is involved), but at least one stays in train.
    """
    order = _by_user_and_key(users, items, keys(users, items, seed))
    rank, counts = _rank_within_user(users, order)
    n = counts[users].astype(np.int64)
    n_test = _share(n, test)
    n_valid = _share(n, valid)
    # `rank` runs from 0 in key order: test first, then valid; the last interaction is always train.
    part = np.full(len(users), TRAIN, np.int8)
    part[rank < n_test + n_valid] = VALID
    part[rank < n_test] = TEST
    part[rank == n - 1] = TRAIN
    return part


def _by_user_and_key(users: NDArray[np.int32], items: NDArray[np.int32], key: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Return ``np.lexsort((items, key, users))``, thirty times faster.

    One sort by the user and the upper half of the key settles nearly all; the few rows that tie are sorted in full.
    """
    packed = users.astype(np.uint64) << np.uint64(32) | key >> np.uint64(32)
    order = np.argsort(packed, kind="stable")
    same = np.diff(packed[order]) == 0
    tied = np.zeros(len(order), bool)
    tied[1:] |= same
    tied[:-1] |= same
    rows = order[tied]
    order[tied] = rows[np.lexsort((items[rows], key[rows], users[rows]))]
    return order


def _share(n: NDArray[np.int64], fraction: float) -> NDArray[np.int64]:
    thousandths = round(fraction * 1000)
    return (2 * n * thousandths + 1000) // 2000


def _rank_within_user(
    users: NDArray[np.int32], order: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each row's position among its user's rows when taken in `order`, and the rows of each user."""
    counts = np.bincount(users)
    starts = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    rank = np.empty(len(users), np.int64)
    rank[order] = np.arange(len(users)) - starts[users[order]]
    return rank, counts


def _leave_one_out(interactions: Interactions, seed: int, ordered: bool) -> NDArray[np.int8]:
    """Last item of each user to test, the one before to valid; users with fewer than three stay in train."""
    if interactions.times is None and not ordered:
        raise UserError(
            "A leave-one-out split needs times, and this file has none: use a file with timestamps "
            "(for ml-1m the official ratings.dat) or the protocol random-per-user."
        )
    rank, counts = _rank_within_user(interactions.users, _in_time(interactions, seed, ordered))
    left = counts[interactions.users] - rank
    part = np.full(len(interactions), TRAIN, np.int8)
    many = counts[interactions.users] >= 3
    part[many & (left == 2)] = VALID
    part[many & (left == 1)] = TEST
    return part


def _in_time(interactions: Interactions, seed: int, ordered: bool) -> NDArray[np.intp]:
    """Return all rows by user and time; equal times as `ties` says."""
    users, times = interactions.users, interactions.times
    rows = np.arange(len(interactions))
    if ordered or times is None:
        return np.lexsort((rows, users))
    if ties(interactions) == "file":
        newest_first = (_steps(users, times) < 0).any()
        return np.lexsort((-rows if newest_first else rows, times, users))
    return np.lexsort((interactions.items, keys(users, interactions.items, seed), times, users))


def ties(interactions: Interactions) -> Literal["none", "file", "drawn"]:
    """Return what tells the order of a user's interactions at equal times.

    The file does where the rows of each user are in order of time, from old to new or from new to old, and aren't
    merely sorted by item where times are equal. Else a draw by the seed does: the order of ids would test the highest
    of them always.
    """
    users, times = interactions.users, interactions.times
    if times is None:
        return "none"
    in_time = np.lexsort((np.arange(len(users)), times, users))
    tied = (np.diff(users[in_time]) == 0) & (np.diff(times[in_time]) == 0)
    if not tied.any():
        return "none"
    steps = _steps(users, times)
    by_item = (np.diff(interactions.items[in_time])[tied] > 0).all()
    return "file" if ((steps >= 0).all() or (steps <= 0).all()) and not by_item else "drawn"


def _steps(users: NDArray[np.int32], times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the time from each row of a user to that user's next row in the file."""
    by_user = np.argsort(users, kind="stable")
    same: NDArray[np.int64] = np.diff(times[by_user])[np.diff(users[by_user]) == 0]
    return same


def described(interactions: Interactions, spec: SplitSpec) -> str:
    """Return a card's sentence on the order of equal times; empty where none is needed."""
    if spec.protocol != "leave-one-out":
        return ""
    return {
        "none": "",
        "file": " Interactions of a user at the same time are in the order of the file.",
        "drawn": f" Interactions of a user at the same time are in an order drawn by the seed {spec.seed}.",
    }[ties(interactions)]


def _refuse_empty(part: NDArray[np.int8], protocol: str, asked: Sequence[int], why: str) -> None:
    empty = [NAMES[number] for number in asked if not (part == number).any()]
    if empty:
        raise UserError(f"The {protocol} split leaves {' and '.join(empty)} empty: {why}, or use random-per-user.")


def _temporal(interactions: Interactions, spec: SplitSpec) -> NDArray[np.int8]:
    """Newest interactions to test, those before to valid; equal times never fall on both sides of a cut.

    Interactions of valid and test whose user or item is not in train are left out: no model that is trained
    once could answer them.
    """
    if interactions.times is None:
        raise UserError(
            "A temporal-global split needs times, and this file has none: use a file with timestamps "
            "(for ml-1m the official ratings.dat) or the protocol random-per-user."
        )
    n = len(interactions)
    ordered = np.sort(interactions.times)
    n_test, n_valid = (int(_share(np.array([n]), share)[0]) for share in (spec.test, spec.valid))
    part = np.full(n, TRAIN, np.int8)
    if n_test + n_valid:
        part[interactions.times >= ordered[n - n_test - n_valid]] = VALID
    if n_test:
        part[interactions.times >= ordered[n - n_test]] = TEST
    train = part == TRAIN
    known_user = np.bincount(interactions.users[train], minlength=interactions.n_users) > 0
    known_item = np.bincount(interactions.items[train], minlength=interactions.n_items) > 0
    part[~train & ~(known_user[interactions.users] & known_item[interactions.items])] = -1
    return part

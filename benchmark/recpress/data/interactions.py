"""Interactions as read from a file, and their compressed form, items per user."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Interactions:
    """Parsed interactions with dense ids, in the order of the file.

    Attributes
    ----------
    users, items : int32 arrays of shape (n,)
        Dense ids, 0-based.
    n_users, n_items : int
        Sizes of the id ranges; ids without interactions are allowed.
    ratings : float32 array of shape (n,), optional
    times : int64 array of shape (n,), optional
        Nanoseconds since 1970, UTC.
    user_ids, item_ids : arrays of shape (n_users,) and (n_items,)
        The ids of the file, by dense id.
    """

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    n_users: int
    n_items: int
    user_ids: NDArray[Any]
    item_ids: NDArray[Any]
    ratings: NDArray[np.float32] | None = None
    times: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.users)

    def sha256(self) -> str:
        """Return the hash of who interacted with what, by the ids of the file."""
        digest = hashlib.sha256(f"{self.n_users} {self.n_items} {len(self)}\n".encode())
        for dense in (self.users, self.items):
            digest.update(dense.astype("<i4").tobytes())
        for ids in (self.user_ids, self.item_ids):
            plain = ids.astype("<i8") if ids.dtype.kind in "iu" else ids.astype(np.str_).astype("<U")
            digest.update(f"{plain.dtype.str}\n".encode() + plain.tobytes())
        return digest.hexdigest()


def sorted_unique(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return distinct keys, ascending.

    Ten times faster than `np.unique`, which hashes integers since numpy 2.3; sorted runs are merged.
    """
    ordered = np.sort(keys, kind="stable")
    if not len(ordered):
        return ordered
    first = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered[first]


@dataclass(frozen=True)
class UserItems:
    """Items per user, compressed by rows (CSR without values).

    Attributes
    ----------
    indptr : int64 array of shape (n_users + 1,)
    items : int32 array of shape (nnz,)
        Items of user ``u`` are ``items[indptr[u]:indptr[u + 1]]``, ascending, each once.
    n_items : int
        Size of the catalogue.
    """

    indptr: NDArray[np.int64]
    items: NDArray[np.int32]
    n_items: int

    @classmethod
    def from_pairs(
        cls, users: NDArray[np.integer], items: NDArray[np.integer], n_users: int, n_items: int
    ) -> UserItems:
        """Sort pairs by user and item and drop duplicates.

        Raises
        ------
        ValueError
            When an id lies outside its range.
        """
        for name, ids, size in (("user", users, n_users), ("item", items, n_items)):
            if len(ids) and (ids.min() < 0 or ids.max() >= size):
                raise ValueError(f"{name} ids must lie in [0, {size})")
        keys = sorted_unique(users.astype(np.int64) * n_items + items)
        rows, columns = np.divmod(keys, n_items) if n_items else (keys, keys)
        indptr = np.zeros(n_users + 1, np.int64)
        np.cumsum(np.bincount(rows, minlength=n_users), out=indptr[1:])
        return cls(indptr, columns.astype(np.int32), n_items)

    @property
    def n_users(self) -> int:
        """Number of rows."""
        return len(self.indptr) - 1

    @property
    def nnz(self) -> int:
        """Number of interactions."""
        return len(self.items)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Interactions of each user, shape (n_users,)."""
        return np.diff(self.indptr)

    @property
    def users(self) -> NDArray[np.int32]:
        """The user of each interaction, shape (nnz,), aligned with `items`."""
        return np.repeat(np.arange(self.n_users, dtype=np.int32), self.counts)

    def of(self, user: int) -> NDArray[np.int32]:
        """Return the items of one user, a view."""
        return self.items[self.indptr[user] : self.indptr[user + 1]]

    def rows(self) -> Iterator[NDArray[np.int32]]:
        """Yield the items of each user in turn, as views."""
        return (self.of(user) for user in range(self.n_users))

    def union(self, other: UserItems) -> UserItems:
        """Return the interactions that are in either; both must have the same sizes."""
        users = np.concatenate([self.users, other.users])
        items = np.concatenate([self.items, other.items])
        return UserItems.from_pairs(users, items, self.n_users, self.n_items)

    def sha256(self) -> str:
        """Return the hash of the content: sizes, then the little-endian arrays. The same on every platform."""
        digest = hashlib.sha256(f"{self.n_users} {self.n_items} {self.nnz}\n".encode())
        digest.update(self.indptr.astype("<i8").tobytes())
        digest.update(self.items.astype("<i4").tobytes())
        return digest.hexdigest()

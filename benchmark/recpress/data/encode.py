"""From the ids of a file to dense ids, and the declared preprocessing on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recpress.core.errors import UserError
from recpress.data.card import IdRange, Preprocess
from recpress.data.formats.raw import RawTable
from recpress.data.interactions import Interactions


def encode(raw: RawTable, ids: IdRange | None = None) -> Interactions:
    """Give dense ids in the ascending order of the file's ids, so that the order of rows never matters.

    Parameters
    ----------
    ids : IdRange, optional
        The range that integer ids must lie in; all of it gets dense ids. Default: only ids that occur.

    Raises
    ------
    UserError
        When an id lies outside the declared range.
    """
    if ids is None:
        users, user_ids = _dense(raw.users)
        items, item_ids = _dense(raw.items)
    else:
        users, user_ids = _in_range("user", raw.users, ids.first, ids.users)
        items, item_ids = _in_range("item", raw.items, ids.first, ids.items)
    return Interactions(
        users, items, len(user_ids), len(item_ids), user_ids, item_ids, ratings=raw.ratings, times=raw.times
    )


def _in_range(kind: str, ids: NDArray[np.int64], first: int, size: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    outside = (ids < first) | (ids >= first + size)
    if outside.any():
        row = int(np.argmax(outside))
        raise UserError(
            f"Interaction {row + 1}: the {kind} id {ids[row]} lies outside the declared range "
            f"{first} … {first + size - 1}."
        )
    return (ids - first).astype(np.int32), np.arange(first, first + size)


def preprocess(raw: RawTable, spec: Preprocess) -> RawTable:
    """Apply rating threshold, duplicate rule and k-core, in this order.

    Raises
    ------
    UserError
        When the threshold needs ratings that the file lacks, nothing is left, or duplicates are errors.
    """
    if spec.min_rating is not None:
        if raw.ratings is None:
            raise UserError("A rating threshold is set but the file has no ratings: unset min_rating in the card.")
        raw = take(raw, np.flatnonzero(raw.ratings >= spec.min_rating))
    raw = _without_duplicates(raw, spec.duplicates)
    if spec.min_user > 1 or spec.min_item > 1:
        raw = take(raw, k_core(raw.users, raw.items, spec.min_user, spec.min_item))
    if not len(raw):
        raise UserError("No interaction is left after preprocessing: lower min_rating, min_user or min_item.")
    return raw


def concatenate(tables: Sequence[RawTable]) -> RawTable:
    """Return the rows of several tables, one after the other; ratings and times only if all have them."""

    def joined(name: str) -> NDArray[Any] | None:
        columns = [getattr(table, name) for table in tables]
        return None if any(column is None for column in columns) else np.concatenate(columns)

    users = np.concatenate([table.users for table in tables])
    items = np.concatenate([table.items for table in tables])
    return RawTable(users, items, joined("ratings"), joined("times"), all(table.ordered for table in tables))


def take(raw: RawTable, rows: NDArray[np.integer]) -> RawTable:
    """Return some rows, in the order given."""
    return RawTable(
        raw.users[rows],
        raw.items[rows],
        None if raw.ratings is None else raw.ratings[rows],
        None if raw.times is None else raw.times[rows],
        raw.ordered,
    )


def k_core(users: NDArray[Any], items: NDArray[Any], min_user: int, min_item: int) -> NDArray[np.int64]:
    """Return the rows of the largest subset in which each user and item has enough interactions.

    The core is unique, so the order of removal doesn't matter; both sides are removed in each round until
    nothing changes.
    """
    user_codes, item_codes = pd.factorize(users)[0], pd.factorize(items)[0]
    rows = np.arange(len(users))
    while len(rows):
        user_counts, item_counts = np.bincount(user_codes[rows]), np.bincount(item_codes[rows])
        keep = (user_counts[user_codes[rows]] >= min_user) & (item_counts[item_codes[rows]] >= min_item)
        if keep.all():
            break
        rows = rows[keep]
    return rows


def _without_duplicates(raw: RawTable, rule: str) -> RawTable:
    order = np.arange(len(raw)) if raw.times is None else np.argsort(raw.times, kind="stable")
    pairs = pd.DataFrame({"user": raw.users[order], "item": raw.items[order]})
    repeated = pairs.duplicated(keep="last" if rule == "last" else "first").to_numpy()
    if not repeated.any():
        return raw
    if rule == "error":
        first = int(order[np.argmax(repeated)])
        raise UserError(
            f"Row {first + 1} repeats user {raw.users[first]} with item {raw.items[first]}, and the card forbids "
            "duplicates: set preprocess.duplicates to 'first' or 'last'."
        )
    return take(raw, np.sort(order[~repeated]))


def _dense(ids: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[Any]]:
    if ids.dtype.kind in "iu" and len(ids) and ids.min() >= 0 and ids.max() < 10 * len(ids) + 1000:
        # Small integer ids: a table is ten times faster than sorting.
        present = np.zeros(int(ids.max()) + 1, bool)
        present[ids] = True
        known = np.flatnonzero(present)
        dense = np.zeros(len(present), np.int32)
        dense[known] = np.arange(len(known), dtype=np.int32)
        return dense[ids], known
    codes, known = pd.factorize(ids, sort=True)
    return codes.astype(np.int32), np.asarray(known)

"""Parsed and split data sets, kept in the cache by content: what is there is whole and up to date."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recpress.core.hashing import sha256_code, sha256_json
from recpress.core.io import creating
from recpress.core.paths import cache_dir
from recpress.data.interactions import Interactions, UserItems
from recpress.data.splits import Split

PARTS = ("train", "valid", "test")


@cache
def code() -> str:
    """Return the hash of this package's code: of all that parses and splits."""
    return sha256_code([Path(__file__).parent])


def folder_of(dataset: str, content: dict[str, object]) -> Path:
    """Return where a parsed set lies, or would lie.

    Parameters
    ----------
    content : JSON-serialisable dict
        All that decides what is parsed: the card's options and the hashes of the raw files. The hash of this
        package's code is added.
    """
    return cache_dir() / "parsed" / dataset / sha256_json({"content": content, "code": code()})[:32]


def read(folder: Path) -> tuple[Interactions, Split] | None:
    """Return a parsed set, or None when it isn't there."""
    if not folder.is_dir():
        return None
    arrays = {path.stem: np.load(path, allow_pickle=False) for path in folder.glob("*.npy")}
    n_users, n_items = len(arrays["user_ids"]), len(arrays["item_ids"])
    interactions = Interactions(
        arrays["users"],
        arrays["items"],
        n_users,
        n_items,
        arrays["user_ids"],
        arrays["item_ids"],
        ratings=arrays.get("ratings"),
        times=arrays.get("times"),
    )
    parts = (UserItems(arrays[f"{part}_indptr"], arrays[f"{part}_items"], n_items) for part in PARTS)
    return interactions, Split(*parts)


def write(folder: Path, interactions: Interactions, split: Split) -> None:
    """Keep a parsed set. It appears whole, in one rename; who comes second leaves the first in place."""
    with creating(folder) as temporary:
        for name, array in _arrays(interactions, split).items():
            np.save(temporary / f"{name}.npy", array, allow_pickle=False)


def _arrays(interactions: Interactions, split: Split) -> dict[str, NDArray[np.generic]]:
    arrays = {
        "users": interactions.users,
        "items": interactions.items,
        "user_ids": _plain(interactions.user_ids),
        "item_ids": _plain(interactions.item_ids),
        "ratings": interactions.ratings,
        "times": interactions.times,
    }
    for part in PARTS:
        rows: UserItems = getattr(split, part)
        arrays |= {f"{part}_indptr": rows.indptr, f"{part}_items": rows.items}
    return {name: array for name, array in arrays.items() if array is not None}


def _plain(ids: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return ids as a fixed-width array, which needs no pickle."""
    return ids.astype(np.str_) if ids.dtype.kind == "O" else ids

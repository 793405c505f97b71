"""A fitted recommender as a folder by itself: the artefact, and beside it the ids and what each user has seen.

``artefact/`` is the folder that is measured and charged. ``users.parquet`` and ``items.parquet`` map dense ids back to
those of the data and keep the users' histories: what any service has in its own store. ``fit.json`` says what was
fitted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recpress.codecs.artefact import MANIFEST, Artefact
from recpress.core.errors import UserError, unknown
from recpress.core.printable import readable_json
from recpress.data.interactions import Interactions, UserItems
from recpress.serve.recommender import Recommender

ARTEFACT = "artefact"
USERS, ITEMS, FIT = "users.parquet", "items.parquet", "fit.json"
BLOCK = 256
# A nearest id is looked for among at most this many: among a million it takes seconds.
LOOKED_AT = 50_000


@dataclass(frozen=True)
class Ids:
    """The ids of one side, by dense id.

    Attributes
    ----------
    kind : {"user", "item"}
    values : array of shape (n,)
        As the data has them: integers or text.
    """

    kind: str
    values: NDArray[Any]

    @cached_property
    def _text(self) -> pa.Array:
        return pa.array(self.values).cast(pa.string())

    def dense(self, asked: Sequence[str]) -> NDArray[np.int64]:
        """Return the dense ids of some ids, written as text.

        Raises
        ------
        UserError
            Naming the first that isn't there, with the nearest that is.
        """
        found = pc.index_in(pa.array(asked, pa.string()), value_set=self._text)
        if found.null_count:
            lost = asked[found.is_null().index(True).as_py()]
            alike = self._text.filter(pc.equal(pc.utf8_slice_codeunits(self._text, 0, 1), lost[:1]))
            known = (alike if len(alike) else self._text)[:LOOKED_AT].to_pylist()
            hint = f"the {len(self.values):,} {self.kind} ids look like {', '.join(map(repr, known[:3]))}"
            raise unknown(self.kind, lost, known, hint)
        return np.asarray(found.to_numpy(zero_copy_only=False), np.int64)


@dataclass(frozen=True)
class Suggestion:
    """One line of a top-K list, in the ids of the data."""

    user: Any
    rank: int
    item: Any
    score: float


@dataclass(frozen=True)
class Fitted:
    """A fitted recommender, loaded.

    Attributes
    ----------
    artefact : Artefact
    users, items : Ids
    history : UserItems
        What the model was fitted on: train and valid.
    held_out : UserItems
        The other known interactions: test.
    about : dict
        What ``fit.json`` says.
    """

    artefact: Artefact
    users: Ids
    items: Ids
    history: UserItems
    held_out: UserItems
    about: dict[str, Any]

    @cached_property
    def seen(self) -> UserItems:
        """All known interactions."""
        return self.history.union(self.held_out)

    def recommend(self, users: NDArray[np.int64], k: int, *, as_scored: bool = False) -> list[Suggestion]:
        """Return the k best items of each user that they haven't seen, best first.

        Parameters
        ----------
        users : int64 array
            Dense ids.
        k : int
            At least 1. Who has seen all but fewer items gets fewer.
        as_scored : bool
            Leave out the items of train and valid alone, as in the lists that a record's quality was scored on.
        """
        recommender = Recommender(self.artefact, self.history if as_scored else self.seen)
        found = []
        for start in range(0, len(users), BLOCK):
            block = users[start : start + BLOCK]
            for user, items, scores in zip(block.tolist(), *recommender.best(block, k), strict=True):
                found += [
                    Suggestion(self.users.values[user], rank, self.items.values[item], float(score))
                    for rank, (item, score) in enumerate(zip(items.tolist(), scores, strict=True), start=1)
                    if item >= 0
                ]
        return found

    @classmethod
    def load(cls, folder: Path) -> Fitted:
        """Read a folder that `write` has completed.

        Raises
        ------
        UserError
            When it isn't one, or its parts don't belong together.
        """
        missing = [name for name in (FIT, USERS, ITEMS) if not (folder / name).is_file()]
        if (folder / MANIFEST).is_file() and missing:
            raise UserError(
                f"{folder} is an artefact alone, without the ids of its users and items: "
                "`recpress compress … --out DIR` writes a folder that has both."
            )
        if missing:
            raise UserError(
                f"{folder} is not a fitted folder ({', '.join(missing)} missing): `recpress compress` makes one."
            )
        artefact = Artefact.load(folder / ARTEFACT)
        users, items = pq.read_table(folder / USERS), pq.read_table(folder / ITEMS)
        if (len(users), len(items)) != (artefact.users.shape[0], artefact.items.shape[0]):
            raise UserError(f"The ids in {folder} are not those of its artefact: fit it again.")
        return cls(
            artefact,
            Ids("user", users.column("id").to_numpy()),
            Ids("item", items.column("id").to_numpy()),
            _user_items(users.column("history"), len(items)),
            _user_items(users.column("held_out"), len(items)),
            json.loads((folder / FIT).read_text(encoding="utf-8")),
        )

    @classmethod
    def without_ids(cls, folder: Path) -> Fitted:
        """Read an artefact alone: ids are row numbers, and nobody has seen anything.

        Raises
        ------
        UserError
            When it isn't one.
        """
        artefact = Artefact.load(folder)
        n_users, n_items = artefact.users.shape[0], artefact.items.shape[0]
        none = UserItems.from_pairs(np.empty(0, np.int64), np.empty(0, np.int64), n_users, n_items)
        return cls(artefact, Ids("user", np.arange(n_users)), Ids("item", np.arange(n_items)), none, none, {})


def write(folder: Path, interactions: Interactions, history: UserItems, about: dict[str, Any]) -> None:
    """Complete a folder that holds ``artefact/``.

    Parameters
    ----------
    interactions : Interactions
        All that is known; what isn't in `history` was held out.
    history : UserItems
        What the model was fitted on.
    about : dict
        As JSON: what was fitted.
    """
    sizes = interactions.n_users, interactions.n_items
    keys = interactions.users.astype(np.int64) * sizes[1] + interactions.items
    fitted = history.users.astype(np.int64) * sizes[1] + history.items
    rest = ~np.isin(keys, fitted)
    held_out = UserItems.from_pairs(interactions.users[rest], interactions.items[rest], *sizes)
    columns = {"id": _ids(interactions.user_ids), "history": _lists(history), "held_out": _lists(held_out)}
    pq.write_table(pa.table(columns), folder / USERS, compression="zstd")
    pq.write_table(pa.table({"id": _ids(interactions.item_ids)}), folder / ITEMS, compression="zstd")
    (folder / FIT).write_text(readable_json(json.dumps(about, indent=1, ensure_ascii=False)) + "\n", encoding="utf-8")


def _ids(ids: NDArray[Any]) -> pa.Array:
    return pa.array(ids) if ids.dtype.kind in "iu" else pa.array(ids.tolist(), pa.string())


def _lists(rows: UserItems) -> pa.Array:
    return pa.LargeListArray.from_arrays(pa.array(rows.indptr), pa.array(rows.items))


def _user_items(column: pa.ChunkedArray, n_items: int) -> UserItems:
    lists = column.combine_chunks()
    # Copies: arrow's own memory is read-only, which torch doesn't take.
    return UserItems(np.array(lists.offsets), np.array(lists.flatten()), n_items)

"""A file of the user's own as a data set: csv, tsv, parquet or RecBole's atomic .inter."""

from __future__ import annotations

import re
from pathlib import Path

from recpress.core.errors import UserError
from recpress.core.hashing import sha256_file, sha256_json
from recpress.core.io import write_atomic
from recpress.core.paths import cache_dir
from recpress.data import encode, splits, store
from recpress.data.card import DatasetCard, Preprocess, SplitSpec
from recpress.data.dataset import Dataset
from recpress.data.formats import columnar, delimited
from recpress.data.formats.delimited import Column, Layout
from recpress.data.formats.raw import RawTable, refuse

PREFIX = "own-"


def from_file(
    path: Path,
    user_col: str,
    item_col: str,
    time_col: str | None = None,
    rating_col: str | None = None,
    *,
    split: SplitSpec | None = None,
    preprocess: Preprocess | None = None,
) -> Dataset:
    """Return a data set made of one file of interactions.

    Ids are taken as text, except columns of whole numbers in a parquet file; `interactions.user_ids` and `.item_ids`
    map back. The set is registered in the cache under its name (``own-<file>-<hash>``), so that other processes on this
    machine get it with `recpress.data.load(name)`.

    Parameters
    ----------
    path : Path
        ``.csv``, ``.tsv``, ``.parquet`` or ``.inter``; the first, second and last may end in ``.gz``.
    user_col, item_col, time_col, rating_col : str
        Column names; for ``.inter`` without the type (``user_id``, not ``user_id:token``). Times are numbers since 1970
        (of seconds; of milli-, micro- or nanoseconds where they are too large for these), ISO dates, or parquet's own.
    split : SplitSpec, optional
        Default: random per user, 80/10/10, seed 0.
    preprocess : Preprocess, optional
        Default: duplicates dropped, nothing else.

    Raises
    ------
    UserError
        Missing file, unknown ending, missing column, or a bad row: with its number and the reason.
    """
    if not path.is_file():
        raise UserError(f"{path} is not a file: give the path of a csv, tsv, parquet or .inter file.")
    split = split or SplitSpec(protocol="random-per-user")
    preprocess = preprocess or Preprocess()
    if split.protocol == "official":
        raise UserError("One file holds no official split: choose random-per-user, leave-one-out or temporal-global.")
    wanted: dict[Column, str | None] = {"user": user_col, "item": item_col, "rating": rating_col, "time": time_col}
    columns = {column: name for column, name in wanted.items() if name is not None}
    card = DatasetCard(
        title=path.name,
        domain="content",
        task="user-item",
        description=f"A file of the user's own: {path.name}, columns {', '.join(columns.values())}.",
        license="not stated",
        redistribution=False,
        citation="none",
        loader="own",
        preprocess=preprocess,
        split=split,
    )
    stem = re.sub(r"[^a-z0-9]+", "-", path.name.split(".")[0].lower()).strip("-") or "file"
    name = f"{PREFIX}{stem}-{sha256_json([sha256_file(path), columns, card.model_dump(mode='json')])[:8]}"
    if store.read(_parsed(name)) is None:
        table = encode.preprocess(_read(path, columns), preprocess)
        interactions = encode.encode(table)
        made = splits.make(interactions, split, table.ordered)
        card = card.model_copy(update={"description": card.description + splits.described(interactions, split)})
        write_atomic(_folder(name) / "card.json", card.model_dump_json(indent=1))
        store.write(_parsed(name), interactions, made)
    return load(name)


def load(name: str) -> Dataset:
    """Return a set that `from_file` registered on this machine.

    Raises
    ------
    UserError
        When it isn't in the cache.
    """
    kept = store.read(_parsed(name))
    if kept is None:
        raise UserError(f"The file behind {name!r} is not in this machine's cache: give the file again (--data).")
    return Dataset(name, card(name), *kept)


def card(name: str) -> DatasetCard:
    """Return the card of a set that `from_file` registered on this machine."""
    return DatasetCard.model_validate_json((_folder(name) / "card.json").read_bytes())


def _folder(name: str) -> Path:
    return cache_dir() / "own" / name


def _parsed(name: str) -> Path:
    """Return where a set is kept. The name tells file and options; the code that parses and splits is the rest."""
    return _folder(name) / f"parsed-{store.code()[:16]}"


def _read(path: Path, columns: dict[Column, str]) -> RawTable:
    endings = [suffix.lower() for suffix in path.suffixes]
    ending = endings[-2] if endings[-1:] == [".gz"] and len(endings) > 1 else (endings or [""])[-1]
    if ending == ".parquet":
        return columnar.read(path, columns)
    if ending not in (".csv", ".tsv", ".inter"):
        raise UserError(f"{path.name} has no known ending: use .csv, .tsv, .parquet or .inter.")
    if ending == ".inter":
        named = dict(zip(*_atomic_names(path), strict=True))
        columns = {column: named.get(name, name) for column, name in columns.items()}
    missing = set(columns.values()) - set(delimited.header(path, "," if ending == ".csv" else "\t"))
    if missing:
        raise refuse(path, 1, f"header mismatch: there is no column {', '.join(sorted(map(repr, missing)))}")
    layout = Layout({**columns}, separator="," if ending == ".csv" else "\t", header=True, ids="str", time_unit=None)
    return delimited.read(path, layout)


def _atomic_names(path: Path) -> tuple[list[str], list[str]]:
    """Return the column names of an atomic file without and with their types."""
    full = delimited.header(path, "\t")
    return [name.partition(":")[0] for name in full], full

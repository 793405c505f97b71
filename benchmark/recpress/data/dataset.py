"""From a name to a checked, split data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recpress.data import encode, formats, sources, splits, store
from recpress.data.card import DatasetCard, Role, dataset_card
from recpress.data.formats.raw import RawTable
from recpress.data.graph import Graph
from recpress.data.interactions import Interactions
from recpress.data.splits import Split
from recpress.errors import UserError


@dataclass(frozen=True)
class Dataset:
    """A data set, parsed, checked against its card and split."""

    name: str
    card: DatasetCard
    interactions: Interactions
    split: Split

    def graph(self) -> Graph:
        """Return the graph that a final model may see: of train and valid."""
        return Graph(self.split.fit)


def load(name: str, data_dir: Path | None = None) -> Dataset:
    """Return a registered data set.

    The parsed and split set is kept in the cache, keyed by the card, the hashes of the raw files and this code.

    Parameters
    ----------
    name : str
        As `recpress list datasets` prints it.
    data_dir : Path, optional
        Folder of raw files laid out as ``<dataset>/<file>``; default ``RECPRESS_DATA``.

    Raises
    ------
    UserError
        Unknown name; a file that can't be had or is damaged; content that is not what the card says.
    """
    card = dataset_card(name)
    roles: tuple[Role, ...] = ("train", "test") if card.split.protocol == "official" else ("interactions",)
    files = {role: sources.obtain(name, card, role, data_dir) for role in roles}
    content = card.model_dump(mode="json", include={"preprocess", "split", "statistics"})
    content["files"] = {role: [found.spec.format, found.sha256] for role, found in files.items()}
    folder = store.folder_of(name, content)
    kept = store.read(folder)
    if kept is None:
        tables = [formats.parse(found.path, found.spec.format) for found in files.values()]
        kept = build(card, tables)
        check(name, card, *kept, n_train=len(tables[0]))
        store.write(folder, *kept)
    return Dataset(name, card, *kept)


def build(card: DatasetCard, tables: Sequence[RawTable]) -> tuple[Interactions, Split]:
    """Preprocess, encode and split.

    Parameters
    ----------
    tables : sequence of RawTable
        Train and test for an official split, else one table with all interactions.
    """
    if card.split.protocol == "official":
        interactions = encode.encode(encode.concatenate(tables))
        return interactions, splits.official(interactions, len(tables[0]), card.split)
    (table,) = tables
    table = encode.preprocess(table, card.preprocess)
    interactions = encode.encode(table)
    return interactions, splits.make(interactions, card.split, table.ordered)


def check(name: str, card: DatasetCard, interactions: Interactions, split: Split, n_train: int) -> None:
    """Compare what was parsed with what the card expects.

    Raises
    ------
    UserError
        Naming every count that differs, or the split's hash.
    """
    found = {"users": interactions.n_users, "items": interactions.n_items, "interactions": len(interactions)}
    if card.split.protocol == "official":
        found |= {"train": n_train, "test": len(interactions) - n_train}
    expected = card.statistics.model_dump(exclude_none=True) if card.statistics else {}
    wrong = [f"{found[what]:,} {what} instead of {count:,}" for what, count in expected.items() if found[what] != count]
    if wrong:
        raise UserError(f"{name} has {', '.join(wrong)}: the raw file is not the one that the card describes.")
    if card.split.sha256 not in (None, split.sha256):
        raise UserError(
            f"{name}: the split has the hash {split.sha256}, the card pins {card.split.sha256}: the raw file has "
            "other content, or a setting in the card was changed without its hash."
        )

"""From a name to a checked, split data set."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recpress.core.errors import UserError
from recpress.data import encode, formats, sources, splits, store
from recpress.data.card import DatasetCard, Role, Synthetic, dataset_card
from recpress.data.formats.raw import RawTable
from recpress.data.graph import Graph
from recpress.data.interactions import Interactions
from recpress.data.splits import Split


@dataclass(frozen=True, repr=False)
class Dataset:
    """A data set, parsed, checked against its card and split."""

    name: str
    card: DatasetCard
    interactions: Interactions
    split: Split

    def __repr__(self) -> str:
        split = self.split
        count = f"{len(self.interactions.users):,} interactions"
        return f"Dataset({self.name!r}, {split.n_users:,} users, {split.n_items:,} items, {count})"

    def graph(self) -> Graph:
        """Return the graph that a final model may see: of train and valid."""
        return Graph(self.split.fit, bipartite=self.card.task == "user-item")


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
    sys.audit("recpress.data", name)  # What watches a method that compresses sees it (recpress.measure.watch).
    card = dataset_card(name)
    content, make = _prepare(name, card, data_dir)
    prescribed = card.model_dump(
        mode="json", include={"loader", "directed", "ids", "preprocess", "split", "statistics"}
    )
    folder = store.folder_of(name, prescribed | {"content": content})
    kept = store.read(folder)
    if kept is None:
        kept = make()
        check(name, card, *kept)
        store.write(folder, *kept)
    return Dataset(name, card, *kept)


def parse(name: str, data_dir: Path | None = None) -> Dataset:
    """Return a registered data set as `load` does, parsed anew whatever the cache holds.

    Raises
    ------
    UserError
        As `load` says.
    """
    sys.audit("recpress.data", name)
    card = dataset_card(name)
    made = _prepare(name, card, data_dir)[1]()
    check(name, card, *made)
    return Dataset(name, card, *made)


# What a loader returns: all that decides the content, as JSON; and the function that makes it.
Prepared = tuple[object, Callable[[], tuple[Interactions, Split]]]


def _prepare(name: str, card: DatasetCard, data_dir: Path | None) -> Prepared:
    if card.loader == "ogb":
        return _prepare_ogb(name, card, data_dir)
    if card.synthetic is not None:
        return _prepare_synthetic(card, card.synthetic)
    return _prepare_files(name, card, data_dir)


def _prepare_files(name: str, card: DatasetCard, data_dir: Path | None) -> Prepared:
    roles: tuple[Role, ...] = ("interactions",)
    if card.split.protocol == "official":
        roles = ("train", "valid", "test") if card.alternatives("valid") else ("train", "test")
    files = {role: sources.obtain(name, card, role, data_dir) for role in roles}

    def make() -> tuple[Interactions, Split]:
        return build(card, [formats.parse(found.path, found.spec.format) for found in files.values()])

    return {role: [found.spec.format, found.sha256] for role, found in files.items()}, make


def _prepare_ogb(name: str, card: DatasetCard, data_dir: Path | None) -> Prepared:
    from recpress.data import ogb

    folder = ogb.locate(name, card, data_dir)
    return ogb.content_hashes(folder), lambda: ogb.build(card, ogb.read_links(name, folder))


def _prepare_synthetic(card: DatasetCard, spec: Synthetic) -> Prepared:
    from recpress.data import synthetic

    def make() -> tuple[Interactions, Split]:
        interactions = synthetic.generate(spec)
        return interactions, splits.make(interactions, card.split)

    return spec.model_dump(mode="json"), make


def build(card: DatasetCard, tables: Sequence[RawTable]) -> tuple[Interactions, Split]:
    """Preprocess, encode and split.

    Parameters
    ----------
    tables : sequence of RawTable
        Train, valid (if there is one) and test for an official split, else one table with all interactions.
    """
    if card.split.protocol == "official":
        interactions = encode.encode(encode.concatenate(tables), card.ids)
        return interactions, splits.official(interactions, [len(table) for table in tables], card.split)
    (table,) = tables
    table = encode.preprocess(table, card.preprocess)
    interactions = encode.encode(table, card.ids)
    return interactions, splits.make(interactions, card.split, table.ordered)


def check(name: str, card: DatasetCard, interactions: Interactions, split: Split) -> None:
    """Compare what was parsed with what the card expects.

    Raises
    ------
    UserError
        Naming every count that differs, or the split's hash.
    """
    found = {
        "users": interactions.n_users,
        "items": interactions.n_items,
        "interactions": len(interactions),
        "train": split.fit.nnz,
        "test": split.test.nnz,
    }
    expected = card.statistics.model_dump(exclude_none=True) if card.statistics else {}
    wrong = [f"{found[what]:,} {what} instead of {count:,}" for what, count in expected.items() if found[what] != count]
    if wrong:
        raise UserError(f"{name} has {', '.join(wrong)}: the raw file is not the one that the card describes.")
    if card.split.sha256 not in (None, split.sha256):
        raise UserError(
            f"{name}: the split has the hash {split.sha256}, the card pins {card.split.sha256}: the raw file has "
            "other content, or a field of the card was changed without its hash."
        )

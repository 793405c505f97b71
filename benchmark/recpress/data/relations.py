"""Edges beyond the interactions: the social graph of users, genres of items, occupations of users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recpress.core.errors import UserError
from recpress.data import formats, sources
from recpress.data.card import DatasetCard, Role
from recpress.data.dataset import Dataset
from recpress.data.formats import attributes
from recpress.data.graph import Graph, Links
from recpress.data.interactions import Interactions
from recpress.data.sources import Obtained


@dataclass(frozen=True)
class Relation:
    """Typed edges between dense ids.

    Attributes
    ----------
    source_type, name, target_type : str
        As in ("user", "trusts", "user") or ("item", "has_genre", "genre").
    edges : int64 array of shape (2, n)
        Sources, then targets; each pair once, sorted.
    labels : str array of shape (n_targets,), optional
        Names of the targets where they aren't users or items.
    """

    source_type: str
    name: str
    target_type: str
    edges: NDArray[np.int64]
    labels: NDArray[np.str_] | None = None


def relations(dataset: Dataset, data_dir: Path | None = None) -> list[Relation]:
    """Return the optional edges of a data set whose files are at hand (`recpress fetch` brings them).

    Ids that have no interactions are left out: a model has no row for them.
    """
    found = []
    roles: tuple[Role, ...] = ("social", "items", "users")
    for role in roles:
        file = _at_hand(dataset.name, dataset.card, role, data_dir)
        if file is not None:
            read = _social if role == "social" else _attributes
            found.append(read(file, dataset.interactions))
    return found


def linked(graph: Graph, dataset: Dataset, names: Sequence[str], data_dir: Path | None = None) -> Graph:
    """Return a graph of a data set's interactions with the edges of some of its relations.

    Parameters
    ----------
    graph : Graph
        Of user-item interactions.
    dataset : Dataset
    names : sequence of str
        Of relations, such as "trusts". Without any, the graph is returned as it is.
    data_dir : Path, optional
        Folder of raw files; default ``RECPRESS_DATA``.

    Raises
    ------
    UserError
        When the data set has no such relation, or its file is not at hand.
    """
    if not names:
        return graph
    known = {each.name: each for each in relations(dataset, data_dir)}
    ends, nodes = [], {"user": 0, "item": graph.n_users}
    n = graph.n_users + graph.n_items
    for name in names:
        if name not in known:
            there = f"there are {', '.join(sorted(known))}" if known else "none is at hand"
            raise UserError(f"{dataset.name} has no relation {name!r}: {there} (`recpress fetch {dataset.name}`).")
        relation = known[name]
        if relation.target_type not in nodes:
            nodes[relation.target_type] = n
            n += len(relation.labels) if relation.labels is not None else 0
        first, second = nodes[relation.source_type], nodes[relation.target_type]
        ends.append(relation.edges + np.array([[first], [second]]))
    return replace(graph, links=Links(np.concatenate(ends, axis=1), n - graph.n_users - graph.n_items))


def _at_hand(name: str, card: DatasetCard, role: Role, data_dir: Path | None) -> Obtained | None:
    return sources.at_hand(name, card, role, data_dir) if card.alternatives(role) else None


def _social(file: Obtained, interactions: Interactions) -> Relation:
    table = formats.parse(file.path, file.spec.format)
    edges = np.stack([_dense(table.users, interactions.user_ids), _dense(table.items, interactions.user_ids)])
    return Relation("user", "trusts", "user", _clean(edges))


def _attributes(file: Obtained, interactions: Interactions) -> Relation:
    table = attributes.read(file.path, file.spec.format)
    kind = "item" if file.spec.role == "items" else "user"
    known = interactions.item_ids if kind == "item" else interactions.user_ids
    labels, codes = np.unique(table.labels, return_inverse=True)
    edges = np.stack([_dense(table.ids, known), codes.astype(np.int64)])
    return Relation(kind, table.relation, table.label_type, _clean(edges), labels)


def _dense(ids: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the position of each id among the known ones (ascending), -1 where it isn't known."""
    position = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    return np.where(known[position] == ids, position, -1).astype(np.int64)


def _clean(edges: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(edges[:, (edges >= 0).all(axis=0)], axis=1)

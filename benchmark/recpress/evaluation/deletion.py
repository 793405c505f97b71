"""Deletion test of an explanation: how score and rank change when history items are deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recpress.backbones.base import Backbone
from recpress.backbones.catalogue import backbone as registered
from recpress.backbones.model import Model
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems
from recpress.evaluation.explain import Explanation

DELETED = 5
"""History items that are deleted from a case."""
SHORTEST = 2 * DELETED
"""Users with fewer history items are no cases: too little of them would be left."""

Scheme = Literal["top20", "top100", "unseen"]
SCHEMES: dict[Scheme, int | None] = {"top20": 20, "top100": 100, "unseen": None}
"""From how many of a user's best unseen items the item of a case is drawn; None: from all of them."""

Case = tuple[int, int]


def model_of(backbone: Backbone, graph: Graph) -> Model:
    """Return the model of a backbone, with its base tables and weights, over any graph of its nodes."""
    net = registered(backbone.name).build(graph, backbone.config, torch.Generator())
    net.load_state_dict({"base": torch.cat([backbone.base_users, backbone.base_items]), **backbone.weights})
    return net.eval()


def tables_over(backbone: Backbone, graph: Graph) -> tuple[Tensor, Tensor]:
    """Return the final tables that a backbone's base tables and weights give over another graph of the same nodes."""
    net = model_of(backbone, graph)
    with torch.no_grad():
        users, items = net.objective.split(net.final())
    return users, items


def without(graph: Graph, user: int, deleted: NDArray[np.integer]) -> Graph:
    """Return a graph without the edges between a user and some items."""
    history = graph.user_items
    keep = np.ones(history.nnz, bool)
    start, stop = history.indptr[user], history.indptr[user + 1]
    keep[start:stop] = ~np.isin(history.items[start:stop], deleted)
    rest = UserItems.from_pairs(history.users[keep], history.items[keep], graph.n_users, graph.n_items)
    return Graph(rest, graph.bipartite)


@dataclass(frozen=True)
class EdgeEffect:
    """One item of one user's list before and after history items were deleted.

    Attributes
    ----------
    ranks : tuple of two int
        From 1, among the items outside the *whole* history, so that deleted items don't come back as competitors.
    scores : tuple of two float
    """

    ranks: tuple[int, int]
    scores: tuple[float, float]

    @property
    def places(self) -> int:
        """Places that the item fell in the list; negative where it rose."""
        return self.ranks[1] - self.ranks[0]

    @property
    def fall(self) -> float:
        """Loss of the score."""
        return self.scores[0] - self.scores[1]


def delete(backbone: Backbone, graph: Graph, user: int, item: int, deleted: NDArray[np.integer]) -> EdgeEffect:
    """Delete history items of a user and look where one of their unseen items goes.

    Base tables and weights stay. The graph without these edges is normalised anew (degrees of the user and of the
    deleted items change) and propagated anew, over all layers and for all nodes.
    """
    seen = torch.from_numpy(graph.user_items.of(user)).long()

    def place(users: Tensor, items: Tensor) -> tuple[int, float]:
        scores = items @ users[user]
        scores[seen] = -torch.inf
        return 1 + int((scores > scores[item]).sum()), float(scores[item])

    before = place(backbone.users, backbone.items)
    after = place(*tables_over(backbone, without(graph, user, deleted)))
    return EdgeEffect((before[0], after[0]), (before[1], after[1]))


def draw_cases(backbone: Backbone, graph: Graph, scheme: Scheme, count: int, seed: int) -> list[Case]:
    """Draw users with ten history items or more, each once, and for each an unseen item.

    Parameters
    ----------
    backbone : Backbone
    graph : Graph
    scheme : {"top20", "top100", "unseen"}
        Which items an item is drawn from; see `SCHEMES`.
    count : int
        Fewer where the data have fewer such users.
    seed : int
    """
    rng = np.random.default_rng(seed)
    history = graph.user_items
    users = np.flatnonzero((history.counts >= SHORTEST) & (history.counts < graph.n_items))
    cases = []
    for user in rng.choice(users, min(count, len(users)), replace=False).tolist():
        seen = history.of(user)
        depth = graph.n_items - len(seen)
        limit = SCHEMES[scheme]
        depth = depth if limit is None else min(depth, limit)
        scores = backbone.items @ backbone.users[user]
        scores[torch.from_numpy(seen).long()] = -torch.inf
        cases.append((user, int(scores.topk(depth).indices[rng.integers(depth)])))
    return cases


@dataclass(frozen=True)
class Fidelity:
    """Outcomes of deletion over many cases, as shares in [0, 1].

    Attributes
    ----------
    cases : int
    lowered, unchanged, raised : float
        Of the rank.
    fell : float
        Of the score.
    """

    cases: int
    lowered: float
    unchanged: float
    raised: float
    fell: float


Chooser = Callable[[int, int], NDArray[np.integer]]


def fidelity(backbone: Backbone, graph: Graph, cases: Iterable[Case], choose: Chooser) -> Fidelity:
    """Delete what a chooser names, case by case.

    Parameters
    ----------
    backbone : Backbone
    graph : Graph
    cases : iterable of (user, item)
    choose : callable
        From user and item to the history items to delete.
    """
    moved = [delete(backbone, graph, user, item, choose(user, item)) for user, item in cases]
    places, falls = np.array([each.places for each in moved]), np.array([each.fall for each in moved])
    shares = ((places > 0).mean(), (places == 0).mean(), (places < 0).mean(), (falls > 0).mean())
    return Fidelity(len(moved), *map(float, shares))


def at_random(graph: Graph, seed: int) -> Chooser:
    """Return a chooser of five random history items: what explanations are compared with."""
    rng = np.random.default_rng(seed)
    return lambda user, item: rng.choice(graph.user_items.of(user), DELETED, replace=False)


def one_at_a_time(backbone: Backbone, graph: Graph, user: int, item: int) -> Explanation:
    """Explain a score by what it loses when each history item is deleted alone: exact, and not additive.

    One propagation of the whole graph for each item of the history, normalised anew: seconds on a small graph, minutes
    on a large one.
    """
    items = graph.user_items.of(user)
    falls = [delete(backbone, graph, user, item, items[at : at + 1]).fall for at in range(len(items))]
    parts = np.array(falls, np.float64)
    score = float(backbone.items[item] @ backbone.users[user])
    return Explanation(items, parts, score - float(parts.sum()), by="deletion", additive=False)

"""Parts of a score by items of the user's history; exact where propagation is linear."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from recpress.backbones.base import Backbone
from recpress.backbones.propagate import Propagation
from recpress.backbones.training.retrain import linear_config
from recpress.core.errors import UserError
from recpress.data.graph import Graph

DRIFT_DEPTH = 10
"""The largest contributions that `drift` compares as sets."""


@dataclass(frozen=True)
class Explanation:
    """A score, taken apart.

    Attributes
    ----------
    items : int32 array of shape (h,)
        The user's history, ascending.
    contributions : float64 array of shape (h,)
        What each of them gives to the score.
    rest : float
        What comes from no history item: the user's own base vector and, for a compressed model, what
        compressing changed in the user's vector. Without meaning where the contributions don't add up.
    by : str
        How they were found: "parts" are exact.
    additive : bool
        Whether contributions and rest are parts of the score; else the contributions can only be compared.
    """

    items: NDArray[np.int32]
    contributions: NDArray[np.float64]
    rest: float
    by: str = "parts"
    additive: bool = True

    @property
    def score(self) -> float:
        """The explained score."""
        return float(self.contributions.sum()) + self.rest

    def top(self, n: int) -> NDArray[np.int32]:
        """Return the n items that give most, the largest first, ties by id."""
        return self.items[np.argsort(-self.contributions, kind="stable")[:n]]


class LinearExplainer:
    """Takes the scores of a backbone with linear propagation apart by the first step from the user.

    With ``E = 1/(L+1) Σ_l Ã^l E⁰`` a user's vector is ``1/(L+1) (e⁰_u + Σ_j Ã_uj s_j)`` over the history,
    where ``s_j = Σ_{l<L} (Ã^l E⁰)_j``: item j stands for all walks of the graph that leave the user by it.
    The parts are exact and add up to the score.

    Parameters
    ----------
    backbone : Backbone
        `lightgcn`, or another whose final tables are its base tables propagated linearly, normalised or not.
    graph : Graph
        The bipartite graph that it propagates over.

    Raises
    ------
    UserError
        When the backbone's tables don't come from linear propagation over this graph.
    """

    def __init__(self, backbone: Backbone, graph: Graph) -> None:
        layers = backbone.config.layers
        if linear_config(backbone, graph) is None:
            raise UserError(
                f"The final tables of {backbone.name} are not its base tables propagated linearly over this graph, "
                "so its scores have no exact parts: explain lightgcn or xsimgcl, or a method that scores histories."
            )
        if layers < 1:
            raise UserError(
                f"{backbone.name} has no propagation, so the history has no part in its scores that could "
                "be explained: use a graph backbone."
            )
        adjacency = graph.adjacency()
        propagation = Propagation(adjacency, layers)
        power = torch.cat([backbone.base_users, backbone.base_items])
        walks = power.clone()
        for _ in range(layers - 1):
            power = propagation.step(power)
            walks += power
        vectors = (backbone.base_users + propagation.step(walks)[: graph.n_users]) / (layers + 1)
        # Tables that are normalised when training is done differ from these by a factor per user.
        self._scale = backbone.users.norm(dim=1) / vectors.norm(dim=1).clamp(min=1e-30) / (layers + 1)
        self._own = backbone.base_users
        self._walks = walks[graph.n_users :]
        self._weights = adjacency.weights
        self._history = graph.user_items

    def explain(self, user: int, item: Tensor, score: float | None = None) -> Explanation:
        """Take the score of one user for one item apart.

        Parameters
        ----------
        user : int
        item : float32 tensor of shape (d,)
            The item's final vector: of the backbone, or as decoded from a compressed artefact. Contributions
            are linear in it, so the difference of two items' vectors explains why one is above the other,
            and the difference from the mean of the user's best items explains a place in the list: items
            that the history likes all alike cancel out.
        score : float, optional
            The score that was served. What the history and the user's own vector don't give of it goes into
            `rest`. Without it, the score is that of the backbone's user vector.
        """
        start, stop = self._history.indptr[user], self._history.indptr[user + 1]
        items = self._history.items[start:stop]
        weights = torch.from_numpy(self._weights[start:stop].astype(np.float64))
        target = item.double() * self._scale[user].double()
        parts = (weights * (self._walks[torch.from_numpy(items).long()].double() @ target)).numpy()
        own = float(self._own[user].double() @ target)
        rest = own if score is None else score - float(parts.sum())
        return Explanation(items, parts, rest)


def turn(table: Tensor, backbone: Tensor) -> tuple[Tensor, float]:
    """Return what turns decoded vectors back into a backbone's space, and how near they then come.

    A method may turn users and items together, onto principal axes or at random, which changes no score; parts are
    products with the backbone's own vectors and need its axes. The turn that brings the two tables nearest is the
    solution of the orthogonal Procrustes problem (Schönemann 1966).

    Parameters
    ----------
    table : float32 tensor of shape (n, k)
        Decoded vectors, also of fewer columns.
    backbone : float32 tensor of shape (n, d)
        The same rows of the backbone.

    Returns
    -------
    turn : float32 tensor of shape (k, d)
        To be multiplied from the right; the identity where the table lies on the backbone's axes.
    share : float
        Of the backbone's squares, what the turned table holds at its best length; in [0, 1].
    """
    rows, wanted = table.double(), backbone.double()
    squares = float(rows.square().sum() * wanted.square().sum()) or 1.0
    left, found, right = torch.linalg.svd(rows.T @ wanted, full_matrices=False)
    share = float(found.sum()) ** 2 / squares
    if rows.shape == wanted.shape:
        as_it_lies = float((rows * wanted).sum()) ** 2 / squares
        # The nearest turn follows the rounding, too, by a little.
        if as_it_lies >= 0.99 * share:
            return torch.eye(rows.shape[1]), as_it_lies
    return (left @ right).float(), share


def by_weights(history: NDArray[np.int32], weights: Tensor, score: float | None = None) -> Explanation:
    """Take a score apart that is a sum of item-item weights over the history (EASE, ItemKNN, GF-CF).

    Parameters
    ----------
    history : int32 array of shape (h,)
        Ascending.
    weights : float32 tensor of shape (n_items,)
        The item's row: what each history item adds to its score.
    score : float, optional
        The score that was served; what rounding changed of the sum goes into `rest`.
    """
    parts = weights[torch.from_numpy(history).long()].double().numpy()
    return Explanation(history, parts, 0.0 if score is None else score - float(parts.sum()))


@dataclass(frozen=True)
class Drift:
    """Drift between two explanations of the same user and item.

    Attributes
    ----------
    jaccard : float
        Of their ten largest contributions, in [0, 1].
    spearman : float
        Rank correlation of all contributions, in [-1, 1]. Where the items of the history all give the same,
        it is 1 if they do so in both and else 0.
    sign_flips : float
        Share of the history that turned from for to against or back, in [0, 1].
    deletion : float, optional
        What the backbone's score loses when the largest parts of the second explanation are deleted from its graph,
        divided by what it loses when those of the first are: near 1 where both name what matters.
    """

    jaccard: float
    spearman: float
    sign_flips: float
    deletion: float | None = None


def drift(before: Explanation, after: Explanation) -> Drift:
    """Compare two explanations of the same user and item.

    Raises
    ------
    ValueError
        When they are of different histories.
    """
    if not np.array_equal(before.items, after.items):
        raise ValueError("the explanations are of different histories")
    top = set(before.top(DRIFT_DEPTH).tolist()), set(after.top(DRIFT_DEPTH).tolist())
    union = top[0] | top[1]
    old, new = before.contributions, after.contributions
    if not len(old):
        return Drift(jaccard=1.0, spearman=1.0, sign_flips=0.0)
    constant = np.ptp(old) == 0, np.ptp(new) == 0
    return Drift(
        jaccard=len(top[0] & top[1]) / len(union),
        spearman=float(all(constant)) if any(constant) else float(stats.spearmanr(old, new).statistic),
        sign_flips=float(np.mean(np.sign(old) != np.sign(new))),
    )

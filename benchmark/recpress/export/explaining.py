"""Explain one score of a run: what each item of the user's history gives to it, before and after compressing."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from recpress.backbones import checkpoint
from recpress.backbones.base import Backbone
from recpress.codecs.artefact import Artefact
from recpress.core.errors import UserError
from recpress.data import load
from recpress.data.graph import Graph
from recpress.evaluation.deletion import DELETED, SHORTEST, EdgeEffect, delete, one_at_a_time
from recpress.evaluation.explain import Drift, Explanation, LinearExplainer, by_weights, drift, turn
from recpress.experiments import backbone_cache
from recpress.experiments.identity import PlannedRun
from recpress.experiments.stages import Progress
from recpress.export import fit
from recpress.isolation.processes import WorkFailed
from recpress.serve.fitted import Fitted

How = Literal["parts", "gnnexplainer", "deletion"]
# Of the backbone's squares that an artefact's turned vectors hold. Signs alone hold 2/π = 0.64 of Gaussian rows.
LEAST_SHARE = 1 / 3


class Explainer(Protocol):
    """Takes scores apart."""

    def explain(self, user: int, item: Tensor, score: float | None = None) -> Explanation:
        """See `LinearExplainer.explain`."""


@dataclass(frozen=True)
class Explained:
    """One score of a run, taken apart.

    Attributes
    ----------
    fitted : Fitted
        With the ids.
    user, item : int
        Dense ids.
    rank : int
        Of the item among those that the user hasn't in train and valid, from 1; 0 where it is one of those.
    before : Explanation or None
        Of the backbone's score; None for a method that doesn't use the backbone, and where it is all there is.
    after : Explanation
        Of the artefact's score.
    drift : Drift or None
    deleted : EdgeEffect or None
        Where the item goes when the backbone's largest parts are deleted from its graph; None for short histories.
    seconds : float
        That it took, without fitting, training and deleting.
    """

    fitted: Fitted
    user: int
    item: int
    rank: int
    before: Explanation | None
    after: Explanation
    drift: Drift | None
    deleted: EdgeEffect | None = None
    seconds: float = 0.0


def explain(planned: PlannedRun, user: str, item: str | None, progress: Progress, how: How = "parts") -> Explained:
    """Explain the score of an item for a user, in a run that is fitted first unless it is in the cache.

    Parameters
    ----------
    user, item : str
        Ids as the data has them. Without an item: the user's first recommendation.
    how : {"parts", "gnnexplainer", "deletion"}
        Parts are exact where propagation is linear, and integrated gradients where it isn't. `deletion` is the backbone
        alone, one item of the history at a time.

    Raises
    ------
    UserError
        When an id is unknown; when the backbone has no propagation; when the artefact's vectors are not those
        of the backbone, turned; when the scores can't be explained in the way that is asked for.
    """
    fitted = Fitted.load(fit.obtain(planned, progress))
    artefact, history = fitted.artefact, fitted.history
    (who,) = fitted.users.dense([user]).tolist()
    rows = torch.tensor([who])
    scores = (artefact.items.scorer().scores(artefact.users.decode(rows))[0]).numpy()
    unseen = np.ones(len(scores), bool)
    unseen[history.of(who)] = False
    if item is None and not unseen.any():
        raise UserError(f"User {user} has every item: name one with --item.")
    what = int(np.where(unseen, scores, -np.inf).argmax()) if item is None else int(fitted.items.dense([item])[0])
    rank = 1 + int((scores[unseen] > scores[what]).sum()) if unseen[what] else 0
    vector, score = artefact.items.decode(torch.tensor([what]))[0], float(scores[what])
    if _is_over_histories(artefact, fitted, who):
        if how != "parts":
            raise UserError(f"{planned.spec.method} is its own explanation: leave --explainer away.")
        return Explained(fitted, who, what, rank, None, by_weights(history.of(who), vector, score), None)
    dataset = load(planned.spec.dataset)
    try:
        backbone = checkpoint.read(
            backbone_cache.obtain(planned, dataset, lambda share: progress("train", share)).folder
        )
    except WorkFailed as failure:
        raise UserError(f"{planned.spec.label} can't be explained: {failure}.") from failure
    graph = dataset.graph()
    started = time.perf_counter()
    if how == "deletion":
        if planned.spec.method != "none":
            raise UserError("Deletion is from the backbone's graph, which the artefact doesn't have: --method none.")
        one = one_at_a_time(backbone, graph, who, what)
        return Explained(fitted, who, what, rank, None, one, None, None, time.perf_counter() - started)
    turned, share = turn(artefact.items.decode(torch.arange(len(scores))), backbone.items)
    if share < LEAST_SHARE:
        raise UserError(
            f"The vectors of {planned.spec.method}, turned as near to the backbone's as they come, hold "
            f"{100 * share:.0f} % of their squares: its scores have no parts by the backbone's graph. "
            "`--method none` explains the backbone."
        )
    explainer = _explainer(backbone, graph, how, planned.spec.seed)
    before, after = explainer.explain(who, backbone.items[what]), explainer.explain(who, vector @ turned, score)
    seconds = time.perf_counter() - started
    drifted, deleted = drift(before, after), None
    if len(before.items) >= SHORTEST:
        deleted = delete(backbone, graph, who, what, before.top(DELETED))
        if deleted.fall > 0:
            other = delete(backbone, graph, who, what, after.top(DELETED))
            drifted = replace(drifted, deletion=other.fall / deleted.fall)
    return Explained(fitted, who, what, rank, before, after, drifted, deleted, seconds)


def _explainer(backbone: Backbone, graph: Graph, how: Literal["parts", "gnnexplainer"], seed: int) -> Explainer:
    """Return what takes a backbone's scores apart: exactly where that can be."""
    if backbone.weights:
        # Here, because PyG's explainers take seconds to import.
        from recpress.evaluation.messages import MessageExplainer

        return MessageExplainer(backbone, graph, "integrated-gradients" if how == "parts" else how, seed)
    exact = LinearExplainer(backbone, graph)
    if how != "parts":
        raise UserError(f"The parts of {backbone.name}'s scores are exact: leave --explainer away.")
    return exact


def _is_over_histories(artefact: Artefact, fitted: Fitted, user: int) -> bool:
    """Return whether users are stored as their histories, so that a score is a sum of weights between items."""
    n_items = fitted.history.n_items
    if artefact.users.shape[1] != n_items:
        return False
    row = artefact.users.decode(torch.tensor([user]))[0].numpy()
    expected = np.zeros(n_items, np.float32)
    expected[fitted.history.of(user)] = 1
    return np.array_equal(row, expected)

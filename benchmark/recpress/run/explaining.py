"""Explain one score of a cell: what each item of the user's history gives to it, before and after compressing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from recpress.backbones import checkpoint
from recpress.codecs.artefact import Artefact
from recpress.data import load
from recpress.errors import UserError
from recpress.evaluate.explain import Drift, Explanation, LinearExplainer, by_weights, drift
from recpress.run import fit, trained
from recpress.run.cell import Progress
from recpress.run.identity import Planned
from recpress.run.isolate import WorkFailed
from recpress.serve.fitted import Fitted


@dataclass(frozen=True)
class Explained:
    """One score of a cell, taken apart.

    Attributes
    ----------
    fitted : Fitted
        With the ids.
    user, item : int
        Dense ids.
    rank : int
        Of the item among those that the user hasn't in train and valid, from 1; 0 where it is one of those.
    before : Explanation or None
        Of the backbone's score; None for a method that doesn't use the backbone.
    after : Explanation
        Of the artefact's score.
    drift : Drift or None
    """

    fitted: Fitted
    user: int
    item: int
    rank: int
    before: Explanation | None
    after: Explanation
    drift: Drift | None


def explain(planned: Planned, user: str, item: str | None, progress: Progress) -> Explained:
    """Explain the score of an item for a user, in a cell that is fitted first unless it is in the cache.

    Parameters
    ----------
    user, item : str
        Ids as the data has them. Without an item: the user's first recommendation.

    Raises
    ------
    UserError
        When an id is unknown; when the backbone's scores have no exact parts, because it is not linear or has no
        propagation; when the artefact's vectors are not in the backbone's space.
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
        return Explained(fitted, who, what, rank, None, by_weights(history.of(who), vector, score), None)
    dataset = load(planned.cell.dataset)
    try:
        backbone = checkpoint.read(trained.obtain(planned, dataset, lambda share: progress("train", share)).folder)
    except WorkFailed as failure:
        raise UserError(f"{planned.cell.label} can't be explained: {failure}.") from failure
    if len(vector) != backbone.items.shape[1]:
        raise UserError(
            f"The vectors of {planned.cell.method} have {len(vector)} columns and the backbone's "
            f"{backbone.items.shape[1]}: they are not in one space, so its scores have no parts by the backbone's "
            "graph. `--method none` explains the backbone."
        )
    explainer = LinearExplainer(backbone, dataset.graph())
    before, after = explainer.explain(who, backbone.items[what]), explainer.explain(who, vector, score)
    return Explained(fitted, who, what, rank, before, after, drift(before, after))


def _is_over_histories(artefact: Artefact, fitted: Fitted, user: int) -> bool:
    """Return whether users are stored as their histories, so that a score is a sum of weights between items."""
    n_items = fitted.history.n_items
    if artefact.users.shape[1] != n_items:
        return False
    row = artefact.users.decode(torch.tensor([user]))[0].numpy()
    expected = np.zeros(n_items, np.float32)
    expected[fitted.history.of(user)] = 1
    return np.array_equal(row, expected)

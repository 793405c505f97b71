"""OGB's own Evaluator on a model's scores: Hits@K and MRR exactly as on its leaderboards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from recpress.data import ogb
from recpress.data.card import dataset_card
from recpress.data.ogb import LinkSet

# Scores of pairs: int64 sources and targets of shape (n,) to float scores of shape (n,).
PairScorer = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.floating]]
BLOCK = 1 << 20


def links(dataset: str, data_dir: Path | None = None) -> LinkSet:
    """Return the positive and negative pairs of an OGB link prediction set.

    Raises
    ------
    UserError
        When it can't be had or read.
    """
    return ogb.read_links(dataset, ogb.locate(dataset, dataset_card(dataset), data_dir))


def evaluate(dataset: str, pairs: LinkSet, part: Literal["valid", "test"], scorer: PairScorer) -> dict[str, float]:
    """Return what OGB's Evaluator says of a scorer.

    Parameters
    ----------
    dataset : str
        For example ``ogbl-ddi``; it decides the metric (Hits@20 there, MRR for ogbl-citation2).
    pairs : LinkSet
        As `links` returns them.
    scorer : callable
        Higher is likelier. Called with at most 2^20 pairs at a time.

    Returns
    -------
    dict
        ``{"hits@20": …}``, or ``{"mrr": …}`` with the mean over all positive pairs; in [0, 1].
    """
    with ogb.imported():
        from ogb.linkproppred import Evaluator

        evaluator = Evaluator(name=dataset)
    positive, negative = pairs.positive[part], pairs.negative[part]
    # As tensors: the Evaluator of ogb 1.3.6 fails on numpy arrays where the metric is MRR.
    scores = {"y_pred_pos": torch.from_numpy(_score(scorer, positive[:, 0], positive[:, 1]))}
    if evaluator.eval_metric == "mrr":
        sources = np.repeat(positive[:, 0], negative.shape[1])
        scores["y_pred_neg"] = torch.from_numpy(_score(scorer, sources, negative.ravel()).reshape(negative.shape))
        return {"mrr": float(evaluator.eval(scores)["mrr_list"].mean())}
    scores["y_pred_neg"] = torch.from_numpy(_score(scorer, negative[:, 0], negative[:, 1]))
    return {name: float(value) for name, value in evaluator.eval(scores).items()}


def _score(scorer: PairScorer, sources: NDArray[np.int64], targets: NDArray[np.int64]) -> NDArray[np.float32]:
    scores = np.empty(len(sources), np.float32)
    for start in range(0, len(sources), BLOCK):
        block = slice(start, start + BLOCK)
        scores[block] = scorer(sources[block], targets[block])
    return scores

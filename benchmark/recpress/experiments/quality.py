"""From served lists to the quality of a run: metrics, retention, significance, who pays."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from recpress.data.dataset import Dataset
from recpress.evaluation import (
    activity_deciles,
    compare,
    coverage,
    evaluable,
    means,
    per_user,
    popularity_deciles,
    recall_by_item_group,
)
from recpress.evaluation.store import PerUser
from recpress.headline import HEADLINE
from recpress.records.plausible import doubtful
from recpress.records.record import Paired, Quality

COVERED_AT = 20


def score(topk: NDArray[np.int32], dataset: Dataset) -> PerUser:
    """Score the lists of all users against test."""
    users = evaluable(dataset.split.test)
    return score_lists(users, topk[users], dataset)


def score_lists(users: NDArray[np.int64], lists: NDArray[np.int32], dataset: Dataset) -> PerUser:
    """Score the lists of some users, one row each, against test."""
    return PerUser(users, per_user(lists, users, dataset.split.test), lists)


def assess(scored: PerUser, reference: PerUser, dataset: Dataset, division: str) -> Quality:
    """Return means, retention, what is doubtful in it, and the paired comparison with the backbone's own tables.

    Parameters
    ----------
    scored : PerUser
        What the artefact served.
    reference : PerUser
        What the backbone's dense fp32 tables served.
    dataset : Dataset
    division : str
        Of the method: it decides what may be retained.
    """
    metrics, before = means(scored.metrics), means(reference.metrics)
    metrics[f"coverage@{COVERED_AT}"] = coverage(scored.topk[:, :COVERED_AT], dataset.split.n_items)
    before[f"coverage@{COVERED_AT}"] = coverage(reference.topk[:, :COVERED_AT], dataset.split.n_items)
    quality = Quality(
        metrics=metrics,
        retention={name: value / before[name] if before[name] > 0 else None for name, value in metrics.items()},
        users=len(scored.users),
        users_left_out=dataset.split.n_users - len(scored.users),
        topk_sha256=hashlib.sha256(scored.topk.astype("<i4").tobytes()).hexdigest(),
        paired=_paired(scored, reference),
        item_deciles=_item_deciles(scored, reference, dataset),
        user_deciles=_user_deciles(scored, reference, dataset),
    )
    return quality.model_copy(update={"doubtful": doubtful(division, quality)})


def _paired(scored: PerUser, reference: PerUser) -> Paired | None:
    """Return the paired comparison; None where the backbone finds nothing, or for one user alone."""
    if len(scored.users) < 2 or not reference.metrics[HEADLINE].any():
        return None
    paired = compare(reference.metrics[HEADLINE], scored.metrics[HEADLINE], HEADLINE)
    return Paired(
        metric=HEADLINE,
        low=paired.low,
        high=paired.high,
        p_value=paired.p_value,
        margin=paired.margin,
        detectable=paired.detectable,
    )


def _item_deciles(scored: PerUser, reference: PerUser, dataset: Dataset) -> tuple[float | None, ...]:
    groups = popularity_deciles(dataset.split.fit)
    after, before = (
        np.nan_to_num(recall_by_item_group(each.topk, each.users, dataset.split.test, groups, COVERED_AT)).sum(0)
        for each in (scored, reference)
    )
    return tuple(float(a / b) if b > 0 else None for a, b in zip(after, before, strict=True))


def _user_deciles(scored: PerUser, reference: PerUser, dataset: Dataset) -> tuple[float | None, ...]:
    groups = activity_deciles(scored.users, dataset.split.fit)
    after, before = (np.bincount(groups, each.metrics[HEADLINE], 10) for each in (scored, reference))
    return tuple(float(a / b) if b > 0 else None for a, b in zip(after, before, strict=True))

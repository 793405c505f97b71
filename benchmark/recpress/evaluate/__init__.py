"""Ranking metrics, slices, agreement and statistics: pure functions over ranked lists and per-user arrays."""

from recpress.evaluate._agreement import Agreement, agreement
from recpress.evaluate._beyond import (
    coverage,
    exposure,
    gini,
    intra_list_diversity,
    mean_popularity,
    novelty,
)
from recpress.evaluate._comparison import (
    Comparison,
    adjust,
    compare,
    compare_columns,
    compare_groups,
    holm,
    tie_groups,
)
from recpress.evaluate._per_user import evaluable, means, per_user
from recpress.evaluate._resample import ratio_interval, resampled_means, sign_flip
from recpress.evaluate._slices import (
    activity_deciles,
    cold_users,
    deciles,
    popularity_deciles,
    recall_by_item_group,
)
from recpress.evaluate._two_level import MeanEstimate, mean_over
from recpress.metrics import CUTOFFS as KS
from recpress.metrics import METRICS, Metric

__all__ = [
    "KS",
    "METRICS",
    "Agreement",
    "Comparison",
    "MeanEstimate",
    "Metric",
    "activity_deciles",
    "adjust",
    "agreement",
    "cold_users",
    "compare",
    "compare_columns",
    "compare_groups",
    "coverage",
    "deciles",
    "evaluable",
    "exposure",
    "gini",
    "holm",
    "intra_list_diversity",
    "mean_over",
    "mean_popularity",
    "means",
    "novelty",
    "per_user",
    "popularity_deciles",
    "ratio_interval",
    "recall_by_item_group",
    "resampled_means",
    "sign_flip",
    "tie_groups",
]

"""Ranking metrics, slices, agreement and statistics: pure functions over ranked lists and per-user arrays."""

from recpress.evaluation._agreement import Agreement, agreement
from recpress.evaluation._beyond import (
    coverage,
    exposure,
    gini,
    intra_list_diversity,
    mean_popularity,
    novelty,
)
from recpress.evaluation._comparison import (
    Comparison,
    adjust,
    compare,
    compare_columns,
    compare_groups,
    holm,
    tie_groups,
)
from recpress.evaluation._per_user import evaluable, means, per_user
from recpress.evaluation._resample import ratio_interval, resampled_means, sign_flip
from recpress.evaluation._slices import (
    activity_deciles,
    cold_users,
    deciles,
    popularity_deciles,
    recall_by_item_group,
)
from recpress.evaluation._two_level import MeanEstimate, mean_over
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

"""Ranking metrics, slices, agreement and statistics: pure functions over ranked lists and per-user arrays."""

from recpress.evaluate._beyond import (
    coverage,
    exposure,
    gini,
    intra_list_diversity,
    mean_popularity,
    novelty,
)
from recpress.evaluate._per_user import KS, METRICS, evaluable, means, per_user

__all__ = [
    "KS",
    "METRICS",
    "coverage",
    "evaluable",
    "exposure",
    "gini",
    "intra_list_diversity",
    "mean_popularity",
    "means",
    "novelty",
    "per_user",
]

"""One model against its baseline on one metric: interval, tests, and a summary in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from recpress.evaluation._resample import ratio_interval, sign_flip
from recpress.evaluation._two_level import mean_over

MARGINS = (0.01, 0.03, 0.05)
"""Margins of non-inferiority, as fractions of the baseline. "Lossless" is the first."""

ALPHA = 0.05
POWER = 0.8
RESAMPLES = 10_000


@dataclass(frozen=True)
class Comparison:
    """A candidate against a baseline, paired by user (and seed).

    Attributes
    ----------
    metric : str
    n_users, n_seeds : int
    baseline, candidate : float
        Means of the metric.
    retention, low, high : float
        candidate / baseline, and its 95 % interval.
    p_value : float
        Two-sided, of no difference: by sign flips over users with one seed, by the two-level t-test with
        several.
    p_adjusted : float
        The same after Holm's correction (`adjust`); else equal to `p_value`.
    p_inferior : mapping of float to float
        For each margin, the one-sided p-value of a loss of that margin or more.
    p_superior : mapping of float to float
        For each margin, the one-sided p-value of a gain of that margin or more: with the one above, the two
        one-sided tests (TOST) of equivalence.
    detectable : float
        The least relative difference that this test would find with a power of 80 %.
    """

    metric: str
    n_users: int
    n_seeds: int
    baseline: float
    candidate: float
    retention: float
    low: float
    high: float
    p_value: float
    p_adjusted: float
    detectable: float
    p_inferior: Mapping[float, float] = field(default_factory=dict)
    p_superior: Mapping[float, float] = field(default_factory=dict)

    @property
    def different(self) -> bool:
        """Whether the two can be told apart."""
        return self.p_adjusted < ALPHA

    @property
    def lossless(self) -> bool:
        """Whether the candidate is non-inferior at the 1 % margin."""
        return self.p_inferior[MARGINS[0]] < ALPHA

    @property
    def margin(self) -> float | None:
        """The least margin at which the candidate is non-inferior, or None."""
        return next((margin for margin in MARGINS if self.p_inferior[margin] < ALPHA), None)

    @property
    def equivalent(self) -> float | None:
        """The least margin within which the two are equivalent (TOST), or None."""
        both = {margin: max(self.p_inferior[margin], self.p_superior[margin]) for margin in MARGINS}
        return next((margin for margin in MARGINS if both[margin] < ALPHA), None)

    def summary(self) -> str:
        """Summarise the comparison in one sentence."""
        side = "better" if self.retention > 1 else "worse"
        retained = f"{self.metric}: retains {self.retention:.1%} (95 % CI {self.low:.1%} to {self.high:.1%})"
        if self.different:
            found = f"{side} than the baseline (p = {self.p_adjusted:.2g})"
        else:
            found = f"no difference found (p = {self.p_adjusted:.2g})"
        if self.lossless:
            bound = "lossless: any loss is below 1 %"
        elif self.margin is not None:
            bound = f"any loss is below {self.margin:.0%}"
        elif self.different:
            bound = ""
            if side == "worse":
                largest = MARGINS[-1]
                sure = self.high < 1 - largest
                bound = f"a loss above {largest:.0%}" + ("" if sure else " can't be ruled out")
        else:
            bound = f"a difference below {self.detectable:.1%} would not have been found"
        return "; ".join(part for part in (retained, found, bound) if part)


def compare(
    baseline: NDArray[np.float64],
    candidate: NDArray[np.float64],
    metric: str,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Compare two per-user arrays of the same metric, users and seeds.

    With one seed the interval is a percentile bootstrap over users, and everything is said of that checkpoint. With
    several, interval and tests rest on `mean_over`, and are said of seeds yet to be drawn.

    Parameters
    ----------
    baseline, candidate : float64 arrays of shape (n_users,) or (n_seeds, n_users)
        Paired: the same users in the same order, seed by seed the same backbone checkpoint.
    metric : str
        Its name, for the summary.

    Raises
    ------
    ValueError
        When shapes differ, a value is not finite, there are fewer than two users, or the baseline is 0
        throughout, so that there is nothing to retain.
    """
    if baseline.shape != candidate.shape or baseline.ndim not in (1, 2):
        raise ValueError(f"arrays of shapes {baseline.shape} and {candidate.shape} can't be paired")
    if not (np.isfinite(baseline).all() and np.isfinite(candidate).all()):
        raise ValueError(f"{metric} has values that are not finite")
    before, after = np.atleast_2d(baseline), np.atleast_2d(candidate)
    n_seeds, n_users = before.shape
    difference = mean_over(after - before)
    base = float(before.mean())
    if base <= 0:
        raise ValueError(f"the baseline's {metric} is 0 for everybody, so there is nothing to retain")
    retention = float(after.mean()) / base
    if n_seeds == 1:
        low, high = ratio_interval(before[0], after[0], 1 - ALPHA, resamples, seed)
        p_value = sign_flip(after[0] - before[0], resamples, seed)
    else:
        # The ratio is linear in the means to first order: (after - retention × before) / base.
        half = mean_over((after - retention * before) / base).half_width(1 - ALPHA)
        low, high = retention - half, retention + half
        p_value = difference.p_different()
    return Comparison(
        metric=metric,
        n_users=n_users,
        n_seeds=n_seeds,
        baseline=base,
        candidate=float(after.mean()),
        retention=retention,
        low=low,
        high=high,
        p_value=p_value,
        p_adjusted=p_value,
        detectable=difference.detectable(ALPHA, POWER) / base,
        p_inferior={m: mean_over(after - (1 - m) * before).p_greater() for m in MARGINS},
        p_superior={m: mean_over((1 + m) * before - after).p_greater() for m in MARGINS},
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number by Holm's step-down (Scand. J. Statist. 1979)."""
    count = len(p_values)
    order = sorted(range(count), key=p_values.__getitem__)
    adjusted = [0.0] * count
    highest = 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (count - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def adjust(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons of one board with p-values adjusted together."""
    adjusted = holm([each.p_value for each in comparisons])
    return [replace(each, p_adjusted=p) for each, p in zip(comparisons, adjusted, strict=True)]


def compare_groups(
    baseline: NDArray[np.float64],
    candidate: NDArray[np.float64],
    groups: NDArray[np.integer],
    metric: str,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[int, Comparison | None]:
    """Compare within each group of users (or of items, with a column per group), Holm-adjusted together.

    Parameters
    ----------
    baseline, candidate : float64 arrays of shape (n_users,) or (n_seeds, n_users)
    groups : int array of shape (n_users,)

    Returns
    -------
    dict of int to Comparison or None
        None where the group has fewer than two users or the baseline finds nothing in it.
    """
    slices: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for group in np.unique(groups).tolist():
        inside = groups == group
        slices[group] = (baseline[..., inside], candidate[..., inside])
    return _compare_slices(slices, metric, resamples, seed)


def compare_columns(
    baseline: NDArray[np.float64],
    candidate: NDArray[np.float64],
    metric: str,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[int, Comparison | None]:
    """Compare column by column, each over the users that have a value in it (`recall_by_item_group`).

    Parameters
    ----------
    baseline, candidate : float64 arrays of shape (n_users, n_groups) or (n_seeds, n_users, n_groups)
        NaN in the same places of both, and for every seed.
    """
    slices = {}
    for group in range(baseline.shape[-1]):
        before, after = baseline[..., group], candidate[..., group]
        has = ~np.isnan(np.atleast_2d(before)).any(axis=0)
        slices[group] = (before[..., has], after[..., has])
    return _compare_slices(slices, metric, resamples, seed)


def _compare_slices(
    slices: Mapping[int, tuple[NDArray[np.float64], NDArray[np.float64]]],
    metric: str,
    resamples: int,
    seed: int,
) -> dict[int, Comparison | None]:
    told = {
        group: compare(before, after, metric, resamples=resamples, seed=seed)
        for group, (before, after) in slices.items()
        if before.shape[-1] > 1 and before.any()
    }
    adjusted = dict(zip(told, adjust(list(told.values())), strict=True))
    return {group: adjusted.get(group) for group in slices}


def tie_groups(scores: NDArray[np.float64]) -> list[int]:
    """Group the rows of a board that can't be told apart.

    The best row leads the first group. It is tested against all rows below it, Holm-adjusted; those above
    the first that differs belong to its group, and that one leads the next.

    Parameters
    ----------
    scores : float64 array of shape (n_rows, n_users) or (n_rows, n_seeds, n_users)
        One metric of the same users, and seeds.

    Returns
    -------
    list of int
        The group of each row, in the order given; 0 is the best.
    """
    layers = scores[:, None, :] if scores.ndim == 2 else scores
    means = layers.mean(axis=(1, 2))
    order = np.argsort(-means, kind="stable").tolist()
    group = [0] * len(order)
    number = 0
    while order:
        leader, rest = order[0], order[1:]
        p_values = holm([mean_over(layers[leader] - layers[row]).p_different() for row in rest])
        size = next((place for place, p in enumerate(p_values) if p < ALPHA), len(rest)) + 1
        for row in order[:size]:
            group[row] = number
        order = order[size:]
        number += 1
    return group

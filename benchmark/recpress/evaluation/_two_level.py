"""Tests of a mean over users and seeds, with the variance of both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit


@dataclass(frozen=True)
class MeanEstimate:
    """A mean with its standard error and the degrees of freedom of its t distribution."""

    mean: float
    error: float
    freedom: float

    def p_greater(self) -> float:
        """Return the one-sided p-value of a true mean of at most zero."""
        if self.error == 0:
            return float(self.mean <= 0)
        return float(stdtr(self.freedom, -self.mean / self.error))

    def p_different(self) -> float:
        """Return the two-sided p-value of a true mean of zero."""
        if self.error == 0:
            return float(self.mean == 0)
        return float(2 * stdtr(self.freedom, -abs(self.mean) / self.error))

    def half_width(self, confidence: float) -> float:
        """Return half the width of the confidence interval."""
        return self.error * float(stdtrit(self.freedom, (1 + confidence) / 2))

    def detectable(self, alpha: float, power: float) -> float:
        """Return the least absolute mean that a two-sided test at `alpha` finds with this `power`."""
        return self.error * float(stdtrit(self.freedom, 1 - alpha / 2) + stdtrit(self.freedom, power))


def mean_over(values: NDArray[np.float64]) -> MeanEstimate:
    """Estimate a mean over users, or over users crossed with seeds.

    With one seed it is the ordinary one-sample t-test over users, and speaks of that checkpoint alone. With
    several, users and seeds are both taken as samples: the variance of the mean is that of a two-way layout
    with random users and seeds, ``MS_users / nS + MS_seeds / nS - MS_rest / nS``, never less than either
    part, with the degrees of freedom of Satterthwaite (1946). Three seeds that disagree therefore widen
    the interval by the t quantile of two degrees of freedom, which a bootstrap over three seeds would not.
    By simulation the 5 % test rejects a true null in 2 to 6 % of cases with three seeds or more, and in up to
    10 % with two, which are too few.

    Parameters
    ----------
    values : float64 array of shape (n_seeds, n_users)
        At least two users.
    """
    n_seeds, n_users = values.shape
    if n_users < 2:
        raise ValueError(f"a test over users needs at least two of them, not {n_users}")
    by_user = values.mean(axis=0)
    mean = float(by_user.mean())
    users = float(by_user.var(ddof=1)) / n_users
    if n_seeds == 1:
        return MeanEstimate(mean, users**0.5, n_users - 1)
    by_seed = values.mean(axis=1)
    seeds = float(by_seed.var(ddof=1)) / n_seeds
    rest = values - by_user - by_seed[:, None] + mean
    shared = float((rest**2).sum()) / ((n_seeds - 1) * (n_users - 1)) / (n_seeds * n_users)
    variance = max(users + seeds - shared, users, seeds)
    if variance == 0:
        return MeanEstimate(mean, 0.0, n_users - 1)
    freedom = variance**2 / (users**2 / (n_users - 1) + seeds**2 / (n_seeds - 1))
    return MeanEstimate(mean, variance**0.5, freedom)

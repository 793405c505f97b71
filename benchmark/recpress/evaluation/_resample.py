"""Resampling of users: the paired bootstrap and the sign-flip permutation test."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from recpress.core.jit import kernel

Values = NDArray[np.float64]
_STREAM = 250  # Resamples per random stream: streams, not threads, decide the numbers.
_FLIP_BYTES = 1 << 21


@kernel
def _resample_sums(values: Values, rng: np.random.Generator, sums: Values) -> None:
    n, columns = values.shape
    for draw in range(len(sums)):
        for _ in range(n):
            user = int(rng.random() * n)
            for column in range(columns):
                sums[draw, column] += values[user, column]


def resampled_means(values: Values, resamples: int, seed: int) -> Values:
    """Draw users with replacement and return the mean of each column over them.

    scipy.stats.bootstrap does the same; this keeps no index matrix (2.4 GB for 30,000 users) and is several
    times faster, because all columns share the drawn users.

    Parameters
    ----------
    values : float64 array of shape (n, columns)
    resamples : int
    seed : int
        The result depends on it alone, not on the number of threads.

    Returns
    -------
    float64 array of shape (resamples, columns)
    """
    values = np.ascontiguousarray(values)
    sums = np.zeros((resamples, values.shape[1]))
    starts = range(0, resamples, _STREAM)
    streams = np.random.SeedSequence(seed).spawn(len(starts))

    def fill(start: int, stream: np.random.SeedSequence) -> None:
        _resample_sums(values, np.random.default_rng(stream), sums[start : start + _STREAM])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(fill, starts, streams))
    return sums / len(values)


def ratio_interval(
    baseline: Values,
    candidate: Values,
    confidence: float,
    resamples: int,
    seed: int,
    method: Literal["percentile", "bca"] = "percentile",
) -> tuple[float, float]:
    """Return a paired bootstrap interval of mean(candidate) / mean(baseline).

    Parameters
    ----------
    baseline, candidate : float64 arrays of shape (n,)
        Of the same users in the same order.
    confidence : float
        In (0, 1), e.g. 0.95.
    method : {"percentile", "bca"}
        Plain percentiles, or bias-corrected and accelerated (Efron, JASA 1987). On ranking metrics, which are
        mostly zeros, plain percentiles cover the truth a little more often (tests/evaluation/test_calibration.py).
    """
    pairs = np.stack([baseline, candidate], axis=1)
    means = resampled_means(pairs, resamples, seed)
    # A resample in which the baseline finds nothing has no ratio; with real data there is none.
    means = means[means[:, 0] > 0]
    ratios = means[:, 1] / means[:, 0]
    tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    if method == "bca":
        tails = _bca_tails(pairs, ratios, tails)
    low, high = np.quantile(ratios, tails)
    return float(low), float(high)


def _bca_tails(pairs: Values, ratios: Values, tails: Values) -> Values:
    total = pairs.sum(axis=0)
    ratio = total[1] / total[0]
    # Half of the ties, so that a lattice of few values isn't taken for bias.
    below = np.mean(ratios < ratio) + 0.5 * np.mean(ratios == ratio)
    rest = total - pairs
    if not 0 < below < 1 or (rest[:, 0] <= 0).any():
        return tails
    jackknife = rest[:, 1] / rest[:, 0]
    away = jackknife.mean() - jackknife
    spread = np.sum(away**2)
    if spread == 0:
        return tails
    bias = ndtri(below)
    acceleration = np.sum(away**3) / (6 * spread**1.5)
    shifted = bias + ndtri(tails)
    return np.asarray(ndtr(bias + shifted / (1 - acceleration * shifted)), np.float64)


def sign_flip(differences: Values, resamples: int, seed: int) -> float:
    """Return the two-sided p-value of a mean of zero, by flipping the signs of random users.

    Exact where differences are symmetric about zero under the null, as they are when the labels of two
    equal models are exchangeable. The observed assignment counts among the resamples, so p is at least
    1 / (resamples + 1).

    Parameters
    ----------
    differences : float64 array of shape (n,)
    """
    moved = differences[differences != 0]  # The others contribute 0 under either sign.
    if not len(moved):
        return 1.0
    rng = np.random.default_rng(seed)
    total = moved.sum()
    # Sums that are equal but for rounding must count as equal.
    bar = abs(total) - 1e-12 * np.abs(moved).sum()
    rows = max(1, _FLIP_BYTES // len(moved))
    extreme = 0
    for start in range(0, resamples, rows):
        n_rows = min(rows, resamples - start)
        packed = rng.integers(0, 256, (n_rows, (len(moved) + 7) // 8), dtype=np.uint8)
        flips = np.unpackbits(packed, axis=1, count=len(moved)).astype(np.float64)
        extreme += int(np.count_nonzero(np.abs(2 * (flips @ moved) - total) >= bar))
    return (extreme + 1) / (resamples + 1)

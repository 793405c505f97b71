"""The ratio of two interleaved timings, with an interval that knows that neighbouring samples are alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000


@dataclass(frozen=True)
class Ratio:
    """A ratio of medians and its 95 % interval."""

    value: float
    low: float
    high: float


def paired_ratio(candidate: NDArray[np.int64], reference: NDArray[np.int64], *, seed: int = 0) -> Ratio:
    """Return the ratio of the medians of two timings that were taken in turn, block by block.

    Parameters
    ----------
    candidate, reference : int64 arrays of shape (n_blocks, block_length)
        Row i of both was timed back to back, so that both saw the same state of the machine.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    Ratio
        The interval is the percentile bootstrap over pairs of blocks (Efron and Tibshirani 1993, chapters
        8 and 13): whatever slows the machine down for a while stays on both sides of each resample.

    Raises
    ------
    ValueError
        When the shapes differ or there are fewer than two blocks.
    """
    if candidate.shape != reference.shape or candidate.ndim != 2 or len(candidate) < 2:
        raise ValueError(f"two equal sets of at least 2 blocks are needed: {candidate.shape}, {reference.shape}")
    rng = np.random.default_rng(seed)
    blocks = len(candidate)
    weights = rng.multinomial(blocks, np.full(blocks, 1 / blocks), size=RESAMPLES)
    ratios = _medians(candidate, weights) / _medians(reference, weights)
    low, high = np.quantile(ratios, (0.025, 0.975))
    return Ratio(float(np.median(candidate) / np.median(reference)), float(low), float(high))


def _medians(times: NDArray[np.int64], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the median of all samples for each row of block weights: sorted once, then a running sum."""
    order = np.argsort(times, axis=None, kind="stable")
    ordered = times.ravel()[order]
    block = order // times.shape[1]
    medians = np.empty(len(weights))
    for i, weight in enumerate(weights):
        running = np.cumsum(weight[block])
        medians[i] = ordered[np.searchsorted(running, (running[-1] + 1) // 2)]
    return medians

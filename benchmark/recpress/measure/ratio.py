"""The ratio of two interleaved timings, with an interval that knows that neighbouring samples are alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
# Numbers drawn at a time: as many as a core's cache holds.
AT_ONCE = 100_000


@dataclass(frozen=True)
class Ratio:
    """Ratio of two durations, and its 95 % interval."""

    value: float
    low: float
    high: float


def paired_ratio(candidate: NDArray[np.int64], reference: NDArray[np.int64], *, seed: int = 0) -> Ratio:
    """Return the ratio of two timings that were taken in turn, block by block.

    Each pair of blocks gives the ratio of its two medians, and the median of those is the value: a slow phase of
    the machine is on both sides of a pair and cancels, an interrupted call is outvoted in its block, and a block
    that was interrupted as a whole is outvoted by the others.

    Parameters
    ----------
    candidate, reference : int64 arrays of shape (n_blocks, block_length)
        Row i of both was timed back to back, so that both saw the same state of the machine.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    Ratio
        The interval is the percentile bootstrap over pairs of blocks (Efron and Tibshirani 1993, chapter 13).

    Raises
    ------
    ValueError
        When the shapes differ or there are fewer than two blocks.
    """
    if candidate.shape != reference.shape or candidate.ndim != 2 or len(candidate) < 2:
        raise ValueError(f"two equal sets of at least 2 blocks are needed: {candidate.shape}, {reference.shape}")
    ratios = np.median(candidate, axis=1) / np.median(reference, axis=1)
    rng = np.random.default_rng(seed)
    size = max(1, AT_ONCE // len(ratios))
    medians = [
        np.median(ratios[rng.integers(0, len(ratios), (min(size, RESAMPLES - done), len(ratios)))], axis=1)
        for done in range(0, RESAMPLES, size)
    ]
    low, high = np.quantile(np.concatenate(medians), (0.025, 0.975))
    return Ratio(float(np.median(ratios)), float(low), float(high))

"""The ratio of interleaved timings: its value, its pairing, its coverage on known distributions."""

from __future__ import annotations

import numpy as np
import pytest

from recpress.measure.ratio import paired_ratio


def test_value_is_the_median_over_pairs_of_the_ratio_of_their_medians() -> None:
    candidate = np.array([[1, 2, 900], [3, 9, 9], [5, 5, 5]])
    reference = np.array([[4, 4, 4], [2, 3, 900], [1, 1, 800]])
    ratio = paired_ratio(candidate, reference)
    assert ratio.value == pytest.approx(sorted([2 / 4, 9 / 3, 5 / 1])[1])
    assert (ratio.low, ratio.high) == (0.5, 5.0)


def test_equal_samples_give_one_exactly() -> None:
    times = np.random.default_rng(0).integers(100, 200, (40, 8))
    ratio = paired_ratio(times, times)
    assert (ratio.low, ratio.value, ratio.high) == (1.0, 1.0, 1.0)


def test_drift_shared_by_both_sides_does_not_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    drift = np.exp(rng.normal(0, 0.5, (100, 1)))
    candidate, reference = ((1e6 * drift * (1 + rng.normal(0, 0.01, (100, 10)))).astype(np.int64) for _ in range(2))
    paired = paired_ratio(candidate, reference)
    shuffled = paired_ratio(candidate, rng.permutation(reference))
    assert paired.high - paired.low < 0.3 * (shuffled.high - shuffled.low)


@pytest.mark.parametrize(("candidate", "reference"), [((3, 4), (3, 5)), ((1, 4), (1, 4)), ((3,), (3,))])
def test_shapes_that_are_no_pairs_of_blocks_are_refused(candidate: tuple[int, ...], reference: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="blocks"):
        paired_ratio(np.ones(candidate, np.int64), np.ones(reference, np.int64))


@pytest.mark.slow
@pytest.mark.parametrize("true_ratio", [1.0, 1.1])
def test_interval_covers_the_truth_under_correlated_noise(true_ratio: float) -> None:
    """Slow phases that last for many blocks, and heavy tails: at least 90 % of the intervals hold the truth."""
    covered = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        phase = np.repeat(rng.choice([1.0, 1.4], 20), 10)[:, None]

        def side(scale: float, rng: np.random.Generator = rng, phase: np.ndarray = phase) -> np.ndarray:
            block = np.exp(rng.normal(0, 0.05, (200, 1)))
            return (3e5 * scale * phase * block * (1 + rng.exponential(0.03, (200, 10)))).astype(np.int64)

        ratio = paired_ratio(side(true_ratio), side(1.0), seed=seed)
        covered += ratio.low <= true_ratio <= ratio.high
    assert covered >= 90

"""Whether the statistics do what they say, by simulation on per-user scores shaped like real ones.

The scores are those of ranked lists: each simulated user has 1 to 40 test items, each is found at some place
or not at all with a user's own probability, and the metric is NDCG@20. So half of the users score 0, as on
real data. The compressed model moves, loses and finds items at random.
"""

from __future__ import annotations

import numpy as np
import pytest

from recpress import evaluation as evaluate
from recpress.evaluation._two_level import mean_over

DISCOUNT = 1 / np.log2(np.arange(2, 22))
IDEAL = np.cumsum(DISCOUNT)
RUNS = 3000


def told(what: str, found: int, runs: int = RUNS) -> float:
    """Print a share, as the table in statistics.md has it (``pytest -s``), and return it."""
    print(f"\n{what}: {100 * found / runs:.1f} % of {runs:,}", end="")
    return found / runs


def population(seed=0, n=20_000):
    """Two models of equal quality over a large population: their scores differ by chance alone."""
    rng = np.random.default_rng(seed)
    n_test = np.minimum(1 + rng.geometric(0.15, n), 40)
    skill = rng.beta(0.5, 12, n) * np.minimum(n_test, 10) ** 0.5
    chance = np.minimum(skill[:, None] * np.linspace(1.4, 0.6, 20), 1)
    hits = rng.random((n, 20)) < chance
    hits &= np.cumsum(hits, axis=1) <= n_test[:, None]
    moved = np.where(rng.random((n, 20)) < 0.15, rng.random((n, 20)) < chance, hits)
    moved &= np.cumsum(moved, axis=1) <= n_test[:, None]
    ideal = IDEAL[np.minimum(n_test, 20) - 1]
    return hits @ DISCOUNT / ideal, moved @ DISCOUNT / ideal


BEFORE, AFTER = population()


def sample(rng, n, keep=1.0):
    """Draw users and, so that the null holds exactly, the labels; then let the candidate keep a part."""
    users = rng.integers(0, len(BEFORE), n)
    swap = rng.random(n) < 0.5
    before = np.where(swap, AFTER[users], BEFORE[users])
    after = np.where(swap, BEFORE[users], AFTER[users])
    return before, after * keep


def test_the_population_looks_like_data():
    assert 0.3 < np.mean(BEFORE == 0) < 0.7
    assert 0.05 < BEFORE.mean() < 0.25
    assert 0.1 < np.mean(BEFORE != AFTER) < 0.8


@pytest.mark.slow
@pytest.mark.parametrize("n", [200, 943])
def test_false_positives_of_sign_flips(n):
    rng = np.random.default_rng(n)
    rejected = 0
    for run in range(RUNS):
        before, after = sample(rng, n)
        rejected += evaluate.sign_flip(after - before, 999, run) < 0.05
    assert 0.03 <= told(f"false positives of sign flips, {n} users", rejected) <= 0.07


@pytest.mark.slow
@pytest.mark.parametrize("keep", [1.0, 0.9])
@pytest.mark.parametrize(("method", "n"), [("percentile", 200), ("percentile", 943), ("bca", 200), ("bca", 943)])
def test_coverage_of_the_bootstrap(method, n, keep):
    rng = np.random.default_rng(7)
    covered = 0
    for run in range(RUNS):
        low, high = evaluate.ratio_interval(*sample(rng, n, keep), 0.95, 1000, run, method)
        covered += low <= keep <= high
    share = told(f"coverage, {method}, {keep} kept, {n} users", covered)
    # BCa covers a little less than it says where users are few.
    assert (0.91 if (method, n) == ("bca", 200) else 0.93) <= share <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("n", [200, 943, 6000])
def test_a_two_percent_loss_is_not_lossless(n):
    rng = np.random.default_rng(n + 1)
    called = 0
    for _ in range(RUNS):
        before, after = sample(rng, n, keep=0.98)
        called += mean_over((after - 0.99 * before)[None]).p_greater() < 0.05
    assert told(f"2 % lost and called lossless, {n} users", called) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("n", [200, 943, 6000])
def test_a_loss_of_just_the_margin_is_called_lossless_one_time_in_twenty(n):
    rng = np.random.default_rng(11)
    called = 0
    for _ in range(RUNS):
        before, after = sample(rng, n, keep=0.99)
        called += mean_over((after - 0.99 * before)[None]).p_greater() < 0.05
    assert 0.03 <= told(f"1 % lost and called lossless, {n} users", called) <= 0.07


@pytest.mark.slow
@pytest.mark.parametrize("seed_spread", [0.0, 0.05])
@pytest.mark.parametrize("n_seeds", [2, 3, 5])
def test_false_positives_and_coverage_over_seeds(n_seeds, seed_spread):
    """Each seed shifts the candidate by its own factor; the truth is that there is no difference."""
    rng = np.random.default_rng(13)
    rejected = covered = 0
    runs = 2000
    for _ in range(runs):
        users = rng.integers(0, len(BEFORE), 943)
        swap = rng.random((n_seeds, 943)) < 0.5
        before = np.where(swap, AFTER[users], BEFORE[users])
        after = np.where(swap, BEFORE[users], AFTER[users])
        after = after * (1 + seed_spread * rng.standard_normal((n_seeds, 1)))
        got = evaluate.compare(before, after, "ndcg@20")
        rejected += got.p_value < 0.05
        covered += got.low <= 1 <= got.high
    told(f"false positives over {n_seeds} seeds that differ by {seed_spread}", rejected, runs)
    if n_seeds == 2:  # too few, and told so
        return
    assert rejected / runs <= 0.07
    assert covered / runs >= 0.93
    if seed_spread:
        assert rejected / runs >= 0.03
        assert covered / runs <= 0.97

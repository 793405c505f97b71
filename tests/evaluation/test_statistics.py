"""Tests and intervals: against scipy, by hand, and at their edges. Calibration is in test_calibration.py."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from recpress import evaluation as evaluate
from recpress.evaluation import _comparison
from recpress.evaluation._comparison import MARGINS


def paired(seed, n=400, keep=1.0):
    """Zero-inflated scores of two models that agree on most users."""
    rng = np.random.default_rng(seed)
    before = np.where(rng.random(n) < 0.5, 0.0, rng.beta(1, 4, n))
    after = np.where(rng.random(n) < 0.4, np.clip(before + rng.normal(0, 0.1, n), 0, 1), before) * keep
    return before, after


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_interval_agrees_with_scipy(method):
    before, after = paired(1)
    got = evaluate.ratio_interval(before, after, 0.95, 20_000, 0, method)
    theirs = stats.bootstrap(
        (before, after), lambda a, b, axis=-1: b.mean(axis) / a.mean(axis), paired=True, n_resamples=20_000,
        method=method, rng=np.random.default_rng(5), batch=500,
    ).confidence_interval  # fmt: skip
    width = theirs.high - theirs.low
    assert got == pytest.approx((theirs.low, theirs.high), abs=0.04 * width)


def test_bca_follows_a_skewed_statistic():
    rng = np.random.default_rng(3)
    after = rng.exponential(1, 60) ** 3
    ones = np.ones(60)
    low, high = evaluate.ratio_interval(ones, after, 0.95, 20_000, 0, "bca")
    plain = evaluate.ratio_interval(ones, after, 0.95, 20_000, 0, "percentile")
    assert low > plain[0]
    assert high > plain[1]
    theirs = stats.bootstrap(
        (after,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(5)
    ).confidence_interval
    assert (low, high) == pytest.approx((theirs.low, theirs.high), rel=0.03)


def test_sign_flip_agrees_with_scipys_exact_test():
    differences = np.array([0.3, -0.1, 0.25, 0.0, 0.4, -0.05, 0.1, 0.2, 0.0, 0.15])
    exact = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    ).pvalue
    assert evaluate.sign_flip(differences, 200_000, 0) == pytest.approx(exact, abs=0.002)


def test_sign_flip_counts_ties_and_the_observed_assignment():
    # |±1 ± 1| reaches 2 in half of all assignments.
    assert evaluate.sign_flip(np.array([1.0, 1.0]), 100_000, 1) == pytest.approx(0.5, abs=0.01)
    assert evaluate.sign_flip(np.full(3, 0.1), 100_000, 1) == pytest.approx(0.25, abs=0.01)
    assert evaluate.sign_flip(np.zeros(5), 100, 0) == 1.0
    assert evaluate.sign_flip(np.ones(60), 99, 0) == 1 / 100


def test_seeds_fix_the_numbers_and_threads_do_not_matter(monkeypatch):
    before, after = paired(2)
    pairs = np.stack([before, after], 1)
    many = evaluate.resampled_means(pairs, 700, 3)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    np.testing.assert_array_equal(many, evaluate.resampled_means(pairs, 700, 3))
    assert not np.array_equal(many, evaluate.resampled_means(pairs, 700, 4))
    assert len(np.unique(many[:, 0])) > 600  # streams differ


def test_mean_over_one_seed_is_the_t_test():
    before, after = paired(4)
    difference = after - before + 0.003
    got = evaluate.mean_over(difference[None])
    assert got.p_different() == pytest.approx(stats.ttest_1samp(difference, 0).pvalue)
    assert got.p_greater() == pytest.approx(stats.ttest_1samp(difference, 0, alternative="greater").pvalue)
    low, high = stats.ttest_1samp(difference, 0).confidence_interval(0.95)
    assert got.half_width(0.95) == pytest.approx((high - low) / 2)


def test_mean_over_seeds_follows_the_level_that_varies():
    rng = np.random.default_rng(5)
    users, seeds = rng.standard_normal(500), np.array([-1.0, 0.2, 0.9])
    # Nothing but seeds: the t-test over three seed means.
    only_seeds = evaluate.mean_over(np.repeat(seeds[:, None], 500, axis=1))
    assert only_seeds.p_different() == pytest.approx(stats.ttest_1samp(seeds, 0).pvalue)
    # Nothing but users: the t-test over users, whatever the number of seeds.
    only_users = evaluate.mean_over(np.repeat(users[None], 3, axis=0))
    assert only_users.p_different() == pytest.approx(stats.ttest_1samp(users, 0).pvalue)
    # Nothing but noise: as many free draws as there are cells.
    noise = rng.standard_normal((3, 500))
    assert evaluate.mean_over(noise).error == pytest.approx(noise.std() / 1500**0.5, rel=0.5)


def test_degenerate_means():
    same = evaluate.mean_over(np.zeros((2, 4)))
    assert (same.p_different(), same.p_greater(), same.half_width(0.95)) == (1.0, 1.0, 0.0)
    constant = evaluate.mean_over(np.full((1, 4), 0.5))
    assert (constant.p_different(), constant.p_greater()) == (0.0, 0.0)
    with pytest.raises(ValueError, match="at least two"):
        evaluate.mean_over(np.zeros((3, 1)))


def test_holm():
    assert evaluate.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert evaluate.holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert evaluate.holm([]) == []


def test_a_model_against_itself_is_lossless_and_equivalent():
    before, _ = paired(6)
    got = evaluate.compare(before, before, "ndcg@20", resamples=500)
    assert (got.retention, got.low, got.high, got.p_value, got.detectable) == (1, 1, 1, 1, 0)
    assert got.lossless
    assert got.equivalent == 0.01
    assert "lossless" in got.summary()
    assert "no difference found" in got.summary()


def test_a_clear_loss():
    before, _ = paired(7, n=5000)
    got = evaluate.compare(before, before * 0.96, "recall@20", resamples=500)
    assert got.retention == pytest.approx(0.96)
    assert got.different
    assert not got.lossless
    assert got.margin == 0.05
    assert got.summary() == (
        "recall@20: retains 96.0% (95 % CI 96.0% to 96.0%); worse than the baseline (p = 0.002); any loss is below 5%"
    )


def test_a_small_sure_loss_is_both_worse_and_lossless():
    before, _ = paired(8, n=5000)
    got = evaluate.compare(before, before * 0.995, "recall@20", resamples=999)
    assert got.different
    assert got.lossless
    assert "worse" in got.summary()
    assert "lossless" in got.summary()


def test_where_nothing_can_be_told_the_detectable_effect_is_said():
    rng = np.random.default_rng(9)
    before, after = rng.beta(1, 4, 60), rng.beta(1, 4, 60)
    got = evaluate.compare(before, after, "mrr@10", resamples=999)
    assert not got.different
    assert got.margin is None
    assert f"{got.detectable:.1%} would not have been found" in got.summary()


def test_detectable_effect_is_found_with_the_stated_power():
    rng = np.random.default_rng(10)
    noise = rng.standard_normal((2000, 50))
    effect = evaluate.mean_over(noise[:1]).detectable(0.05, 0.8) / noise[0].std(ddof=1)
    found = [evaluate.mean_over(row[None] + effect).p_different() < 0.05 for row in noise]
    assert np.mean(found) == pytest.approx(0.8, abs=0.05)


def test_several_seeds_widen_what_one_seed_claims():
    before, after = paired(11)
    shifts = np.array([0.9, 1.0, 1.1])[:, None]
    one = evaluate.compare(before, after, "ndcg@20", resamples=2000)
    several = evaluate.compare(np.tile(before, (3, 1)), after * shifts, "ndcg@20")
    assert several.n_seeds == 3
    assert several.high - several.low > 2 * (one.high - one.low)
    assert several.retention == pytest.approx(one.retention)


def test_one_row_of_seeds_is_the_same_as_none():
    before, after = paired(12)
    assert evaluate.compare(before, after, "m", resamples=300) == evaluate.compare(
        before[None], after[None], "m", resamples=300
    )


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (np.zeros(3), np.zeros(4), "can't be paired"),
        (np.zeros((1, 1, 2)), np.zeros((1, 1, 2)), "can't be paired"),
        (np.zeros(3), np.zeros(3), "nothing to retain"),
        (np.ones(1), np.ones(1), "at least two"),
        (np.ones(3), np.array([1.0, np.nan, 1.0]), "not finite"),
    ],
)
def test_what_can_not_be_compared_is_refused(before, after, message):
    with pytest.raises(ValueError, match=message):
        evaluate.compare(before, after, "ndcg@20", resamples=10)


def test_a_board_is_adjusted_together():
    before, after = paired(13)
    board = evaluate.adjust([evaluate.compare(before, after * x, "m", resamples=200) for x in (1.0, 0.8, 1.0)])
    assert [each.p_adjusted for each in board] == evaluate.holm([each.p_value for each in board])


def test_groups_and_columns_compare_apart():
    before, after = paired(14, n=300)
    groups = np.repeat([0, 1, 2], 100)
    before[groups == 2] = 0
    by_group = evaluate.compare_groups(before, after, groups, "recall@20", resamples=300)
    assert by_group[0].n_users == 100
    assert by_group[2] is None
    columns = np.full((300, 2), np.nan)
    columns[:100, 0], columns[50:, 1] = before[:100], before[50:]
    changed = columns * 0.5
    by_column = evaluate.compare_columns(columns, changed, "recall@20", resamples=300)
    assert (by_column[0].n_users, by_column[1].n_users) == (100, 250)
    assert by_column[0].retention == pytest.approx(0.5)
    assert by_column[0].p_adjusted == pytest.approx(2 * by_column[0].p_value, rel=0.6)


def test_ties_share_a_group_and_a_leader_is_told_from_the_next():
    before, _ = paired(15, n=2000)
    noise = np.random.default_rng(1).normal(0, 0.01, 2000)
    rows = np.stack([before * 0.8, before, before * 0.8 + noise, before + noise, before * 0.5])
    assert evaluate.tie_groups(rows) == [1, 0, 1, 0, 2]
    assert evaluate.tie_groups(np.stack([rows, rows], axis=1)) == [1, 0, 1, 0, 2]
    assert evaluate.tie_groups(rows[:1]) == [0]


def test_margins_start_with_lossless():
    assert MARGINS == (0.01, 0.03, 0.05)
    assert _comparison.ALPHA == 0.05

"""The timing loop: who is asked, what is asserted, what is kept."""

from __future__ import annotations

import gc
import time

import numpy as np
import pytest
import torch

from recpress.measure.latency import FEWEST_BLOCKS, batches, interleave
from recpress.measure.ratio import paired_ratio
from recpress.measure.threads import Pin, ThreadCountChanged
from recpress.records.samples import TICK_NS, unpack

USERS = np.arange(100, 137)


def nothing(users: np.ndarray) -> None:
    """Answer nothing."""


def spin(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


def test_users_come_in_one_fixed_random_order_and_begin_anew() -> None:
    order = batches(USERS, 10, seed=3)
    asked = np.concatenate([next(order) for _ in range(37)])
    first = asked[: len(USERS)]
    assert sorted(first) == sorted(USERS)
    assert list(first) != sorted(USERS)
    assert list(asked) == list(first) * 10
    assert asked.dtype == np.int64


def test_a_batch_larger_than_the_set_of_users_is_filled_by_repeating_them() -> None:
    assert len(next(batches(USERS, 256, seed=0))) == 256


def test_both_sides_are_asked_the_same_users_in_turn() -> None:
    log: list[tuple[str, tuple[int, ...]]] = []

    def side(name: str):
        def answer(users: np.ndarray) -> None:
            log.append((name, tuple(users)))
            spin(0.003)

        return answer

    result = interleave(side("a"), side("b"), USERS, batch_size=4, scenario="batch", seconds=0.1, min_queries=8)
    timed = log[-2 * result.queries :]
    assert result.block == 1
    pairs = list(zip(timed[::2], timed[1::2], strict=True))
    assert all(first[1] == second[1] and first[0] != second[0] for first, second in pairs)
    assert [first[0] for first, _ in pairs[:4]] == ["a", "b", "a", "b"]


def test_figures_are_those_of_the_samples_kept() -> None:
    def slow(users: np.ndarray) -> None:
        spin(0.0004)

    def fast(users: np.ndarray) -> None:
        spin(0.0002)

    result = interleave(slow, fast, USERS, batch_size=1, scenario="single", seconds=0.2, min_queries=50)
    candidate, reference = unpack(result.samples, result.queries)
    assert candidate.size == reference.size == result.queries >= 50
    assert result.p50_ms == pytest.approx(np.percentile(candidate, 50) / 1e6, abs=TICK_NS / 2e6)
    assert result.p99_ms == pytest.approx(np.percentile(candidate, 99) / 1e6, abs=TICK_NS / 2e6)
    assert result.ratio == pytest.approx(np.median(candidate) / np.median(reference), rel=0.2)
    assert result.ratio == pytest.approx(2.0, rel=0.2)
    assert result.throughput == pytest.approx(1e3 / result.p50_ms)


def test_at_least_the_queries_asked_for_are_timed() -> None:
    result = interleave(nothing, nothing, USERS, batch_size=1, scenario="single", seconds=0.0, min_queries=333)
    assert result.queries >= 333


def test_a_slow_answer_is_asked_fewer_times_but_often_enough_for_an_interval() -> None:
    def slow(users: np.ndarray) -> None:
        spin(0.002)

    result = interleave(
        slow, nothing, USERS, batch_size=1, scenario="single", seconds=0.0, min_queries=10_000, patience=0.05
    )
    assert FEWEST_BLOCKS * result.block <= result.queries < 10_000
    assert result.ratio_low <= result.ratio <= result.ratio_high


def test_what_is_timed_of_no_answer_is_next_to_nothing() -> None:
    """Within the two readings of the clock; a machine at a tenth of its speed takes a twelfth of the bound."""
    result = interleave(nothing, nothing, USERS, batch_size=1, scenario="single", seconds=0.5, min_queries=1)
    assert result.p50_ms < 0.005
    assert result.overhead_ms is not None
    assert result.overhead_ms < 0.005


def test_garbage_collection_is_off_while_timing_and_on_again_after() -> None:
    seen = []

    def answer(users: np.ndarray) -> None:
        seen.append(gc.isenabled())

    interleave(answer, nothing, USERS, batch_size=1, scenario="single", seconds=0.0)
    assert gc.isenabled()
    assert not any(seen)


def test_a_side_that_changes_the_thread_count_is_named() -> None:
    def greedy(users: np.ndarray) -> None:
        torch.set_num_threads(2)

    before = torch.get_num_threads()
    with pytest.raises(ThreadCountChanged, match="torch uses 2 threads; 1 was set"):
        interleave(greedy, nothing, USERS, batch_size=1, scenario="single", seconds=0.0)
    assert torch.get_num_threads() == before


def test_a_pin_sets_and_restores_every_pool() -> None:
    before = torch.get_num_threads()
    with Pin(1) as pin:
        assert torch.get_num_threads() == 1
        pin.check()
    assert torch.get_num_threads() == before
    with pytest.raises(ValueError, match="at least 1"):
        Pin(0)


def test_without_users_nothing_is_timed() -> None:
    with pytest.raises(ValueError, match="no users"):
        interleave(nothing, nothing, np.array([], np.int64), batch_size=1, scenario="single")


@pytest.mark.parametrize("blocks", [2, 17, 400])
def test_an_interval_is_that_of_a_thousand_resamples_drawn_one_by_one(blocks: int) -> None:
    sides = np.random.default_rng(1).integers(10**5, 10**6, (2, blocks, 3))
    ratios = np.median(sides[0], axis=1) / np.median(sides[1], axis=1)
    rng = np.random.default_rng(5)
    medians = [np.median(rng.choice(ratios, blocks)) for _ in range(1000)]
    found = paired_ratio(*sides, seed=5)
    assert (found.low, found.high) == tuple(np.quantile(medians, (0.025, 0.975)))

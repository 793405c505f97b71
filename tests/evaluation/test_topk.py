"""Exact top-K: against a plain sort, and at every edge that the docstring speaks of."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recpress.data.interactions import UserItems
from recpress.serve import topk


def by_sorting(scores, seen, users, k):
    """The definition, one row at a time."""
    items = np.full((len(users), k), -1, np.int32)
    for row, user in enumerate(users):
        line = scores[row].copy()
        if seen is not None:
            line[seen.of(user)] = -np.inf
        order = np.lexsort((np.arange(len(line)), -line))
        order = order[line[order] > -np.inf][:k]
        items[row, : len(order)] = order
    return items


def random_seen(rng, n_users, n_items, density):
    users, items = np.nonzero(rng.random((n_users, n_items)) < density)
    return UserItems.from_pairs(users, items, n_users, n_items)


@settings(deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_items=st.integers(1, 300),
    k=st.integers(0, 120),
    levels=st.sampled_from([1, 2, 5, 0]),
    density=st.sampled_from([0.0, 0.1, 0.9, 1.0]),
)
def test_select_is_a_stable_sort(seed, n_items, k, levels, density):
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal((7, n_items)).astype(np.float32)
    if levels:  # few distinct values: nearly everything ties
        scores = np.floor(scores * levels / 3)
    scores[rng.random(scores.shape) < 0.05] = np.inf
    scores[rng.random(scores.shape) < 0.05] = -np.inf
    scores[rng.random(scores.shape) < 0.05] = -0.0
    users = rng.integers(0, 5, 7)
    seen = random_seen(rng, 5, n_items, density)
    expected = by_sorting(scores, seen, users, k)
    items, best = topk.select(torch.from_numpy(scores.copy()), seen, users, k)
    np.testing.assert_array_equal(items, expected)
    own = np.take_along_axis(scores, np.maximum(items, 0), 1) if n_items else best
    np.testing.assert_array_equal(best, np.where(items < 0, -np.inf, own))
    assert items.dtype == np.int32
    assert best.dtype == np.float32

    masked = torch.from_numpy(scores.copy())
    topk.mask(masked, seen, users)
    portable, values = topk._select_by_key(masked, users, k)  # what a GPU runs
    np.testing.assert_array_equal(portable, expected)
    np.testing.assert_array_equal(values, best)


def test_ties_go_to_the_lowest_id():
    scores = torch.tensor([[1.0, 2.0, 2.0, 1.0, 2.0]])
    items, _ = topk.select(scores, None, np.array([0]), 4)
    assert items.tolist() == [[1, 2, 4, 0]]
    zeros = torch.tensor([[-0.0, 0.0, -0.0]])
    assert topk.select(zeros, None, np.array([0]), 3)[0].tolist() == [[0, 1, 2]]


def test_short_and_empty_lists_are_padded():
    seen = UserItems.from_pairs(np.array([0, 0, 0, 1]), np.array([0, 1, 2, 1]), 2, 3)
    scores = torch.tensor([[3.0, 2.0, 1.0], [1.0, 9.0, 1.0]])
    items, best = topk.select(scores, seen, np.array([0, 1]), 5)
    assert items.tolist() == [[-1] * 5, [0, 2, -1, -1, -1]]
    assert best.tolist() == [[-np.inf] * 5, [1.0, 1.0, -np.inf, -np.inf, -np.inf]]


def test_k_zero_and_no_users_give_empty_arrays():
    scores = torch.zeros(2, 3)
    items, best = topk.select(scores, None, np.array([0, 1]), 0)
    assert items.shape == best.shape == (2, 0)
    items, _ = topk.select(torch.zeros(0, 3), None, np.zeros(0, np.int64), 4)
    assert items.shape == (0, 4)


def test_infinite_scores():
    scores = torch.tensor([[0.0, torch.inf, -torch.inf, torch.inf]])
    items, best = topk.select(scores, None, np.array([0]), 4)
    assert items.tolist() == [[1, 3, 0, -1]]
    assert best.tolist() == [[np.inf, np.inf, 0.0, -np.inf]]


@pytest.mark.parametrize("nan", [float("nan"), -float("nan")])
@pytest.mark.parametrize("n_items", [3, 41, 70])
def test_nan_is_refused_with_the_user_named(nan, n_items):
    scores = torch.zeros(3, n_items)
    scores[2, -1] = nan
    with pytest.raises(ValueError, match=r"user 7 contain NaN"):
        topk.select(scores, None, np.array([5, 6, 7]), 2)
    with pytest.raises(ValueError, match=r"user 7 contain NaN"):
        topk._select_by_key(scores, np.array([5, 6, 7]), 2)


def test_nan_of_a_seen_item_does_no_harm():
    seen = UserItems.from_pairs(np.array([0]), np.array([1]), 1, 3)
    scores = torch.tensor([[1.0, float("nan"), 2.0]])
    assert topk.select(scores, seen, np.array([0]), 2)[0].tolist() == [[2, 0]]


@pytest.mark.parametrize(
    ("scores", "users", "k", "message"),
    [
        (torch.zeros(1, 3, dtype=torch.float64), [0], 1, "float32"),
        (torch.zeros(3), [0], 1, "1 dimensions"),
        (torch.zeros(2, 3), [0], 1, "2 rows of scores for 1 users"),
        (torch.zeros(1, 4), [0], 1, "3 items in the catalogue"),
        (torch.zeros(1, 3), [2], 1, r"\[0, 2\)"),
        (torch.zeros(1, 3), [-1], 1, r"\[0, 2\)"),
        (torch.zeros(1, 3), [0], -1, "at least 0"),
    ],
)
def test_what_does_not_fit_is_refused(scores, users, k, message):
    seen = UserItems.from_pairs(np.array([0]), np.array([1]), 2, 3)
    with pytest.raises(ValueError, match=message):
        topk.select(scores, seen, np.array(users), k)


@pytest.mark.parametrize("memory_bytes", [0, 5000, 1 << 30])
def test_rank_equals_select_whatever_the_memory(memory_bytes):
    rng = np.random.default_rng(3)
    n_users, n_items = 37, 400
    left = torch.from_numpy(rng.integers(-3, 4, (n_users, 8)).astype(np.float32))
    right = torch.from_numpy(rng.integers(-3, 4, (n_items, 8)).astype(np.float32))
    seen = random_seen(rng, n_users, n_items, 0.1)
    users = rng.permutation(n_users)[:30]
    buffers = set()

    def score(block, out):
        buffers.add(out.data_ptr())
        return torch.mm(left[block], right.T, out=out)

    items = topk.rank(score, users, seen, 20, n_items, memory_bytes)
    np.testing.assert_array_equal(items, by_sorting((left[users] @ right.T).numpy(), seen, users, 20))
    assert len(buffers) == 1  # one buffer, kept


def test_rank_takes_scores_from_outside_the_buffer_and_checks_their_shape():
    scores = torch.arange(12.0).reshape(3, 4)
    users = np.arange(3)
    items = topk.rank(lambda block, out: scores[block], users, None, 2, 4)
    assert items.tolist() == [[3, 2]] * 3
    with pytest.raises(ValueError, match="shape"):
        topk.rank(lambda block, out: scores[block][:, :2], users, None, 2, 4)


def test_threads_change_nothing_and_stay_as_they_were():
    scores = torch.randint(0, 50, (64, 40_000), generator=torch.Generator().manual_seed(1)).float()
    users = np.arange(64)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(topk.select(scores.clone(), None, users, 30)[0])
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*results)


def test_rank_in_two_threads_equals_rank_in_one_and_leaves_torch_as_it_was():
    rng = np.random.default_rng(4)
    n_users, n_items = 300, 4000
    left = torch.from_numpy(rng.integers(-3, 4, (n_users, 8)).astype(np.float32)).requires_grad_()
    right = torch.from_numpy(rng.integers(-3, 4, (n_items, 8)).astype(np.float32))
    seen, users = random_seen(rng, n_users, n_items, 0.01), rng.permutation(n_users)
    before = torch.get_num_threads()
    used = set()

    def score(block, out):
        used.add(out.data_ptr())
        return torch.mm(left[block], right.T, out=out)

    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            with torch.no_grad():
                results.append(topk.rank(score, users, seen, 20, n_items, rows=16))
            assert torch.get_num_threads() == threads
        np.testing.assert_array_equal(*results)
        assert len(used) <= 3  # each thread has kept its buffer

        def spoilt(block, out):
            return score(block, out).masked_fill_(torch.from_numpy(block == users[-1])[:, None], torch.nan)

        with pytest.raises(ValueError, match=f"user {users[-1]} contain NaN"), torch.no_grad():
            topk.rank(spoilt, users, seen, 20, n_items, rows=16)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def rough_tables(rng, n_users, n_items, columns, kind):
    """Tables on which rounding to bytes goes wrong in different ways."""
    users, items = rng.standard_normal((n_users, columns)), rng.standard_normal((n_items, columns))
    if kind == "uneven columns":
        scales = 10.0 ** rng.uniform(-6, 6, columns)
        users, items = users / scales, items * scales
    elif kind == "heavy tails":
        items *= 10.0 ** rng.uniform(-3, 3, (n_items, 1))
        users *= 10.0 ** rng.uniform(-3, 3, (n_users, columns))
    elif kind == "ties":
        users, items = np.round(2 * users), np.round(2 * items)
        items[rng.random(n_items) < 0.3] = 0
        items[:, 0] = 0
    elif kind == "near ties":
        items = items[:1] + 1e-6 * items
    return users.astype(np.float32), items.astype(np.float32)


@pytest.mark.skipif(not topk.has_vnni(), reason="tables are ranked by plain products without AVX-512 VNNI")
@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(1, 20),
    columns=st.integers(2, 70),
    kind=st.sampled_from(["plain", "uneven columns", "heavy tails", "ties", "near ties"]),
    density=st.sampled_from([0.0, 0.1, 0.999, 1.0]),
)
def test_bytes_find_what_a_sort_finds(seed, k, columns, kind, density):
    rng = np.random.default_rng(seed)
    n_items = int(rng.integers(64 * k, 64 * k + 500))
    users, items = rough_tables(rng, 5, n_items, columns, kind)
    seen = random_seen(rng, 5, n_items, density)
    asked = rng.integers(0, 5, 7)
    ranked = []
    products = topk.select_near
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(topk, "select_near", lambda *arguments: ranked.append(1) or products(*arguments))
        found = topk.rank_tables(lambda block: torch.from_numpy(users[block]), torch.from_numpy(items), asked, seen, k)
    assert ranked  # by bytes, not by the plain product
    exact = users[asked].astype(np.float64) @ items.astype(np.float64).T
    if kind == "ties":  # whole numbers: float32 is exact
        np.testing.assert_array_equal(found, by_sorting(exact, seen, asked, k))
        return
    # Elsewhere a place may go to another item only if float32 can't tell the two apart.
    expected = by_sorting(exact, seen, asked, k)
    np.testing.assert_array_equal(found < 0, expected < 0)
    rounding = columns * 2.0**-23 * (np.abs(users[asked]).astype(np.float64) @ np.abs(items).astype(np.float64).T)
    for row in range(len(asked)):
        own, best = (each[row][each[row] >= 0] for each in (found, expected))
        assert len(set(own.tolist())) == len(own)
        assert not np.isin(own, seen.of(asked[row])).any()
        gap = np.abs(exact[row, own] - exact[row, best])
        assert (gap <= rounding[row, own] + rounding[row, best]).all()


@pytest.mark.parametrize("columns", [1, 8])
def test_what_cant_be_rounded_is_ranked_by_plain_products(columns):
    rng = np.random.default_rng(0)
    users, items = (torch.from_numpy(each).abs() for each in rough_tables(rng, 4, 400, columns, "plain"))
    seen, asked = random_seen(rng, 4, 400, 0.1), np.arange(4)

    def check():
        found = topk.rank_tables(lambda block: users[torch.from_numpy(block)], items, asked, seen, 5)
        np.testing.assert_array_equal(found, by_sorting((users @ items.T).numpy(), seen, asked, 5))

    check()
    items[7] = torch.inf
    check()
    items[7] = 1.0
    users[1] = torch.inf
    check()
    users[1] = torch.nan
    with pytest.raises(ValueError, match="user 1 contain NaN"):
        check()


def test_users_and_items_of_other_tables_are_refused():
    seen = random_seen(np.random.default_rng(0), 4, 400, 0.1)
    for users, n_items in ((np.array([4]), 400), (np.array([-1]), 400), (np.array([0]), 401)):
        with pytest.raises((ValueError, IndexError)):
            topk.rank_tables(lambda block: torch.ones(len(block), 8), torch.ones(n_items, 8), users, seen, 5)

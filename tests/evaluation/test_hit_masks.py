"""Masks of hits: the metrics are those of the lists, and packing loses nothing and trusts nothing."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recpress.core.errors import UserError
from recpress.data.interactions import UserItems
from recpress.evaluation import METRICS, hit_masks, per_user

N_ITEMS = 60


@st.composite
def scored(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, UserItems]:
    """Lists of 30 for some users with 1 to 40 test items each; some lists are short."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n_users = draw(st.integers(1, 12))
    tests = [rng.choice(N_ITEMS, rng.integers(1, 41), replace=False) for _ in range(n_users)]
    users = np.sort(rng.choice(n_users, rng.integers(1, n_users + 1), replace=False)).astype(np.int64)
    topk = np.stack([rng.permutation(N_ITEMS)[:30] for _ in users]).astype(np.int32)
    topk[np.arange(30) >= rng.integers(0, 31, (len(users), 1))] = -1
    owners = np.repeat(np.arange(n_users), [len(each) for each in tests])
    return topk, users, UserItems.from_pairs(owners, np.concatenate(tests), n_users, N_ITEMS)


@settings(deadline=None)  # The first call compiles.
@given(scored(), st.integers(1, 20))
def test_every_metric_is_that_of_the_lists_to_the_last_bit(
    case: tuple[np.ndarray, np.ndarray, UserItems], k: int
) -> None:
    topk, users, test = case
    masks = hit_masks.of_lists(topk, users, test)
    expected = per_user(topk, users, test, [k])
    for name in METRICS:
        got = hit_masks.metric(f"{name}@{k}", masks, test.counts[users])
        np.testing.assert_array_equal(got, expected[f"{name}@{k}"], err_msg=name)


@given(st.lists(st.one_of(st.just(0), st.integers(0, 2**20 - 1)), max_size=200), st.integers(0, 60))
def test_packing_loses_nothing(values: list[int], misses: int) -> None:
    masks = np.array([0] * misses + values + [0] * misses, np.uint32)
    back = hit_masks.unpack(hit_masks.pack(masks), len(masks))
    assert back.dtype == np.uint32
    np.testing.assert_array_equal(back, masks)


@pytest.mark.parametrize("gap", [254, 255, 256, 509, 510, 511])
def test_gaps_as_long_as_a_byte_holds(gap: int) -> None:
    masks = np.zeros(40, np.uint32)
    masks[gap // 20] = 1 << gap % 20
    np.testing.assert_array_equal(hit_masks.unpack(hit_masks.pack(masks), 40), masks)


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"no zlib",
        zlib.compress(bytes(41)),  # a hit behind the last place
        zlib.compress(bytes([255, 0])),
        zlib.compress(bytes([3, 255])),  # a gap that doesn't end
        zlib.compress(bytes(10**8)),  # a bomb
        zlib.compress(b"") + b"more",
        zlib.compress(bytes(30))[:-6],
    ],
)
def test_what_was_not_packed_for_so_many_users_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError):
        hit_masks.unpack(packed, 2)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ndcg@50", "ndcg@50 can't be told from the first 20 places; there are recall, .* each at 1 to 20"),
        ("ndcg", "can't be told"),
        ("ndcg@0", "can't be told"),
        ("ncdg@20", "did you mean 'ndcg@20'"),
        ("coverage@20", "There is no metric 'coverage@20'"),
    ],
)
def test_metrics_that_masks_cannot_give(name: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        hit_masks.metric(name, np.ones(2, np.uint32), np.ones(2, np.int64))

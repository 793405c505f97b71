from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recpress.core.errors import UserError
from recpress.data import encode, splits
from recpress.data.card import IdRange, Preprocess, SplitSpec
from recpress.data.formats.raw import RawTable
from recpress.data.interactions import Interactions, UserItems
from recpress.data.splits import Split

pairs = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 30)), min_size=1, max_size=120, unique=True)


def raw(rows: list[tuple[int, int]], times: list[int] | None = None) -> RawTable:
    users, items = np.array(rows, np.int64).T
    return RawTable(users, items, times=None if times is None else np.array(times, np.int64))


def of(part: UserItems) -> set[tuple[int, int]]:
    return set(zip(part.users.tolist(), part.items.tolist(), strict=True))


def interactions(rows: list[tuple[int, int]], times: list[int] | None = None) -> Interactions:
    return encode.encode(raw(rows, times))


def random_split(data: Interactions, seed: int = 0) -> Split:
    return splits.make(data, SplitSpec(protocol="random-per-user", seed=seed))


@settings(deadline=None)
@given(rows=pairs, shuffle=st.randoms())
def test_random_parts_are_disjoint_complete_and_of_the_stated_size(rows, shuffle) -> None:
    data = interactions(rows)
    split = random_split(data)
    parts = [of(split.train), of(split.valid), of(split.test)]
    assert sum(map(len, parts)) == len(rows)
    assert set().union(*parts) == set(zip(data.users.tolist(), data.items.tolist(), strict=True))
    for user, n in Counter(data.users.tolist()).items():
        tenth = (2 * n + 10) // 20
        held = min(2 * tenth, n - 1)
        assert (split.test.counts[user], split.train.counts[user]) == (min(tenth, n - 1), n - held)
    shuffled = list(rows)
    shuffle.shuffle(shuffled)
    assert random_split(interactions(shuffled)).sha256 == split.sha256


def test_the_random_split_is_this_one_on_every_machine() -> None:
    """Keys by hand from the reference constants of SplitMix64, in Python's unbounded integers."""
    mask = 2**64 - 1

    def mix(z: int) -> int:
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
        return z ^ (z >> 31)

    golden = 0x9E3779B97F4A7C15
    for user, item, seed in ((0, 0, 0), (3, 77, 0), (2**31 - 1, 2**31 - 2, 5), (9, 1, 2**32 - 1)):
        expected = mix(mix(((user << 32 | item) + golden) & mask) ^ mix(seed + golden))
        assert int(splits.keys(np.array([user]), np.array([item]), seed)[0]) == expected


def test_another_seed_is_another_split() -> None:
    data = interactions([(user, item) for user in range(20) for item in range(20)])
    assert random_split(data).sha256 != random_split(data, 1).sha256


def test_rows_whose_keys_tie_in_the_upper_half_are_sorted_in_full() -> None:
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 3, 4000).astype(np.int32), rng.integers(0, 50, 4000).astype(np.int32)
    key = rng.integers(0, 4, 4000).astype(np.uint64) << np.uint64(32) | rng.integers(0, 9, 4000).astype(np.uint64)
    found = splits._by_user_and_key(users, items, key)
    expected = np.lexsort((items, key, users))
    for column in (users, key, items):
        assert (column[found] == column[expected]).all()


def test_leave_one_out_takes_the_last_two_in_time() -> None:
    data = interactions([(0, 5), (0, 6), (0, 7), (1, 5), (1, 6)], times=[30, 10, 20, 1, 2])
    split = splits.make(data, SplitSpec(protocol="leave-one-out"))
    assert of(split.test) == {(0, 0)}
    assert of(split.valid) == {(0, 2)}
    assert of(split.train) == {(0, 1), (1, 0), (1, 1)}


def test_leave_one_out_by_position_in_a_file_that_is_in_order() -> None:
    data = interactions([(0, 9), (0, 3), (0, 5), (0, 1)])
    split = splits.make(data, SplitSpec(protocol="leave-one-out"), ordered=True)
    assert data.item_ids[split.test.of(0)].tolist() == [1]
    assert data.item_ids[split.valid.of(0)].tolist() == [5]


def test_temporal_keeps_equal_times_together_and_drops_the_unknown() -> None:
    rows = [(0, 0), (1, 1), (0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (0, 3)]
    data = interactions(rows, times=[1, 2, 3, 4, 5, 6, 6, 6])
    split = splits.make(data, SplitSpec(protocol="temporal-global", valid=0, test=0.125))
    # The newest time holds three rows, so test takes all three; of them user 2 and item 3 are unknown.
    assert of(split.test) == {(1, 2)}
    assert of(split.train) == {(0, 0), (1, 1), (0, 1), (1, 0), (0, 2)}
    with pytest.raises(UserError, match="temporal-global split leaves valid empty"):
        splits.make(data, SplitSpec(protocol="temporal-global", valid=0.125, test=0.125))
    at_once = interactions(rows, times=[1] * 8)
    with pytest.raises(UserError, match="leaves train and valid and test empty"):
        splits.make(at_once, SplitSpec(protocol="temporal-global"))


def test_leave_one_out_without_anyone_to_test_is_refused() -> None:
    with pytest.raises(UserError, match="leaves valid and test empty: no user has three"):
        splits.make(interactions([(0, 0), (0, 1)], times=[1, 2]), SplitSpec(protocol="leave-one-out"))


def last_of_five(times: list[int], items: list[int], seed: int = 0) -> tuple[str, list[int]]:
    """Split users that each have five interactions; return how equal times were ordered, and each user's test item."""
    rows = [(row // 5, item) for row, item in enumerate(items)]
    data = interactions(rows, times)
    split = splits.make(data, SplitSpec(protocol="leave-one-out", seed=seed))
    return splits.ties(data), split.test.items.tolist()


def test_equal_times_are_in_file_order_where_the_file_is_in_order_of_time() -> None:
    items = [3, 4, 0, 2, 1, 4, 3, 2, 1, 0]
    assert last_of_five([1, 2, 3, 3, 3] * 2, items) == ("file", [1, 0])
    assert last_of_five([3, 3, 3, 2, 1] * 2, items) == ("file", [3, 4])  # the newest first
    assert last_of_five([1, 2, 3, 4, 5] * 2, items) == ("none", [1, 0])


@pytest.mark.parametrize("times", [[100] * 5, [1, 2, 5, 3, 5]])
def test_equal_times_are_drawn_where_the_file_tells_no_order(times: list[int]) -> None:
    """Sorted by item, or not by time: the highest id must not be tested more than others."""
    n = 300
    how, tested = last_of_five(times * n, [0, 1, 2, 3, 4] * n)
    assert how == "drawn"
    tied = [item for item, time in enumerate(times) if time == max(times)]
    counts = Counter(tested)
    assert counts.keys() == set(tied)
    assert max(counts.values()) < 1.4 * n / len(tied)
    assert tested == last_of_five(times * n, [0, 1, 2, 3, 4] * n)[1]
    assert tested != last_of_five(times * n, [0, 1, 2, 3, 4] * n, seed=1)[1]


@pytest.mark.parametrize("protocol", ["leave-one-out", "temporal-global"])
def test_time_based_splits_say_that_they_need_times(protocol) -> None:
    with pytest.raises(UserError, match=r"needs times.*ratings\.dat"):
        splits.make(interactions([(0, 0)]), SplitSpec(protocol=protocol))


def test_official_keeps_test_and_holds_out_valid_of_train() -> None:
    train = [(user, item) for user in range(3) for item in range(10)]
    test = [(0, 20), (2, 21)]
    split = splits.official(interactions(train + test), [30, 2], SplitSpec(protocol="official"))
    assert of(split.test) == {(0, 10), (2, 11)}
    assert split.valid.counts.tolist() == [1, 1, 1]
    assert of(split.fit) == set(train)


def test_official_with_a_published_valid_part() -> None:
    split = splits.official(interactions([(0, 0), (0, 1), (0, 2)]), [1, 1, 1], SplitSpec(protocol="official"))
    assert (of(split.train), of(split.valid), of(split.test)) == ({(0, 0)}, {(0, 1)}, {(0, 2)})


def test_official_refuses_repeats_and_cold_users() -> None:
    spec = SplitSpec(protocol="official")
    with pytest.raises(
        UserError, match=r"user 7 with item 4 is interaction 1 of the train file and again interaction 2 of the test"
    ):
        splits.official(interactions([(7, 4), (8, 4), (8, 5), (7, 4)]), [2, 2], spec)
    with pytest.raises(UserError, match=r"User 9 has test items but no train items \(interaction 1 of the test file"):
        splits.official(interactions([(7, 4), (9, 5)]), [1, 1], spec)
    kept = splits.official(interactions([(7, 4), (9, 5)]), [1, 1], SplitSpec(protocol="official", cold_users=True))
    assert kept.test.nnz == 1


def test_an_id_beyond_the_declared_range_is_refused() -> None:
    ids = IdRange(first=1, users=2, items=3)
    data = encode.encode(raw([(1, 3), (2, 1)]), ids)
    assert (data.n_users, data.n_items, data.users.tolist(), data.items.tolist()) == (2, 3, [0, 1], [2, 0])
    with pytest.raises(UserError, match=r"Interaction 2: the item id 4 lies outside the declared range 1 … 3"):
        encode.encode(raw([(1, 3), (2, 4)]), ids)
    with pytest.raises(UserError, match="user id 0"):
        encode.encode(raw([(0, 3)]), ids)


def test_threshold_duplicates_and_empty_outcome() -> None:
    table = RawTable(
        np.array([1, 1, 2]), np.array([5, 5, 6]), np.array([3, 5, 4], np.float32), np.array([9, 8, 7], np.int64)
    )
    kept = encode.preprocess(table, Preprocess(min_rating=4))
    assert kept.users.tolist() == [1, 2]
    assert encode.preprocess(table, Preprocess()).times.tolist() == [8, 7]
    assert encode.preprocess(table, Preprocess(duplicates="last")).times.tolist() == [9, 7]
    with pytest.raises(UserError, match="repeats user 1 with item 5"):
        encode.preprocess(table, Preprocess(duplicates="error"))
    with pytest.raises(UserError, match="No interaction is left"):
        encode.preprocess(table, Preprocess(min_rating=6))
    with pytest.raises(UserError, match="no ratings"):
        encode.preprocess(raw([(0, 0)]), Preprocess(min_rating=4))


@settings(deadline=None)
@given(rows=pairs, k=st.integers(1, 4))
def test_k_core_is_the_largest_set_where_all_have_enough(rows, k) -> None:
    users, items = np.array(rows).T
    kept = encode.k_core(users, items, k, k)
    alive = set(rows)
    while True:  # one at a time, in the plainest way
        by_user, by_item = Counter(u for u, _ in alive), Counter(i for _, i in alive)
        poor = {(u, i) for u, i in alive if by_user[u] < k or by_item[i] < k}
        if not poor:
            break
        alive -= {min(poor)}
    assert {rows[row] for row in kept} == alive


@settings(deadline=None)
@given(ids=st.lists(st.one_of(st.integers(0, 50), st.integers(0, 2**40)), min_size=1, max_size=60))
def test_dense_ids_ascend_and_map_back(ids) -> None:
    values = np.array(ids, np.int64)
    data = encode.encode(RawTable(values, values))
    assert data.user_ids.tolist() == sorted(set(ids))
    assert data.user_ids[data.users].tolist() == ids

"""Slices: equal groups, and recall that adds up to the whole."""

from __future__ import annotations

import numpy as np

from recpress import evaluation as evaluate
from recpress.data.interactions import UserItems


def random_lists(seed, n_users=40, n_items=60, depth=20):
    rng = np.random.default_rng(seed)
    topk = np.stack([rng.permutation(n_items)[:depth] for _ in range(n_users)]).astype(np.int32)
    topk[:5, 10:] = -1
    users, items = np.nonzero(rng.random((n_users, n_items)) < 0.2)
    return topk, UserItems.from_pairs(users, items, n_users, n_items)


def test_deciles_are_equal_and_ordered():
    values = np.array([5, 1, 1, 9, 3, 3, 3, 8, 7, 2, 0, 4])
    groups = evaluate.deciles(values)
    sizes = np.bincount(groups, minlength=10)
    assert sizes.sum() == 12
    assert sizes.max() - sizes.min() <= 1
    assert (np.diff(groups[np.argsort(values, kind="stable")]) >= 0).all()
    assert evaluate.deciles(np.zeros(20, int)).tolist() == np.repeat(np.arange(10), 2).tolist()
    assert evaluate.deciles(np.array([2, 1])).tolist() == [5, 0]
    assert evaluate.deciles(np.zeros(0, int)).tolist() == []


def test_activity_popularity_and_cold_users_come_from_training():
    train = UserItems.from_pairs(np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 0, 0, 1, 2]), 4, 4)
    users = np.array([3, 2, 0])
    assert evaluate.activity_deciles(users, train).tolist() == [0, 6, 3]
    assert evaluate.popularity_deciles(train).tolist() == [7, 5, 2, 0]
    assert evaluate.cold_users(users, train, at_most=2).tolist() == [True, False, True]


def test_recall_by_item_group_equals_recall_on_the_group_alone():
    topk, test = random_lists(1)
    users = np.random.default_rng(2).permutation(40)
    groups = (np.arange(60) % 10).astype(np.int8)
    got = evaluate.recall_by_item_group(topk, users, test, groups, 15)
    for row, user in enumerate(users):
        for group in range(10):
            wanted = {item for item in test.of(user).tolist() if groups[item] == group}
            if wanted:
                assert got[row, group] == len(wanted & set(topk[row, :15].tolist())) / len(wanted)
            else:
                assert np.isnan(got[row, group])
    one = evaluate.recall_by_item_group(topk, users, test, np.zeros(60, np.int8), 15, 1)[:, 0]
    np.testing.assert_allclose(one, evaluate.per_user(topk, users, test, (15,))["recall@15"])

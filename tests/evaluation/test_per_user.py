"""Ranking metrics: golden vectors worked out by hand, and an independent library."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from recpress import evaluation as evaluate
from recpress.data.interactions import UserItems

D = [1 / log2(place + 1) for place in range(1, 101)]
"""The discount of each place."""


def user_items(rows, n_items):
    users = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    items = np.array([item for row in rows for item in row], np.int64)
    return UserItems.from_pairs(users, items, len(rows), n_items)


# Hits at places 1 and 3 of 5; three, one and seven test items.
GOLDEN = [
    (
        "three test items, two found",
        [4, 0, 7, 1, 2],
        [4, 7, 9],
        {
            "recall@5": 2 / 3,
            "recall_capped@5": 2 / 3,
            "precision@5": 2 / 5,
            "hit_rate@5": 1.0,
            "mrr@5": 1.0,
            "map@5": (1 / 1 + 2 / 3) / 3,
            "ndcg@5": (D[0] + D[2]) / (D[0] + D[1] + D[2]),
            "recall@2": 1 / 3,
            "recall_capped@2": 1 / 2,
            "precision@2": 1 / 2,
            "map@2": 1 / 2,
            "ndcg@2": D[0] / (D[0] + D[1]),
        },
    ),
    (
        "one test item, found at place 4",
        [0, 1, 2, 3, 4],
        [3],
        {
            "recall@5": 1.0,
            "recall_capped@5": 1.0,
            "precision@5": 1 / 5,
            "hit_rate@5": 1.0,
            "mrr@5": 1 / 4,
            "map@5": 1 / 4,
            "ndcg@5": 1 / log2(5),
            "recall@2": 0.0,
            "recall_capped@2": 0.0,
            "precision@2": 0.0,
            "hit_rate@2": 0.0,
            "mrr@2": 0.0,
            "map@2": 0.0,
            "ndcg@2": 0.0,
        },
    ),
    (
        "seven test items, a perfect list of five",
        [1, 2, 3, 4, 5],
        [1, 2, 3, 4, 5, 6, 7],
        {
            "recall@5": 5 / 7,
            "recall_capped@5": 1.0,
            "precision@5": 1.0,
            "hit_rate@5": 1.0,
            "mrr@5": 1.0,
            "map@5": 1.0,
            "ndcg@5": 1.0,
            "recall@2": 2 / 7,
            "recall_capped@2": 1.0,
            "precision@2": 1.0,
            "map@2": 1.0,
            "ndcg@2": 1.0,
        },
    ),
    (
        "a list of two, padded, with a hit at place 2",
        [8, 9, -1, -1, -1],
        [9, 0],
        {
            "recall@5": 1 / 2,
            "recall_capped@5": 1 / 2,
            "precision@5": 1 / 5,
            "hit_rate@5": 1.0,
            "mrr@5": 1 / 2,
            "map@5": (1 / 2) / 2,
            "ndcg@5": D[1] / (D[0] + D[1]),
        },
    ),
    (
        "an empty list",
        [-1, -1, -1, -1, -1],
        [0],
        dict.fromkeys(("recall@5", "ndcg@5", "precision@5", "hit_rate@5", "mrr@5", "map@5"), 0.0),
    ),
]


@pytest.mark.parametrize(("topk", "test", "expected"), [g[1:] for g in GOLDEN], ids=[g[0] for g in GOLDEN])
def test_golden(topk, test, expected):
    got = evaluate.per_user(np.array([topk], np.int32), np.array([0]), user_items([test], 10), ks=(2, 5))
    for name, value in expected.items():
        assert got[name][0] == pytest.approx(value, abs=1e-12), name


def test_all_names_at_all_cutoffs_in_the_order_of_the_users():
    topk = np.tile(np.arange(100, dtype=np.int32), (2, 1))
    test = user_items([[0], [], [200], [99]], 300)
    users = evaluate.evaluable(test)
    assert users.tolist() == [0, 2, 3]
    got = evaluate.per_user(topk, np.array([3, 0]), test)
    assert len(got) == 7 * 5
    assert set(got) == {f"{name}@{k}" for name in evaluate.METRICS for k in (5, 10, 20, 50, 100)}
    assert got["recall@50"].tolist() == [0.0, 1.0]
    assert got["mrr@100"].tolist() == [0.01, 1.0]
    assert evaluate.means(got)["recall@100"] == 1.0


@pytest.mark.parametrize(
    ("topk", "users", "ks", "message"),
    [
        ([[0, 1]], [1], (1,), "users without test items"),
        ([[0, 1]], [0], (3,), "cut-off 3"),
        ([[0, 1]], [0], (0,), "cut-off 0"),
        ([[0, 1]], [0, 0], (1,), "2 users"),
        ([[0, 1]], [2], (1,), "user ids"),
        ([[0, 9]], [0], (1,), "items must lie"),
        ([[0, -2]], [0], (1,), "items must lie"),
        ([[0, 0]], [0], (2,), "same item twice"),
    ],
)
def test_what_does_not_fit_is_refused(topk, users, ks, message):
    test = user_items([[0], []], 9)
    with pytest.raises(ValueError, match=message):
        evaluate.per_user(np.array(topk, np.int32), np.array(users), test, ks)


def test_nobody_to_average():
    empty = evaluate.per_user(np.zeros((0, 5), np.int32), np.zeros(0, np.int64), user_items([[]], 9), (5,))
    with pytest.raises(ValueError, match="no user has test items"):
        evaluate.means(empty)


def random_case(seed, n_users=12, n_items=60, depth=20):
    rng = np.random.default_rng(seed)
    topk = np.stack([rng.permutation(n_items)[:depth] for _ in range(n_users)]).astype(np.int32)
    rows = [rng.permutation(n_items)[: rng.integers(1, 40)] for _ in range(n_users)]
    return topk, user_items(rows, n_items)


def as_recbole_and_lightgcn_pytorch_define_them(items, wanted, k):
    """One user's metrics, in loops: RecBole 1.2.1 has all seven but recall_capped, LightGCN-PyTorch three."""
    hit = [item in wanted for item in items[:k]]
    best = min(k, len(wanted))
    return {
        "recall": sum(hit) / len(wanted),
        "recall_capped": sum(hit) / best,
        "precision": sum(hit) / k,
        "hit_rate": float(any(hit)),
        "mrr": 1 / (hit.index(True) + 1) if any(hit) else 0.0,
        "map": sum(sum(hit[: at + 1]) / (at + 1) for at in range(k) if hit[at]) / best,
        "ndcg": sum(D[at] for at in range(k) if hit[at]) / sum(D[:best]),
    }


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 20))
def test_equal_to_the_loops(seed, k):
    topk, test = random_case(seed)
    topk[0, 7:] = -1
    got = evaluate.per_user(topk, np.arange(test.n_users), test, (k,))
    for user in range(test.n_users):
        wanted = set(test.of(user).tolist())
        for name, value in as_recbole_and_lightgcn_pytorch_define_them(topk[user], wanted, k).items():
            assert got[f"{name}@{k}"][user] == pytest.approx(value, abs=1e-9), name


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_equal_to_trec_eval(seed):
    topk, test = random_case(seed)
    users = np.arange(test.n_users)
    qrels = {f"u{u}": {str(i): 1 for i in test.of(u)} for u in users}
    names = {"recall": "recall", "precision": "P", "hit_rate": "success", "ndcg": "ndcg_cut"}
    got = evaluate.per_user(topk, users, test, (5, 20))
    for k in (5, 20):
        # Lists of k: what has no cut-off there has ours. Scores are 4 bytes there, and equal ones would be reordered.
        run = {f"u{u}": {str(i): float(k - place) for place, i in enumerate(topk[u, :k])} for u in users}
        measures = {"recip_rank", *(f"{name}.{k}" for name in (*names.values(), "map_cut"))}
        answers = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)

        def theirs(name: str, answers: dict[str, dict[str, float]] = answers) -> list[float]:
            return [answers[f"u{u}"][name] for u in users]

        for ours, name in names.items():
            np.testing.assert_allclose(got[f"{ours}@{k}"], theirs(f"{name}_{k}"), atol=1e-9, err_msg=name)
        np.testing.assert_allclose(got[f"mrr@{k}"], theirs("recip_rank"), atol=1e-9)
        # trec_eval divides by |test|, we by min(k, |test|): docs/reference/metrics.md.
        scale = np.minimum(k, test.counts) / test.counts
        np.testing.assert_allclose(got[f"map@{k}"] * scale, theirs(f"map_cut_{k}"), atol=1e-9)

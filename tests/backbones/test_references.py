"""Recommenders without a trained table, against their formulas on dense matrices; GF-CF against published figures."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from recpress import registry
from recpress.api import Graph, Task, UserItems, make_generator, method_class
from recpress.backbones import references
from recpress.data import load
from recpress.evaluation import evaluable, means, per_user
from recpress.serve import topk

USERS, ITEMS = 60, 40


@pytest.fixture(scope="module")
def interactions() -> UserItems:
    rng = np.random.default_rng(0)
    # Item 39 and user 59 have none; item 38 has one.
    users, items = rng.integers(USERS - 1, size=600), np.minimum(rng.integers(ITEMS - 2, size=600), 37)
    return UserItems.from_pairs(np.append(users, 3), np.append(items, 38), USERS, ITEMS)


@pytest.fixture(scope="module")
def ones(interactions: UserItems) -> NDArray[np.float64]:
    return references.matrix(interactions).toarray().astype(np.float64)


def test_popularity_counts_users(interactions: UserItems, ones: NDArray[np.float64]) -> None:
    np.testing.assert_array_equal(references.popularity(references.matrix(interactions)), ones.sum(0))


def test_item_knn_is_its_formula(interactions: UserItems, ones: NDArray[np.float64]) -> None:
    counts = ones.T @ ones
    expected = counts / (np.sqrt(np.outer(counts.diagonal(), counts.diagonal())) + 5)
    np.fill_diagonal(expected, 0)
    found = references.item_knn(references.matrix(interactions), ITEMS, 5).toarray()
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_ease_is_its_formula_and_the_minimum(interactions: UserItems, ones: NDArray[np.float64]) -> None:
    found = references.ease(references.matrix(interactions), ITEMS, 7.0).toarray().T
    inverse = np.linalg.inv(ones.T @ ones + 7 * np.eye(ITEMS))
    expected = -inverse / inverse.diagonal()
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(found, expected, atol=1e-6)

    def objective(weights: NDArray[np.float64]) -> float:
        return float(np.square(ones - ones @ weights).sum() + 7 * np.square(weights).sum())

    rng = np.random.default_rng(1)
    for _ in range(20):
        step = 1e-2 * rng.standard_normal((ITEMS, ITEMS))
        np.fill_diagonal(step, 0)
        assert objective(expected + step) > objective(expected)


def test_gfcf_is_its_formula(interactions: UserItems, ones: NDArray[np.float64]) -> None:
    by_user, by_item = (np.sqrt(np.maximum(ones.sum(axis), 1)) for axis in (1, 0))
    normalised = ones / by_user[:, None] / by_item
    basis = np.linalg.svd(normalised)[2][:6].T
    low_pass = (basis / by_item[:, None]) @ (basis * by_item[:, None]).T
    expected = ones @ (normalised.T @ normalised + 0.3 * low_pass)
    matrix = references.matrix(interactions)
    found = references.gfcf(matrix, rank=6, alpha=0.3)
    np.testing.assert_allclose(found.scores(matrix), expected, atol=1e-5)
    linear = normalised.T @ normalised
    np.fill_diagonal(linear, 0)
    np.testing.assert_allclose(found.linear(ITEMS).toarray(), linear, atol=1e-6)
    assert references.gfcf(matrix, rank=0).write.shape == (ITEMS, 0)


def test_rows_keep_their_largest_magnitudes(monkeypatch: pytest.MonkeyPatch, interactions: UserItems) -> None:
    table = np.array([[0.0, 3, -5, 1], [2, 2, 2, 0], [0, 0, 0, 0]])
    expected = [[0.0, 3, -5, 0], [2, 2, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(references.largest(sparse.csr_array(table), 2).toarray(), expected)
    np.testing.assert_array_equal(references.largest_dense(table[:1], 2).toarray(), expected[:1])
    matrix = references.matrix(interactions)
    whole = [references.item_knn(matrix, 5, 0.0), references.ease(matrix, 5, 7.0)]
    monkeypatch.setattr(references, "BLOCK_ROWS", 7)
    in_blocks = [references.item_knn(matrix, 5, 0.0), references.ease(matrix, 5, 7.0)]
    for one, other in zip(whole, in_blocks, strict=True):
        assert (np.diff(one.indptr) <= 5).all()
        np.testing.assert_allclose(one.toarray(), other.toarray(), rtol=1e-6)


def test_ease_refuses_what_does_not_fit_and_says_what_it_takes(
    monkeypatch: pytest.MonkeyPatch, interactions: UserItems
) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1000))
    with pytest.raises(MemoryError, match="itemknn"):
        references.ease(references.matrix(interactions), 5, 7.0)


def scores(name: str, interactions: UserItems, params: dict[str, object]) -> Tensor:
    """Return what a method's artefact scores, for all users."""
    method = method_class(registry.method(name).module())()
    backbone = None  # none of them may look at it
    task = Task(Graph(interactions), backbone, method.Params(**params), 0, make_generator(0), lambda share: None)  # type: ignore[arg-type]
    made = method.compress(task)
    return made.items.scorer().scores(made.users.decode())


@pytest.mark.parametrize("values", ["fp16", "int8"])
def test_uncut_artefacts_score_as_their_solvers_do(interactions: UserItems, values: str) -> None:
    matrix = references.matrix(interactions)
    solved = references.gfcf(matrix, 6, 0.3)
    solved.linear(ITEMS)
    expected = {
        "itemknn": matrix @ references.item_knn(matrix, ITEMS, 10.0).T.toarray(),
        "ease": matrix @ references.ease(matrix, ITEMS, 300.0).T.toarray(),
        "gfcf": matrix @ (solved.linear(ITEMS).toarray() + solved.read @ solved.write.T),
    }
    for name, answer in expected.items():
        rank = {"rank": 6} if name == "gfcf" else {}
        found = scores(name, interactions, {"neighbours": ITEMS, "values": values, **rank})
        step = 1e-3 if values == "fp16" and name != "gfcf" else 2e-2
        np.testing.assert_allclose(found.numpy(), answer, atol=step * np.abs(answer).max())
    counted = scores("popularity", interactions, {})
    assert torch.equal(counted[5], torch.from_numpy(references.popularity(matrix)))


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize(("name", "recall", "ndcg"), [("gowalla", 0.1849, 0.1518), ("yelp2018", 0.0697, 0.0571)])
def test_gfcf_reproduces_the_published_figures(name: str, recall: float, ndcg: float, original_data: Path) -> None:
    # The figures of BARS (https://openbenchmark.github.io/BARS, candidate item matching, gowalla_m1 and yelp18_m1).
    split = load(name, original_data).split
    matrix = references.matrix(split.fit)
    solved = references.gfcf(matrix, rank=256, alpha=0.3)
    users = evaluable(split.test)
    lists = topk.rank(
        lambda chosen, out: torch.from_numpy(solved.scores(matrix[chosen])), users, split.fit, 20, split.n_items
    )
    found = means(per_user(lists, users, split.test, (20,)))
    assert (round(found["recall@20"], 4), round(found["ndcg@20"], 4)) == (recall, ndcg)

"""Explanations: parts that add up, checked against dense matrices, and what deleting the history does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recpress import data
from recpress.backbones.catalogue import backbone as registered
from recpress.backbones.recipe import Recipe, read_recipe
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems
from recpress.errors import UserError
from recpress.evaluate.explain import Drift, Explanation, LinearExplainer, drift, rank_after_deletion


@pytest.fixture(scope="module")
def graph():
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((30, 40)) < 0.2)
    return Graph(UserItems.from_pairs(users, items, 31, 40))  # the last user has no history


@pytest.fixture(scope="module", params=["bpr", "softmax"])
def backbone(request, graph):
    recipe = Recipe(dim=8, layers=3, loss=request.param, epochs=3, batch_size=64, learning_rate=0.05, negatives=4)
    return registered("lightgcn").fit(graph, recipe, seed=1)


def test_parts_add_up_to_the_score(graph, backbone):
    explainer = LinearExplainer(backbone, graph)
    for user in (0, 7, 29, 30):
        for item in (0, 13, 39):
            got = explainer.explain(user, backbone.items[item])
            np.testing.assert_array_equal(got.items, graph.user_items.of(user))
            score = float(backbone.users[user] @ backbone.items[item])
            assert got.score == pytest.approx(score, abs=1e-5)
    assert len(explainer.explain(30, backbone.items[0]).items) == 0


def test_a_part_is_all_walks_that_leave_by_the_item(graph, backbone):
    adjacency = graph.adjacency()
    dense = np.zeros((71, 71))
    rows = np.repeat(np.arange(71), np.diff(adjacency.indptr))
    dense[rows, adjacency.indices] = adjacency.weights
    base = torch.cat([backbone.base_users, backbone.base_items]).double().numpy()
    user, item = 3, 5
    full = sum(np.linalg.matrix_power(dense, step) @ base for step in range(4))[user]
    scale = np.linalg.norm(backbone.users[user]) / np.linalg.norm(full)
    target = backbone.items[item].double().numpy() * scale
    got = LinearExplainer(backbone, graph).explain(user, backbone.items[item])
    for neighbour, part in zip(got.items, got.contributions, strict=True):
        only = np.zeros_like(dense)
        only[user, 31 + neighbour] = dense[user, 31 + neighbour]
        walks = sum(only @ np.linalg.matrix_power(dense, step) @ base for step in range(3))[user]
        assert part == pytest.approx(walks @ target, abs=1e-5)


def test_what_compression_did_to_the_user_is_in_the_rest(graph, backbone):
    explainer = LinearExplainer(backbone, graph)
    plain = explainer.explain(4, backbone.items[2])
    served = explainer.explain(4, backbone.items[2], score=plain.score + 0.5)
    np.testing.assert_array_equal(served.contributions, plain.contributions)
    assert served.rest == pytest.approx(plain.rest + 0.5)
    assert served.score == pytest.approx(plain.score + 0.5)


def test_what_has_no_exact_parts_is_refused(graph, backbone):
    flat = registered("mf").fit(graph, Recipe(dim=4, epochs=1), seed=0)
    with pytest.raises(UserError, match="mf has no propagation"):
        LinearExplainer(flat, graph)
    other = Graph(UserItems.from_pairs(np.array([0]), np.array([0]), 31, 40))
    with pytest.raises(UserError, match="not its base tables propagated"):
        LinearExplainer(backbone, other)


def explanation(parts):
    return Explanation(np.arange(len(parts), dtype=np.int32), np.array(parts, float), 0.0)


def test_drift():
    before = explanation([3.0, 2.0, -1.0])
    assert drift(before, before) == Drift(1.0, 1.0, 0.0)
    got = drift(before, explanation([-3.0, -2.0, 1.0]))
    assert got.spearman == pytest.approx(-1)
    assert got.sign_flips == 1.0
    many = np.arange(20.0)
    half = drift(explanation(many), explanation(np.roll(many, 5)))
    assert half.jaccard == pytest.approx(5 / 15)
    assert drift(explanation([]), explanation([])) == Drift(1.0, 1.0, 0.0)
    assert drift(explanation([1.0, 1.0]), explanation([1.0, 2.0])).spearman == 0.0
    with pytest.raises(ValueError, match="different histories"):
        drift(before, explanation([1.0]))


def test_the_largest_come_first_and_ties_by_id():
    assert explanation([1.0, 3.0, 3.0, 2.0]).top(3).tolist() == [1, 2, 3]


def test_deleting_nothing_changes_nothing(graph, backbone):
    before, after = rank_after_deletion(backbone, graph, 2, 11, np.zeros(0, np.int32))
    assert before == after >= 1


@pytest.mark.slow
@pytest.mark.data
def test_deleting_what_gives_most_lowers_the_item(original_data, monkeypatch):
    """A case is a user with ten history items or more, and an item drawn from the 100 that are served to them.

    The five largest parts of the plain explanation are deleted from the graph, which is normalised and propagated anew.
    This was fixed after a first sample of 150 (91 % lowered) and before a second of 600 (93 %). Where the item is drawn
    from the first 20 alone, 71 % are lowered and 27 % keep their rank: the score falls in every case, but so near the
    top nothing is close enough to overtake. Drawn from all unseen items, 99 % are.
    """
    monkeypatch.setenv("RECPRESS_DATA", str(original_data))
    graph = data.load("ml-100k").graph()
    backbone = registered("lightgcn").fit(graph, read_recipe("ml-100k", "lightgcn").recipe, seed=0)
    explainer = LinearExplainer(backbone, graph)
    history = graph.user_items
    rng = np.random.default_rng(7)
    users = rng.choice(np.flatnonzero(history.counts >= 10), 400, replace=False)
    moves = {"explained": [], "random": []}
    for user in users.tolist():
        scores = backbone.items @ backbone.users[user]
        scores[torch.from_numpy(history.of(user)).long()] = -torch.inf
        item = int(scores.topk(100).indices[rng.integers(100)])
        whole = explainer.explain(user, backbone.items[item])
        assert whole.score == pytest.approx(float(scores[item]), abs=1e-5)
        chosen = {"explained": whole.top(5), "random": rng.choice(whole.items, 5, replace=False)}
        for how, deleted in chosen.items():
            before, after = rank_after_deletion(backbone, graph, user, item, deleted)
            moves[how].append(after - before)
    lowered = {how: np.mean(np.array(move) > 0) for how, move in moves.items()}
    assert lowered["explained"] >= 0.9
    assert np.mean(np.array(moves["explained"]) < 0) <= 0.05
    assert lowered["random"] <= 0.5

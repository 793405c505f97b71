"""Explanations: parts that add up, checked against dense matrices, and what deleting the history does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recpress.backbones.catalogue import backbone as registered
from recpress.backbones.config import TrainingConfig
from recpress.core.errors import UserError
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems
from recpress.evaluation.explain import Drift, Explanation, LinearExplainer, drift, turn


@pytest.fixture(scope="module")
def graph():
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((30, 40)) < 0.2)
    return Graph(UserItems.from_pairs(users, items, 31, 40))  # the last user has no history


@pytest.fixture(scope="module", params=["bpr", "softmax"])
def backbone(request, graph):
    config = TrainingConfig(
        dim=8, layers=3, loss=request.param, epochs=3, batch_size=64, learning_rate=0.05, negatives=4
    )
    return registered("lightgcn").fit(graph, config, seed=1)


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
    flat = registered("mf").fit(graph, TrainingConfig(dim=4, epochs=1), seed=0)
    with pytest.raises(UserError, match="mf has no propagation"):
        LinearExplainer(flat, graph)
    other = Graph(UserItems.from_pairs(np.array([0]), np.array([0]), 31, 40))
    with pytest.raises(UserError, match="not its base tables propagated"):
        LinearExplainer(backbone, other)


def test_a_table_that_was_turned_is_turned_back():
    rng = torch.Generator().manual_seed(0)
    table = torch.randn(200, 8, generator=rng) * torch.linspace(3, 0.1, 8)
    rotation = torch.linalg.qr(torch.randn(8, 8, generator=rng)).Q
    back, share = turn(0.5 * table @ rotation, table)
    torch.testing.assert_close(back, rotation.T, atol=1e-5, rtol=0)
    assert share == pytest.approx(1)
    # Fewer columns: what is left of a row lies in their space.
    thin = torch.linalg.svd(table, full_matrices=False).Vh[:3].T
    back, share = turn(table @ thin, table)
    torch.testing.assert_close(back, thin.T, atol=1e-5, rtol=0)
    assert share == pytest.approx(float((table @ thin).square().sum() / table.square().sum()), rel=1e-5)


def test_a_table_on_the_backbone_s_axes_stays_as_it_is():
    table = torch.randn(200, 8, generator=torch.Generator().manual_seed(0))
    back, share = turn((4 * table).round() / 4, table)
    assert torch.equal(back, torch.eye(8))
    assert 0.9 < share < 1


def test_another_table_is_not_near_however_it_is_turned():
    rng = torch.Generator().manual_seed(0)
    assert turn(torch.randn(2000, 8, generator=rng), torch.randn(2000, 8, generator=rng))[1] < 0.02
    assert turn(torch.zeros(5, 2), torch.ones(5, 3))[1] == 0


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

"""What deleting history items does: propagated anew, and as an explanation is held to."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recpress import data
from recpress.backbones.catalogue import backbone as registered
from recpress.backbones.catalogue import backbones
from recpress.backbones.config import TrainingConfig, read_training_config
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems
from recpress.evaluation.deletion import (
    DELETED,
    SCHEMES,
    SHORTEST,
    at_random,
    delete,
    draw_cases,
    fidelity,
    one_at_a_time,
    tables_over,
    without,
)
from recpress.evaluation.explain import LinearExplainer


@pytest.fixture(scope="module")
def graph():
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((30, 40)) < 0.3)
    return Graph(UserItems.from_pairs(users, items, 30, 40))


@pytest.mark.parametrize("name", sorted(backbones()))
def test_a_backbone_made_again_gives_its_own_tables(name, graph):
    config = read_training_config("default", name).config.model_copy(update={"dim": 8, "epochs": 2, "batch_size": 64})
    backbone = registered(name).fit(graph, config, seed=0)
    users, items = tables_over(backbone, graph)
    torch.testing.assert_close(users, backbone.users)
    torch.testing.assert_close(items, backbone.items)


@pytest.fixture(scope="module")
def backbone(graph):
    return registered("lightgcn").fit(
        graph, TrainingConfig(dim=8, layers=3, epochs=3, batch_size=64, learning_rate=0.05), 1
    )


def test_deleting_nothing_changes_nothing(graph, backbone):
    moved = delete(backbone, graph, 2, 11, np.zeros(0, np.int32))
    assert moved.places == 0
    assert moved.fall == pytest.approx(0, abs=1e-6)
    assert moved.ranks[0] >= 1


def test_deletion_normalises_and_propagates_anew(graph, backbone):
    history = graph.user_items
    user, item = 4, 7
    gone = history.of(user)[:2]
    matrix = np.zeros((70, 70))
    matrix[history.users, 30 + history.items] = 1
    matrix[user, 30 + gone] = 0
    matrix += matrix.T
    degrees = matrix.sum(1)
    scaled = matrix / np.sqrt(np.outer(degrees, degrees))
    base = torch.cat([backbone.base_users, backbone.base_items]).double().numpy()
    final = sum(np.linalg.matrix_power(scaled, step) @ base for step in range(4)) / 4
    scores = final[30:] @ final[user]
    scores[history.of(user)] = -np.inf
    moved = delete(backbone, graph, user, item, gone)
    assert moved.scores[1] == pytest.approx(scores[item], abs=1e-5)
    assert moved.ranks[1] == 1 + (scores > scores[item]).sum()


def test_all_edges_but_the_deleted_stay(graph):
    history = graph.user_items
    left = without(graph, 4, history.of(4)[1:]).user_items
    assert left.of(4).tolist() == history.of(4)[:1].tolist()
    for user in set(range(30)) - {4}:
        np.testing.assert_array_equal(left.of(user), history.of(user))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_cases_are_unseen_items_from_where_the_scheme_says(scheme, graph, backbone):
    cases = draw_cases(backbone, graph, scheme, 1000, seed=0)
    history = graph.user_items
    assert len(cases) == (history.counts >= SHORTEST).sum()
    assert cases == draw_cases(backbone, graph, scheme, 1000, seed=0)
    nothing = np.zeros(0, np.int32)
    ranks = [delete(backbone, graph, user, item, nothing).ranks[0] for user, item in cases]
    assert not any(item in history.of(user) for user, item in cases)
    assert max(ranks) <= (SCHEMES[scheme] or 40)
    assert len(set(ranks)) > 5


def test_deleted_one_at_a_time(graph, backbone):
    found = one_at_a_time(backbone, graph, 4, 7)
    assert not found.additive
    for at in (0, 3):
        expected = delete(backbone, graph, 4, 7, found.items[at : at + 1]).fall
        assert found.contributions[at] == pytest.approx(expected)
    assert found.score == pytest.approx(float(backbone.items[7] @ backbone.users[4]), abs=1e-6)


# What is asked of 600 cases: the least share whose rank is lowered. Among the best 20 no choice of five items that we
# know does it in 90 %: the score falls always, but the next in the list falls too. Figures: docs/reference/metrics.md.
LOWERED = {"top20": 0.6, "top100": 0.9, "unseen": 0.9}


@pytest.mark.slow
@pytest.mark.data
def test_deleting_what_gives_most_lowers_the_item(original_data, monkeypatch):
    """A case is a random user with ten history items or more and a random one of the items that a scheme names.

    The five largest parts of the score, as `recpress explain` gives them, are deleted from the graph.
    """
    monkeypatch.setenv("RECPRESS_DATA", str(original_data))
    graph = data.load("ml-100k").graph()
    backbone = registered("lightgcn").fit(graph, read_training_config("ml-100k", "lightgcn").config, seed=0)
    explainer = LinearExplainer(backbone, graph)
    for scheme, least in LOWERED.items():
        cases = draw_cases(backbone, graph, scheme, 600, seed=7)
        for user, item in cases[:100]:
            score = float(backbone.users[user] @ backbone.items[item])
            assert explainer.explain(user, backbone.items[item]).score == pytest.approx(score, abs=1e-5)
        found = fidelity(
            backbone, graph, cases, lambda user, item: explainer.explain(user, backbone.items[item]).top(DELETED)
        )
        random = fidelity(backbone, graph, cases, at_random(graph, seed=7))
        print(scheme, found, random)
        assert found.lowered >= least, scheme
        assert found.raised <= 0.02, scheme
        assert found.fell >= 0.95, scheme
        assert random.lowered <= found.lowered / 2, scheme

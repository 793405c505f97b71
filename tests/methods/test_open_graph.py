"""Learned edge masks: exact counts, gradients, hidden edges, and plain training where nothing goes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from recpress.methods.control.continued.method import Continued, ContinuedParams
from recpress.methods.pruning.edge_mask.method import EdgeMask, EdgeMaskParams, edges_after, learn_mask

from recpress.api import Artefact, Batch, Graph, Task, UserItems, make_generator
from recpress.backbones.base import Backbone, fit_embeddings
from recpress.backbones.config import TrainingConfig
from recpress.backbones.pruning.masked import MaskedPropagation
from recpress.backbones.training.retrain import Retraining
from recpress.codecs.networks.linear import LinearNetwork, Propagated
from recpress.core.errors import UserError


def task(graph: Graph, backbone: Backbone, **params: Any) -> Task[EdgeMaskParams]:
    return Task(graph, backbone, EdgeMaskParams(**params), 0, make_generator(0), lambda share: None)


def edges(made: Artefact) -> UserItems:
    assert isinstance(made.network, LinearNetwork)
    return made.network.graph().user_items


def base(made: Artefact) -> torch.Tensor:
    assert isinstance(made.users, Propagated)
    assert isinstance(made.items, Propagated)
    return torch.cat([made.users.base.decode(), made.items.base.decode()])


def test_without_pruning_it_is_continued_training_bit_for_bit(graph: Graph, backbone: Backbone) -> None:
    training = Retraining(backbone, graph, make_generator(0))
    plain = training.start.requires_grad_()

    def loss(batch: Batch) -> torch.Tensor:
        return training.loss(batch, training.objective.final(plain), plain)

    training.minimise([plain], loss, 2, 0.5, lambda share: None)
    made = EdgeMask().compress(task(graph, backbone, keep=1, epochs=2, values="fp32"))
    assert torch.equal(base(made), plain.detach())
    control = Continued().compress(
        Task(graph, backbone, ContinuedParams(epochs=2, rate=0.5), 0, make_generator(0), lambda share: None)
    )
    torch.testing.assert_close(made.items.decode(), control.items.decode(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("chosen", ["learned", "random", "resistance"])
@pytest.mark.parametrize("rounds", [1, 2])
def test_the_number_of_edges_is_exact(rounds: int, chosen: Any, graph: Graph, backbone: Backbone) -> None:
    whole = set(zip(graph.user_items.users.tolist(), graph.user_items.items.tolist(), strict=True))
    for keep in (0.0, 0.377, 0.8):
        made = EdgeMask().compress(
            task(graph, backbone, keep=keep, rounds=rounds, chosen=chosen, epochs=1, mask_epochs=1)
        )
        left = edges(made)
        assert left.nnz == graph.user_items.nnz - round((1 - keep) * graph.user_items.nnz)
        assert set(zip(left.users.tolist(), left.items.tolist(), strict=True)) <= whole


def test_rounds_take_equal_shares() -> None:
    params = EdgeMaskParams(keep=0.125, rounds=3)
    assert [round(edges_after(done, params, 1000)) for done in (1, 2, 3)] == [500, 250, 125]


@pytest.mark.parametrize("first", [0, 1])
def test_the_masked_forward_is_the_dense_one_and_gradients_reach_the_mask(first: int, graph: Graph) -> None:
    config = TrainingConfig(dim=4, layers=2, first_layer=first)
    generator = make_generator(5)
    nnz, n, n_users = graph.user_items.nnz, graph.n_nodes, graph.n_users
    table = torch.randn(n, 4, generator=generator, dtype=torch.float32).requires_grad_()
    mask = torch.rand(nnz, generator=generator).requires_grad_()
    made = MaskedPropagation(graph, config)(table, mask)
    dense_mask = mask.detach().clone().requires_grad_()
    dense_table = table.detach().clone().requires_grad_()
    weights = torch.from_numpy(graph.adjacency().weights[:nnz])
    owners = torch.from_numpy(graph.user_items.users).long()
    items = torch.from_numpy(graph.user_items.items).long()
    matrix = torch.zeros(n_users, graph.n_items).index_put((owners, items), weights * dense_mask)
    zeros = torch.zeros
    adjacency = torch.cat(
        [
            torch.cat([zeros(n_users, n_users), matrix], 1),
            torch.cat([matrix.T, zeros(graph.n_items, graph.n_items)], 1),
        ]
    )
    powers = [dense_table, adjacency @ dense_table, adjacency @ (adjacency @ dense_table)][first:]
    expected = torch.stack(powers).mean(0)
    torch.testing.assert_close(made, expected, rtol=0, atol=1e-6)
    target = torch.randn(n, 4, generator=generator)
    (made * target).sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    (expected * target).sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    torch.testing.assert_close(mask.grad, dense_mask.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(table.grad, dense_table.grad, rtol=1e-4, atol=1e-5)
    assert mask.grad is not None
    assert (mask.grad != 0).float().mean() > 0.99


def test_a_hidden_edge_learns_nothing_from_its_own_interaction(graph: Graph, backbone: Backbone) -> None:
    # With all interactions in one batch every edge is hidden in every step.
    at_once = replace(backbone, config=backbone.config.model_copy(update={"batch_size": 10**6}))
    hidden, shown = (
        learn_mask(
            task(graph, at_once, hide=hide, mask_epochs=2, sparsity_weight=0), graph.user_items, make_generator(1)
        )
        for hide in (True, False)
    )
    assert (hidden == 1).all()
    assert (shown != 1).float().mean() > 0.99


def test_a_penalty_shrinks_masks(graph: Graph, backbone: Backbone) -> None:
    free, bound = (
        learn_mask(task(graph, backbone, sparsity_weight=weight, mask_epochs=2), graph.user_items, make_generator(1))
        for weight in (0.0, 100.0)
    )
    assert bound.mean() < free.mean()


def test_what_has_no_edges_to_mask_is_refused(graph: Graph, backbone: Backbone) -> None:
    mf = fit_embeddings("mf", graph, TrainingConfig(dim=8, epochs=1), seed=0)
    with pytest.raises(UserError, match="propagate linearly"):
        EdgeMask().compress(task(graph, mf))
    pairs = np.array([[0, 1], [1, 0], [1, 2], [2, 1]])
    alike = Graph(UserItems.from_pairs(pairs[:, 0], pairs[:, 1], 3, 3), bipartite=False)
    same = fit_embeddings("lightgcn", alike, TrainingConfig(dim=4, layers=1, epochs=1), seed=0)
    with pytest.raises(UserError, match="users and items"):
        EdgeMask().compress(task(alike, same))

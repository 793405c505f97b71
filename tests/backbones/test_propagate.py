"""Sparse products and propagation against dense algebra and autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from recpress.backbones.propagate import Propagation, neighbour_mean, symmetric
from recpress.backbones.training.losses import cosine_contrastive, info_nce, weighted_bce
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems

N_USERS, N_ITEMS = 20, 30


@pytest.fixture(scope="module")
def graph() -> Graph:
    rng = np.random.default_rng(0)
    # The last item has no interactions.
    pairs = rng.integers(N_USERS, size=150), rng.integers(N_ITEMS - 1, size=150)
    return Graph(UserItems.from_pairs(*pairs, N_USERS, N_ITEMS))


def dense(graph: Graph) -> Tensor:
    matrix = torch.zeros(graph.n_nodes, graph.n_nodes)
    rows, columns = torch.from_numpy(graph.user_items.users).long(), torch.from_numpy(graph.user_items.items).long()
    matrix[rows, N_USERS + columns] = 1
    return matrix + matrix.T


def normalised(graph: Graph) -> Tensor:
    matrix = dense(graph)
    scale = matrix.sum(1).clamp(min=1).rsqrt()
    return scale[:, None] * matrix * scale


def rows(graph: Graph, seed: int) -> Tensor:
    return torch.randn(graph.n_nodes, 5, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", ["symmetric", "mean"])
def test_products_and_their_gradients_are_those_of_dense_matrices(graph: Graph, kind: str) -> None:
    if kind == "symmetric":
        product, matrix = symmetric(graph.adjacency()), normalised(graph)
    else:
        product, matrix = neighbour_mean(graph.adjacency()), dense(graph)
        matrix = matrix / matrix.sum(1, keepdim=True).clamp(min=1)
    x, weights = rows(graph, 0).requires_grad_(), rows(graph, 1)
    y = product(x)
    torch.testing.assert_close(y, matrix @ x, atol=1e-6, rtol=1e-5)
    (gradient,) = torch.autograd.grad((y * weights).sum(), x)
    torch.testing.assert_close(gradient, matrix.T @ weights, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("first", "layer"), [(0, 1), (1, 1), (1, 2), (1, 3), (0, 0)])
def test_noisy_propagation_has_the_gradient_of_the_noise_free_polynomial(graph: Graph, first: int, layer: int) -> None:
    matrix = normalised(graph)
    x = rows(graph, 0).requires_grad_()
    powers = [x]
    for _ in range(3):
        powers.append(matrix @ powers[-1])
    expected = torch.stack(powers[first:]).mean(0), powers[layer]
    propagation = Propagation(graph.adjacency(), 3, first)
    generator = torch.Generator().manual_seed(0)
    weights = rows(graph, 1), rows(graph, 2)
    for length in (0.0, 0.1):
        found = propagation.noisy(x, layer, length, generator)
        gradients = [
            torch.autograd.grad(sum((a * b).sum() for a, b in zip(views, weights, strict=True)), x, retain_graph=True)[
                0
            ]
            for views in (expected, found)
        ]
        torch.testing.assert_close(*gradients, atol=1e-6, rtol=1e-5)
        same = all(torch.allclose(a, b, atol=1e-6) for a, b in zip(expected, found, strict=True))
        assert same == (length == 0)


def test_noise_has_its_length_and_the_signs_of_the_row(graph: Graph) -> None:
    x = rows(graph, 0)
    _, clean = Propagation(graph.adjacency(), 1).walk(x, 1)
    _, noisy = Propagation(graph.adjacency(), 1).walk(x, 1, 0.3, torch.Generator().manual_seed(0))
    noise = (noisy - clean)[:-1]  # the last item has no edges, hence no signs
    torch.testing.assert_close(noise.norm(dim=1), torch.full((len(noise),), 0.3))
    assert (noise * clean[:-1] >= 0).all()


def test_bf16_propagation_is_near_fp32(graph: Graph) -> None:
    x = rows(graph, 0)
    exact, near = (Propagation(graph.adjacency(), 3, precision=each).apply(x) for each in ("fp32", "bf16"))
    assert near.dtype == torch.float32
    assert 0 < (exact - near).abs().max() < 0.02 * exact.abs().max()


def test_losses_by_hand() -> None:
    users, items = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.6, 0.8]])
    negatives = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    # 1 - 0.6 + 2 (max(0, 1 - 0.9) + max(0, 0 - 0.9))
    owners = users.expand(2, 2)
    assert cosine_contrastive(users, items, owners, negatives, 0.9, 2.0).item() == pytest.approx(0.4 + 0.2)
    zero = torch.zeros(1)
    # 3 ln 2 + 5/2 (1 ln 2 + 2 ln 2)
    found = weighted_bce(zero, torch.zeros(1, 2), torch.tensor([3.0]), torch.tensor([[1.0, 2.0]]), 5.0)
    assert found.item() == pytest.approx((3 + 7.5) * np.log(2))
    two = torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    # cosines 1 and 0: -ln e^2 / (e^2 + 1)
    assert info_nce(two, two, 0.5).item() == pytest.approx(np.log(1 + np.exp(-2)))

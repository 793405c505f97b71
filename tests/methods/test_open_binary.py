"""Learned binary codes: gradients pass signs, and what is stored is what was trained."""

from __future__ import annotations

import pytest
import torch
from recpress.methods.quantization.bigear.method import Bigear, BigearParams, binarise, binarised

from recpress.api import Graph, Task, make_generator
from recpress.backbones.base import Backbone
from recpress.backbones.training.retrain import Retraining, spread_directions
from recpress.codecs import Binary, Grouped


def test_the_gradient_passes_signs_as_a_bell_and_scales_as_they_are() -> None:
    generator = make_generator(0)
    x = torch.randn(6, 5, generator=generator, dtype=torch.float64)
    x[1], x[2, 0] = 0.0, 0.0
    weights = torch.randn(6, 5, generator=generator, dtype=torch.float64)
    x.requires_grad_()
    rows = binarised(x, 1.5)
    (rows * weights).sum().backward()
    found, x.grad = x.grad, None
    assert torch.equal(rows, torch.where(x >= 0, 1.0, -1.0) * x.abs().mean(1, keepdim=True))
    # The same with a step whose slope autograd knows, shifted to the value that the sign has.
    scale = x.abs().mean(1, keepdim=True)
    steep = torch.erf(1.5 * x / scale.detach().clamp(min=1e-12))
    (scale * (steep + (torch.where(x >= 0, 1.0, -1.0) - steep).detach()) * weights).sum().backward()
    torch.testing.assert_close(found, x.grad)
    assert found[1].eq(0).all()  # a row of zeros has no scale to learn by


@pytest.mark.parametrize("layers", [1, 3])
def test_signs_and_scales_store_what_was_trained(layers: int) -> None:
    generator = make_generator(0)
    table = binarise([torch.randn(20, 16, generator=generator) for _ in range(layers)], 1.0)
    stored = Grouped.encode(table, 16, Binary.encode)
    torch.testing.assert_close(stored.decode(), table, rtol=2**-10, atol=0)
    assert stored.breakdown().total() == 20 * layers * (2 + 2)


def test_later_layers_weigh_more() -> None:
    rows = binarise([torch.ones(1, 2), torch.full((1, 2), -3.0)], 1.0)
    torch.testing.assert_close(rows, torch.tensor([[1 / 3, 1 / 3, -2.0, -2.0]]))


@pytest.mark.parametrize("dim", [8, 16, 40])
def test_a_rotation_keeps_what_it_can_of_inner_products(dim: int) -> None:
    table = torch.randn(30, 16, generator=make_generator(0))
    turned = table @ spread_directions(table, dim, make_generator(1))
    assert turned.shape == (30, dim)
    error = (turned @ turned.T - table @ table.T).square().mean()
    assert error < 1e-6 if dim >= 16 else error < 0.5 * (table @ table.T).square().mean()


@pytest.mark.parametrize("layers", [0, 2])
def test_training_beats_the_signs_it_starts_from(layers: int, graph: Graph, backbone: Backbone) -> None:
    def loss_of(params: BigearParams) -> float:
        made = Bigear().compress(Task(graph, backbone, params, 0, make_generator(0), lambda share: None))
        training = Retraining(backbone, graph, make_generator(1))
        table = torch.cat([made.users.decode(), made.items.decode()])
        return sum(float(training.loss(batch, table, table)) for batch in training.objective.sampler.epoch(2000))

    start = BigearParams(dim=32, layers=layers, epochs=1, rate=1e-9)
    assert loss_of(start.model_copy(update={"epochs": 10, "rate": 0.5})) < 0.99 * loss_of(start)


def test_without_weight_the_teacher_changes_nothing_and_with_it_it_does(graph: Graph, backbone: Backbone) -> None:
    def codes(weight: float, items: int) -> torch.Tensor:
        params = BigearParams(dim=32, weight=weight, teacher_items=items, epochs=3, rate=1.0)
        made = Bigear().compress(Task(graph, backbone, params, 0, make_generator(0), lambda share: None))
        return made.items.decode()

    assert torch.equal(codes(0.0, 10), codes(0.0, 30))
    assert not torch.equal(codes(1.0, 10), codes(1.0, 30))

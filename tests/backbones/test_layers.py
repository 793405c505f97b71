"""Layers with weights against PyG's, which pass messages edge by edge."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import GATConv, SAGEConv

from recpress.backbones.catalogue import backbone
from recpress.backbones.config import TrainingConfig
from recpress.backbones.model import Model
from recpress.backbones.models.gat import GAT
from recpress.backbones.models.ngcf import NGCF
from recpress.backbones.models.sage import Sage
from recpress.core.errors import UserError
from recpress.data.graph import Graph


def edges_of(graph: Graph) -> Tensor:
    users = torch.from_numpy(graph.user_items.users).long()
    items = torch.from_numpy(graph.user_items.items).long() + graph.n_users
    return torch.cat([torch.stack([users, items]), torch.stack([items, users])], 1)


def gradients(table: Tensor, by: list[Tensor]) -> tuple[Tensor, ...]:
    weights = torch.randn(table.shape, generator=torch.Generator().manual_seed(2))
    return torch.autograd.grad((table * weights).sum(), by)


def assert_same(found: Tensor, expected: Tensor, by: list[Tensor], by_theirs: list[Tensor]) -> None:
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    for ours, theirs in zip(gradients(found, by), gradients(expected, by_theirs), strict=True):
        torch.testing.assert_close(ours, theirs.view_as(ours), atol=1e-4, rtol=1e-3)


def made(kind: type[Model], graph: Graph, **changes: object) -> Model:
    model = kind(graph, TrainingConfig(dim=8, layers=2).model_copy(update=changes), torch.Generator().manual_seed(0))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):  # zero at the start, which would hide mistakes
                parameter.normal_(generator=model.generator)
    return model


def test_sage_is_pygs_sageconv(small: Graph) -> None:
    model = made(Sage, small)
    convs = [SAGEConv(8, 8) for _ in range(2)]
    for conv, near, own in zip(convs, model.near, model.own, strict=True):
        conv.lin_l.load_state_dict(near.state_dict())
        conv.lin_r.load_state_dict(own.state_dict())
    edges = edges_of(small)
    expected = convs[1](convs[0](model.base, edges).relu(), edges)
    weights = [model.near[0].weight, model.own[1].weight, model.near[1].bias]
    theirs = [convs[0].lin_l.weight, convs[1].lin_r.weight, convs[1].lin_l.bias]
    assert_same(model.final(), expected, [model.base, *weights], [model.base, *theirs])


@pytest.mark.parametrize("heads", [1, 2])
def test_gat_is_pygs_gatconv(heads: int, small: Graph) -> None:
    model = made(GAT, small, heads=heads)
    convs = [GATConv(8, 8 // heads, heads) for _ in range(2)]
    for conv, layer in zip(convs, model.layers, strict=True):
        with torch.no_grad():
            conv.lin.weight.copy_(layer.linear.weight)
            conv.att_dst[0].copy_(layer.reader)
            conv.att_src[0].copy_(layer.read)
            conv.bias.copy_(layer.bias)
    edges = edges_of(small)
    first = convs[0](model.base, edges)
    expected = (model.base + first + convs[1](F.elu(first), edges)) / 3
    ours, theirs = [model.base], [model.base]
    for conv, layer in zip(convs, model.layers, strict=True):
        ours += [layer.linear.weight, layer.bias, layer.reader, layer.read]
        theirs += [conv.lin.weight, conv.bias, conv.att_dst, conv.att_src]
    assert_same(model.final(), expected, ours, theirs)


def test_ngcf_is_the_papers_matrix_form(small: Graph) -> None:
    model = made(NGCF, small)
    users, items = torch.from_numpy(small.user_items.users).long(), torch.from_numpy(small.user_items.items).long()
    matrix = torch.zeros(small.n_nodes, small.n_nodes)
    matrix[users, small.n_users + items] = 1
    matrix += matrix.clone().T
    scale = matrix.sum(1).clamp(min=1).rsqrt()
    laplacian = scale[:, None] * matrix * scale
    x, layers = model.base, [model.base]
    for first, second in zip(model.sums, model.products, strict=True):
        linear = (laplacian + torch.eye(len(matrix))) @ x @ first.weight.T + first.bias
        bilinear = (laplacian @ x * x) @ second.weight.T + second.bias
        x = F.leaky_relu(linear + bilinear, 0.2)
        layers.append(x / x.norm(dim=1, keepdim=True))
    by = [model.base, model.sums[0].weight, model.products[1].weight]
    assert_same(model.final(), torch.cat(layers, 1), by, by)


def test_users_of_an_inductive_sage_are_functions_of_their_items(small: Graph) -> None:
    model = made(Sage, small, inputs="items")
    before = model.final()[: small.n_users]
    with torch.no_grad():
        model.base[: small.n_users] += 1
    assert torch.equal(model.final()[: small.n_users], before)
    trained = backbone("sage").fit(small, TrainingConfig(dim=8, layers=2, inputs="items", epochs=2, batch_size=512), 0)
    assert not trained.base_users.any()
    assert trained.users.any()


def test_dropout_is_in_training_alone_and_keeps_the_mean(small: Graph) -> None:
    model = made(NGCF, small, dropout=0.5)
    assert not torch.equal(model.final(), model.final())
    ones = torch.ones(200, 200)
    dropped = model.drop(ones)
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert dropped.mean().item() == pytest.approx(1, abs=0.03)
    model.eval()
    assert torch.equal(model.final(), model.final())


def test_weights_come_with_the_backbone(small: Graph) -> None:
    trained = backbone("ngcf").fit(small, TrainingConfig(dim=8, layers=2, epochs=1), 0)
    assert {name for name in trained.weights if name.startswith("sums.0")} == {"sums.0.weight", "sums.0.bias"}
    assert trained.users.shape[1] == 24
    assert all(
        isinstance(weight, Tensor) and not isinstance(weight, nn.Parameter) for weight in trained.weights.values()
    )


@pytest.mark.parametrize(("kind", "changes"), [(NGCF, {"layers": 0}), (Sage, {"layers": 0}), (GAT, {"heads": 3})])
def test_a_config_that_a_layered_model_cannot_take_is_refused(
    kind: type[Model], changes: dict[str, object], small: Graph
) -> None:
    with pytest.raises(UserError, match=kind.__name__.lower()):
        made(kind, small, **changes)

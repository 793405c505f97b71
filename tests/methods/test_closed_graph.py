"""Closed methods of the serve form `graph`: fewer layers, fewer edges, fewer bits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from recpress.methods.pruning.edge_sparsify.method import EdgeSparsify, EdgeSparsifyParams
from recpress.methods.pruning.layer_drop.method import LayerDrop, LayerDropParams
from recpress.methods.quantization.graph_quantization.method import GraphQuantization, GraphQuantizationParams

from recpress.api import Artefact, Graph, Method, Shape, Task, UserItems, make_generator
from recpress.backbones.base import Backbone, fit_embeddings, fit_model
from recpress.backbones.catalogue import backbone as entry
from recpress.backbones.config import TrainingConfig
from recpress.codecs.networks.linear import LinearNetwork
from recpress.compression.edges import edge_scores
from recpress.core.errors import UserError
from recpress.measure import refresh


def compress(method: Method[Any], params: Any, graph: Graph, backbone: Backbone, seed: int = 0) -> Artefact:
    return method.compress(Task(graph, backbone, params, seed, make_generator(seed), lambda share: None))


def tables(made: Artefact) -> torch.Tensor:
    return torch.cat([made.users.decode(), made.items.decode()])


def linear(made: Artefact) -> LinearNetwork:
    assert isinstance(made.network, LinearNetwork)
    return made.network


@pytest.fixture(scope="module")
def final(backbone: Backbone) -> torch.Tensor:
    return torch.cat([backbone.users, backbone.items])


@pytest.mark.parametrize("coefficients", ["fitted", "mean"])
def test_all_layers_and_edges_are_the_backbone(
    coefficients: Any, graph: Graph, backbone: Backbone, final: torch.Tensor
) -> None:
    dropped = compress(
        LayerDrop(), LayerDropParams(layers=9, coefficients=coefficients, values="fp32"), graph, backbone
    )
    whole = EdgeSparsifyParams(keep=1, coefficients=coefficients, values="fp32")
    for made in (dropped, compress(EdgeSparsify(), whole, graph, backbone)):
        torch.testing.assert_close(tables(made), final, rtol=0, atol=1e-5)


@pytest.mark.parametrize("layers", [0, 1])
def test_fitted_coefficients_err_least(layers: int, graph: Graph, backbone: Backbone, final: torch.Tensor) -> None:
    def error(made: torch.Tensor) -> float:
        return float((made - final).square().sum())

    fitted = compress(LayerDrop(), LayerDropParams(layers=layers, values="fp32"), graph, backbone)
    mean = compress(LayerDrop(), LayerDropParams(layers=layers, coefficients="mean", values="fp32"), graph, backbone)
    assert error(tables(fitted)) < error(tables(mean))
    best, network = error(tables(fitted)), linear(fitted)
    base = torch.cat([backbone.base_users, backbone.base_items])
    for place in range(layers + 1):
        for by in (-0.01, 0.01):
            moved = network.coefficients.clone()
            moved[place] += by
            assert error(replace(network, coefficients=moved).final(base)) > best


def test_without_layers_no_edge_is_stored(graph: Graph, backbone: Backbone) -> None:
    assert linear(compress(LayerDrop(), LayerDropParams(layers=0), graph, backbone)).edges.values.shape == (1, 0)
    one = linear(compress(LayerDrop(), LayerDropParams(layers=1), graph, backbone))
    assert one.edges.values.shape == (1, graph.user_items.nnz)
    assert len(one.coefficients) == 2


@pytest.mark.parametrize("score", ["degree", "cosine", "resistance", "random"])
def test_the_number_of_edges_is_exact_and_all_are_of_the_graph(score: Any, graph: Graph, backbone: Backbone) -> None:
    whole = set(zip(graph.user_items.users.tolist(), graph.user_items.items.tolist(), strict=True))
    for keep in (0.0, 0.377, 0.5):
        made = compress(EdgeSparsify(), EdgeSparsifyParams(keep=keep, score=score), graph, backbone)
        kept = linear(made).graph().user_items
        assert kept.nnz == graph.user_items.nnz - round((1 - keep) * graph.user_items.nnz)
        assert set(zip(kept.users.tolist(), kept.items.tolist(), strict=True)) <= whole


def test_degree_keeps_the_edges_of_the_rarest_ends(graph: Graph, backbone: Backbone) -> None:
    edges = graph.user_items
    products = edges.counts[edges.users] * np.bincount(edges.items, minlength=edges.n_items)[edges.items]
    kept = (
        linear(compress(EdgeSparsify(), EdgeSparsifyParams(keep=0.4, score="degree"), graph, backbone))
        .graph()
        .user_items
    )
    chosen = np.isin(
        edges.users.astype(np.int64) * edges.n_items + edges.items, kept.users * np.int64(edges.n_items) + kept.items
    )
    assert products[chosen].max() <= products[~chosen].min()


def test_resistance_draws_rare_ends_more_often_and_the_seed_decides() -> None:
    # One user of 60 items that nobody else has, and 60 users of one item each that all have.
    users = np.concatenate([np.zeros(60, np.int64), np.arange(1, 61)])
    items = np.concatenate([np.arange(1, 61), np.zeros(60, np.int64)])
    lonely = (np.array([70, 71, 72]), np.array([70, 71, 72]))
    graph = Graph(UserItems.from_pairs(np.append(users, lonely[0]), np.append(items, lonely[1]), 73, 73))
    table = torch.zeros(73, 2)
    drawn = []
    for seed in range(60):
        ranked = edge_scores(graph, table, table, "resistance", make_generator(seed))
        drawn.append(ranked.argsort(descending=True)[:30])
    counts = torch.stack(drawn).flatten().bincount(minlength=graph.user_items.nnz).float() / 60
    alone = counts[-3:].mean()  # weight 2, where all others have 1 + 1/60
    others = counts[:-3].mean()
    assert 1.4 < alone / others < 2.1
    assert not torch.equal(drawn[0], drawn[1])
    again = edge_scores(graph, table, table, "resistance", make_generator(0)).argsort(descending=True)[:30]
    assert torch.equal(drawn[0], again)


def test_fewer_edges_and_layers_take_fewer_bytes_and_less_time(graph: Graph, backbone: Backbone) -> None:
    few = compress(EdgeSparsify(), EdgeSparsifyParams(keep=0.1), graph, backbone)
    many = compress(EdgeSparsify(), EdgeSparsifyParams(keep=1.0), graph, backbone)
    assert few.breakdown()["graph"] < 0.3 * many.breakdown()["graph"]
    timing = refresh.rebuilding(backbone, graph, few, seconds=0.01)
    assert timing.scenario == "refresh"
    assert timing.queries >= 2
    with pytest.raises(ValueError, match="graph artefact"):
        refresh.rebuilding(backbone, graph, Artefact(many.users, many.items), seconds=0.01)


@pytest.mark.parametrize(
    ("method", "params"), [(LayerDrop(), LayerDropParams()), (EdgeSparsify(), EdgeSparsifyParams())]
)
def test_what_does_not_propagate_linearly_is_refused(method: Method[Any], params: Any, graph: Graph) -> None:
    mf = fit_embeddings("mf", graph, TrainingConfig(dim=8, epochs=1), seed=0)
    sage = fit_model("sage", entry("sage").model, graph, TrainingConfig(dim=8, layers=1, epochs=1), 0)
    for backbone in (mf, sage):
        with pytest.raises(UserError, match="propagate linearly"):
            compress(method, params, graph, backbone)


@pytest.mark.parametrize("name", ["sage", "gat", "ngcf"])
def test_quantized_networks_keep_their_lists_and_meet_budgets(name: str, graph: Graph) -> None:
    backbone = fit_model(
        name, entry(name).model, graph, TrainingConfig(dim=16, layers=2, epochs=3, learning_rate=0.02), 0
    )
    final = torch.cat([backbone.users, backbone.items])
    method, errors = GraphQuantization(), []
    for weights, activations in (("int8", "fp32"), ("int8", "int8"), ("int4", "fp32")):
        params = GraphQuantizationParams(weights=weights, activations=activations)
        errors.append(float((tables(compress(method, params, graph, backbone)) - final).norm() / final.norm()))
    assert max(errors[:2]) < 0.03
    assert errors[0] < errors[2] < 0.4
    shape = Shape.of(graph, backbone)
    for share in (1.0, 0.75):
        params = method.params_for(int(share * shape.dense_bytes), shape)
        made = compress(method, params, graph, backbone)
        assert made.breakdown().total() < share * shape.dense_bytes


def test_byte_products_need_byte_weights() -> None:
    with pytest.raises(ValidationError, match="int8 or int4"):
        GraphQuantizationParams(weights="fp32", activations="int8")

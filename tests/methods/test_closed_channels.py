"""Channel pruning: what goes is what costs least, what stays is fitted, and the network is smaller and not masked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from recpress.methods.pruning.channels.method import ChannelParams, ChannelPruning, channels, tensor_bytes

from recpress.api import Artefact, Backbone, Graph, Shape, Task, make_generator
from recpress.backbones.base import fit_embeddings, fit_model
from recpress.backbones.catalogue import backbone as entry
from recpress.backbones.config import TrainingConfig
from recpress.backbones.pruning.channels import pruned
from recpress.backbones.pruning.elimination import Regression, eliminate
from recpress.backbones.pruning.wiring import Wiring
from recpress.codecs.networks.layered import LayeredNetwork
from recpress.codecs.networks.linear import Propagated
from recpress.compression.graph_form import encode_base
from recpress.core.errors import UserError
from recpress.measure.sizes import file_bytes

DIM, HEADS, LAYERS = 16, 2, 2
NETWORKS = ("gat", "ngcf", "sage")


@pytest.fixture(scope="module")
def networks(graph: Graph) -> dict[str, Backbone]:
    made = {}
    for name in NETWORKS:
        loss = "bpr" if name == "ngcf" else "softmax"
        heads = HEADS if name == "gat" else 1
        config = TrainingConfig(
            dim=DIM, layers=LAYERS, epochs=15, learning_rate=0.02, loss=loss, heads=heads, negatives=16, batch_size=1024
        )
        made[name] = fit_model(name, entry(name).model, graph, config, 0)
    return made


def compress(params: ChannelParams, graph: Graph, backbone: Backbone) -> Artefact:
    return ChannelPruning().compress(Task(graph, backbone, params, 0, make_generator(0), lambda share: None))


def narrow(graph: Graph, backbone: Backbone, kept: int, **variants: Any) -> Backbone:
    return pruned(backbone, graph, kept, make_generator(0), **variants)


def tables(made: Artefact) -> torch.Tensor:
    return torch.cat([made.users.decode(), made.items.decode()])


def final(backbone: Backbone, graph: Graph) -> torch.Tensor:
    """Return the final table by the backbone's own forward pass, densely."""
    net = entry(backbone.name).build(graph, backbone.config, torch.Generator())
    base = torch.cat([backbone.base_users, backbone.base_items])
    net.load_state_dict({"base": base, **backbone.weights})
    with torch.no_grad():
        return net.eval().final()


def wiring_of(backbone: Backbone, graph: Graph) -> Wiring:
    found = entry(backbone.name).build(graph, backbone.config, torch.Generator()).wiring()
    assert found is not None
    return found


def stored_base(made: Artefact) -> tuple[int, int]:
    assert isinstance(made.users, Propagated)
    return made.users.base.shape


@pytest.mark.parametrize("name", NETWORKS)
def test_all_channels_are_the_network(name: str, graph: Graph, networks: dict[str, Backbone]) -> None:
    backbone = networks[name]
    made = compress(ChannelParams(keep=1, values="fp32"), graph, backbone)
    whole = torch.cat([backbone.users, backbone.items])
    torch.testing.assert_close(tables(made), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_wiring_runs_as_the_network_does(name: str, graph: Graph, networks: dict[str, Backbone]) -> None:
    backbone = networks[name]
    wiring = wiring_of(backbone, graph)
    base = torch.cat([backbone.base_users, backbone.base_items])
    scores = backbone.users @ backbone.items.T
    for turned, weights in ((base, backbone.weights), wiring.aligned(base, backbone.weights)):
        states = wiring.run(turned, weights)
        outputs = [turned] + [
            each.written if name == "gat" else wiring.activated(layer, each.written)
            for layer, each in enumerate(states)
        ]
        served = [wiring.served(outputs, place) for place in range(LAYERS + 1)]
        columns = [each for each in served if each is not None]
        made = torch.cat(columns, 1) if name == "ngcf" else columns[-1]
        users, items = wiring.split(made)
        torch.testing.assert_close(users @ items.T, scores, rtol=0, atol=1e-4)


@pytest.mark.parametrize("criterion", ["reconstruction", "magnitude"])
@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_served_is_a_dense_masked_forward_pass(
    name: str, refit: bool, criterion: Any, graph: Graph, networks: dict[str, Backbone]
) -> None:
    backbone, kept = networks[name], 10
    params = ChannelParams(keep=kept / DIM, values="fp32", criterion=criterion, refit=refit)
    made = compress(params, graph, backbone)
    small = narrow(graph, backbone, kept, criterion=criterion, refit=refit)
    heads = backbone.config.heads
    places = torch.cat([torch.arange(kept // heads) + head * (DIM // heads) for head in range(heads)])

    def masked(value: torch.Tensor) -> torch.Tensor:
        full = torch.zeros(len(value), DIM)
        full[:, places] = value
        return full

    weights = {}
    for each, value in small.weights.items():
        full = torch.zeros_like(backbone.weights[each])
        if each.endswith(".weight"):
            full[places] = masked(value)
        else:
            full.view(-1)[places] = value.flatten()
        weights[each] = full
    dense = replace(backbone, base_users=masked(small.base_users), base_items=masked(small.base_items), weights=weights)
    whole = final(dense, graph)
    served = torch.cat([places + block * DIM for block in range(whole.shape[1] // DIM)])
    torch.testing.assert_close(tables(made), whole[:, served], rtol=0, atol=1e-5)
    assert whole.count_nonzero() == whole[:, served].count_nonzero()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_is_really_smaller(name: str, graph: Graph, networks: dict[str, Backbone], tmp_path: Path) -> None:
    backbone, sizes = networks[name], []
    for keep, kept in ((1.0, 16), (0.7, 11), (0.5, 8)):
        kept -= kept % backbone.config.heads
        made = compress(ChannelParams(keep=keep, values="fp32"), graph, backbone)
        network = made.network
        assert isinstance(network, LayeredNetwork)
        assert stored_base(made) == (graph.n_users, kept)
        matrices = [codec.shape for each, codec in network.weights.items() if each.endswith(".weight")]
        assert matrices == [(kept, kept)] * len(matrices)
        assert network.nominal() < backbone.config.dim**2 * len(matrices) or keep == 1
        assert made.items.shape[1] == backbone.items.shape[1] * kept // DIM
        made.save(tmp_path / str(kept))
        sizes.append(file_bytes(tmp_path / str(kept)))
        lists = Artefact.load(tmp_path / str(kept))
        torch.testing.assert_close(tables(lists), tables(made), rtol=0, atol=0)
    entities = graph.n_users + graph.n_items
    assert sizes[0] - sizes[2] > 4 * entities * 8


@pytest.mark.parametrize("name", NETWORKS)
def test_fitting_what_stays_reconstructs_scores_better(name: str, graph: Graph, networks: dict[str, Backbone]) -> None:
    backbone = networks[name]
    scores = backbone.users @ backbone.items.T

    def error(refit: bool) -> float:
        users, items = final(narrow(graph, backbone, 10, refit=refit), graph).split([graph.n_users, graph.n_items])
        return float((users @ items.T - scores).norm())

    assert error(refit=True) < error(refit=False)


@pytest.mark.parametrize(("name", "bias"), [("gat", "layers.0.bias"), ("ngcf", "sums.0.bias"), ("sage", "near.0.bias")])
def test_a_first_layer_is_fitted_to_least_error(
    name: str, bias: str, graph: Graph, networks: dict[str, Backbone]
) -> None:
    backbone, wiring = networks[name], wiring_of(networks[name], graph)
    small, bare = (narrow(graph, backbone, 8, criterion="magnitude", refit=refit) for refit in (True, False))
    # Which outputs stayed, by their biases in the whole network.
    places = torch.stack([(backbone.weights[bias] - each).abs().argmin() for each in bare.weights[bias]])
    base = torch.cat([backbone.base_users, backbone.base_items])
    wanted = wiring.run(base, backbone.weights)[0].written[:, places]

    def error(of: Backbone) -> float:
        table = torch.cat([of.base_users, of.base_items])
        return float((wiring.written(0, table, of.weights).double() - wanted).square().sum())

    best = error(small)
    assert best < 0.9 * error(bare)
    if name == "gat":  # least for the attention of the whole network, which is only come near to
        return
    fitted = [each for each, value in small.weights.items() if ".0." in each and value.any()]
    assert len(fitted) == 3
    for each in fitted:
        for by in (-1e-2, 1e-2):
            moved = {**small.weights, each: small.weights[each] * (1 + by)}
            assert error(replace(small, weights=moved)) > best


@pytest.mark.parametrize("name", ["ngcf", "sage"])
def test_weights_are_fitted_to_the_base_table_as_it_is_stored(
    name: str, graph: Graph, networks: dict[str, Backbone]
) -> None:
    backbone = networks[name]
    scores = backbone.users @ backbone.items.T

    def error(users: torch.Tensor, items: torch.Tensor) -> float:
        return float((users @ items.T - scores).norm())

    made = compress(ChannelParams(keep=0.75, values="int2"), graph, backbone)
    unaware = narrow(graph, backbone, 12)
    rounded = [encode_base(each, "int2").decode() for each in (unaware.base_users, unaware.base_items)]
    blind = final(replace(unaware, base_users=rounded[0], base_items=rounded[1]), graph)
    assert error(made.users.decode(), made.items.decode()) < error(*blind.split([graph.n_users, graph.n_items]))


def test_a_channel_costs_what_fitting_without_it_shows() -> None:
    generator = torch.Generator().manual_seed(0)
    features = [torch.randn(60, 6, generator=generator) for _ in range(2)]
    target = torch.randn(60, 3, generator=generator) + 2 * features[0][:, [0, 2, 4]] + 5

    def error(channels: list[int]) -> float:
        kept = torch.cat([torch.ones(60, 1), *(each[:, channels] for each in features)], 1).double()
        fitted = torch.linalg.lstsq(kept, target.double()).solution
        return float((kept @ fitted - target).square().sum())

    regression, left = Regression(features, target), list(range(6))
    for _ in range(3):
        costs = regression.costs()
        grown = [error([each for each in left if each != channel]) - error(left) for channel in left]
        torch.testing.assert_close(costs[left], torch.tensor(grown).double(), rtol=1e-4, atol=1e-4)
        gone = left[int(costs[left].argmin())]
        regression.remove(gone)
        left.remove(gone)
    made = sum(each.double() @ regression.weights[:, k] for k, each in enumerate(features)) + regression.intercept()
    assert float((made - target).square().sum()) == pytest.approx(error(left), rel=1e-4)
    assert eliminate([[Regression(features, target)]], torch.zeros(6), 3).tolist() == left


def test_heads_keep_equally_many_and_the_dearest() -> None:
    lost = torch.tensor([5.0, 6, 7, 8, 1, 2, 3, 4])
    assert eliminate([], lost, 4).tolist() == [0, 1, 2, 3]
    assert eliminate([], lost, 4, heads=2).tolist() == [2, 3, 6, 7]


@pytest.mark.parametrize("name", NETWORKS)
def test_budgets_are_met_with_bits_before_channels(
    name: str, graph: Graph, networks: dict[str, Backbone], tmp_path: Path
) -> None:
    backbone, method = networks[name], ChannelPruning()
    # A wide catalogue of the same graph: the small one is all edges and headers.
    shape = Shape.of(graph, backbone)
    for params in (ChannelParams(keep=0.5, values=values) for values in ("fp32", "fp16", "int8", "int2")):
        made = compress(params, graph, backbone)
        made.save(tmp_path / params.values)
        assert made.breakdown().total() <= tensor_bytes(params, shape)
        assert file_bytes(tmp_path / params.values) <= tensor_bytes(params, shape) + 768
    large = Shape(100_000, 50_000, 64, 1_000_000, 64, 4 * 64**2)
    chosen = [method.params_for(large.dense_bytes // part, large) for part in (3, 5, 9, 11)]
    assert [(each.keep, each.values) for each in chosen[:2]] == [(1, "int8"), (1, "int4")]
    assert all(each.keep < 1 and each.values == "int2" for each in chosen[2:])
    assert chosen[2].keep > chosen[3].keep


def test_shares_are_of_channels_as_written() -> None:
    assert [channels(keep, 10) for keep in (0.7, 0.69, 1, 0.01)] == [7, 6, 10, 1]
    assert [channels(kept / 48, 48) for kept in range(1, 49)] == list(range(1, 49))
    with pytest.raises(ValidationError, match="greater than 0"):
        ChannelParams(keep=0)


def test_without_weights_channels_are_columns(graph: Graph, backbone: Backbone) -> None:
    whole = torch.cat([backbone.users, backbone.items])
    all_ = compress(ChannelParams(keep=1, values="fp32"), graph, backbone)
    torch.testing.assert_close(tables(all_), whole, rtol=0, atol=1e-5)
    errors = {}
    for criterion in ("reconstruction", "magnitude"):
        made = compress(ChannelParams(keep=0.5, values="fp32", criterion=criterion), graph, backbone)
        assert stored_base(made)[1] == 8
        errors[criterion] = float((tables(made) @ tables(made).T - whole @ whole.T).norm())
    assert errors["reconstruction"] < errors["magnitude"]
    best = torch.linalg.svdvals(whole.double()).square()[8:].norm()
    assert errors["reconstruction"] == pytest.approx(float(best), rel=1e-3)


def test_what_has_no_channels_is_refused(graph: Graph, backbone: Backbone) -> None:
    with pytest.raises(UserError, match="no layer weights"):
        narrow(graph, backbone, 8)
    mf = fit_embeddings("mf", graph, TrainingConfig(dim=8, epochs=1), seed=0)
    with pytest.raises(UserError, match="propagate linearly"):
        compress(ChannelParams(), graph, mf)

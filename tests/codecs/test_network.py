"""The serve form `graph`: what is stored, what is charged, and that the tables made of it are the backbone's."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from recpress.api import Artefact, Dense, Graph, Uniform, UserItems, make_generator
from recpress.backbones.base import Backbone, fit_model
from recpress.backbones.catalogue import backbone as entry
from recpress.backbones.config import TrainingConfig
from recpress.checks import _audit_bytes
from recpress.checks._subject import Subject
from recpress.codecs.artefact import MANIFEST, TENSORS, folder_breakdown
from recpress.codecs.networks.layered import ByteLinear, LayeredNetwork
from recpress.codecs.networks.linear import LinearNetwork, Propagated
from recpress.compression.graph_form import linear_artefact, network_of
from recpress.core.errors import UserError
from recpress.data.card import Synthetic
from recpress.data.synthetic import generate
from recpress.serve.recommender import Recommender

SIZES = (90, 110)
CONFIGS = {
    "lightgcn": TrainingConfig(dim=8, layers=2, epochs=2, learning_rate=0.02),
    "cosine": TrainingConfig(dim=8, layers=2, epochs=2, learning_rate=0.02, loss="softmax", negatives=16),
    "xsimgcl": TrainingConfig(dim=8, layers=3, first_layer=1, epochs=2, learning_rate=0.02),
    "sage": TrainingConfig(dim=8, layers=2, epochs=2, learning_rate=0.02),
    "inductive": TrainingConfig(dim=8, layers=2, epochs=2, learning_rate=0.02, inputs="items"),
    "gat": TrainingConfig(dim=8, layers=2, heads=2, epochs=2, learning_rate=0.02),
    "ngcf": TrainingConfig(dim=8, layers=2, epochs=2, learning_rate=0.02),
}
NAMES = {"cosine": "lightgcn", "inductive": "sage"}
LAYERED = ["sage", "inductive", "gat", "ngcf"]


@pytest.fixture(scope="module")
def graph() -> Graph:
    made = generate(Synthetic(users=SIZES[0], items=SIZES[1], interactions=1200, seed=2))
    return Graph(UserItems.from_pairs(made.users, made.items, made.n_users, made.n_items))


@pytest.fixture(scope="module")
def trained(graph: Graph) -> Callable[[str], Backbone]:
    kept: dict[str, Backbone] = {}

    def of(which: str) -> Backbone:
        if which not in kept:
            name = NAMES.get(which, which)
            kept[which] = fit_model(name, entry(name).model, graph, CONFIGS[which], 0)
        return kept[which]

    return of


def exact(backbone: Backbone, graph: Graph) -> Artefact:
    tables = (Dense.encode(backbone.base_users), Dense.encode(backbone.base_items))
    return Artefact.propagated(*tables, network_of(backbone, graph, Dense.encode))


@pytest.mark.parametrize("which", CONFIGS)
def test_base_tables_edges_and_weights_make_the_final_tables(
    which: str, graph: Graph, trained: Callable[[str], Backbone]
) -> None:
    backbone = trained(which)
    made = exact(backbone, graph)
    # Vectors of weights are stored in fp16.
    tolerance = 2e-3 if which in LAYERED else 1e-6
    torch.testing.assert_close(made.users.decode(), backbone.users, rtol=0, atol=tolerance)
    torch.testing.assert_close(made.items.decode(), backbone.items, rtol=0, atol=tolerance)


@pytest.mark.parametrize("which", CONFIGS)
def test_every_byte_is_charged_and_the_edges_are_graph(
    which: str, graph: Graph, trained: Callable[[str], Backbone], tmp_path: Path
) -> None:
    backbone = trained(which)
    made = exact(backbone, graph)
    made.save(tmp_path / "a")
    breakdown = folder_breakdown(tmp_path / "a")
    assert breakdown.total() == sum((tmp_path / "a" / name).stat().st_size for name in (MANIFEST, TENSORS))
    assert made.network is not None
    assert breakdown["graph"] == made.network.edges.breakdown().total() > 0
    assert breakdown["values"] == 4 * (backbone.base_users.numel() + backbone.base_items.numel())
    stored = sum(weight.numel() for weight in backbone.weights.values())
    assert made.nominal() == backbone.base_users.numel() + backbone.base_items.numel() + stored
    subject = Subject(tmp_path / "a", lambda folder: None, np.arange(1), np.zeros((1, 1), np.int32))  # type: ignore[arg-type,return-value]  # only the folder is looked at
    checks = (_audit_bytes.nothing_unclaimed, _audit_bytes.breakdown_adds_up, _audit_bytes.bits_as_claimed)
    assert [check(subject) for check in checks] == [None] * 3


@pytest.mark.parametrize("activations", ["fp32", "int8"])
@pytest.mark.parametrize("which", ["lightgcn", *LAYERED])
def test_a_loaded_artefact_serves_the_tables_of_the_saved_one(
    which: str, activations: str, graph: Graph, trained: Callable[[str], Backbone], tmp_path: Path
) -> None:
    backbone = trained(which)
    encode = partial(Uniform.encode, bits=4, symmetric=True)
    network = network_of(backbone, graph, encode, activations)  # type: ignore[arg-type]  # a literal
    made = Artefact.propagated(Uniform.encode(backbone.base_users), Uniform.encode(backbone.base_items), network)
    made.save(tmp_path / "a")
    loaded = Artefact.load(tmp_path / "a")
    assert torch.equal(loaded.users.decode(), made.users.decode())
    assert torch.equal(loaded.items.decode(), made.items.decode())
    assert loaded.manifest() == made.manifest()
    lists = Recommender(loaded, graph.user_items).recommend_all(5)
    assert (lists == Recommender(made, graph.user_items).recommend_all(5)).all()


def test_weights_of_four_bits_take_half_a_byte(graph: Graph, trained: Callable[[str], Backbone]) -> None:
    backbone = trained("ngcf")
    network = network_of(backbone, graph, partial(Uniform.encode, bits=4, symmetric=True))
    matrices = sum(value.numel() for name, value in backbone.weights.items() if name.endswith(".weight"))
    vectors = sum(value.numel() for name, value in backbone.weights.items() if not name.endswith(".weight"))
    assert network.breakdown()["weights"] == matrices // 2 + 2 * vectors


def test_byte_products_are_products_of_rounded_factors() -> None:
    generator = make_generator(1)
    x, weight = torch.randn(40, 12, generator=generator), torch.randn(7, 12, generator=generator)
    x[3] = 0
    bias = torch.randn(7, generator=generator)
    stored = Uniform.encode(weight, 8, symmetric=True)
    scale = x.abs().amax(1, keepdim=True) / 127
    rounded = torch.where(scale == 0, x, (x / scale).round() * scale)
    torch.testing.assert_close(
        ByteLinear(stored, bias)(x), rounded @ stored.decode().T + bias, rtol=1e-5, atol=1e-5, equal_nan=False
    )
    assert (ByteLinear(stored, bias)(x) - (x @ weight.T + bias)).abs().max() < 0.1


def test_users_that_are_functions_of_items_take_four_bytes(graph: Graph, trained: Callable[[str], Backbone]) -> None:
    from recpress.compression.graph_form import encode_base

    backbone = trained("inductive")
    assert encode_base(backbone.base_users, "int8").breakdown().total() == 4


def test_original_degrees_keep_the_weights_of_a_part_of_the_edges(
    graph: Graph, trained: Callable[[str], Backbone], tmp_path: Path
) -> None:
    edges = graph.user_items
    some = UserItems.from_pairs(edges.users[::3], edges.items[::3], *SIZES)
    made = linear_artefact(trained("lightgcn"), graph, some, layers=2, values="fp32", original_degrees=True)
    made.save(tmp_path / "a")
    network = Artefact.load(tmp_path / "a").network
    assert isinstance(network, LinearNetwork)
    part, whole = network.adjacency(), graph.adjacency()
    dense = torch.zeros(2, graph.n_nodes, graph.n_nodes)
    for number, each in enumerate((part, whole)):
        rows = np.repeat(np.arange(graph.n_nodes), np.diff(each.indptr))
        dense[number, rows, each.indices.astype(np.int64)] = torch.from_numpy(each.weights)
    kept = dense[0] != 0
    assert int(kept.sum()) == 2 * some.nnz
    torch.testing.assert_close(dense[0], dense[1] * kept)


def test_item_item_graphs_propagate_one_table(tmp_path: Path) -> None:
    pairs = np.array([[0, 1], [1, 0], [1, 2], [2, 1], [3, 4], [4, 3]])
    graph = Graph(UserItems.from_pairs(pairs[:, 0], pairs[:, 1], 5, 5), bipartite=False)
    backbone = fit_model("lightgcn", entry("lightgcn").model, graph, CONFIGS["lightgcn"], 0)
    made = linear_artefact(backbone, graph, graph.user_items, layers=2, values="fp32")
    torch.testing.assert_close(made.items.decode(), backbone.items)
    assert torch.equal(made.users.decode(), made.items.decode())
    assert isinstance(made.items, Propagated)


def test_a_backbone_without_a_graph_is_refused(graph: Graph) -> None:
    backbone = fit_model("mf", entry("mf").model, graph, TrainingConfig(dim=8, epochs=1), 0)
    with pytest.raises(UserError, match="doesn't propagate"):
        network_of(backbone, graph, Dense.encode)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda network: network.pop("edges"), "edges"),
        (lambda network: network.update(kind="cubic"), "cubic"),
        (lambda network: network.update(backbone="sgae"), "sage"),
        (lambda network: network.update(recipe={"dim": 9, "layers": 2}), "values"),
        (lambda network: network["weights"].pop("near.0.bias"), "near.0.bias"),
        (lambda network: network.update(activations="int7"), "int7"),
    ],
)
def test_a_damaged_network_is_refused_in_a_sentence(
    change: Callable[[dict[str, object]], object],
    message: str,
    graph: Graph,
    trained: Callable[[str], Backbone],
    tmp_path: Path,
) -> None:
    exact(trained("sage"), graph).save(tmp_path / "a")
    file = tmp_path / "a" / MANIFEST
    manifest = json.loads(file.read_text(encoding="utf-8"))
    change(manifest["network"])
    file.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        Artefact.load(tmp_path / "a")


def test_degrees_below_the_edges_are_refused(graph: Graph, trained: Callable[[str], Backbone]) -> None:
    network = linear_artefact(
        trained("lightgcn"), graph, graph.user_items, layers=2, values="fp32", original_degrees=True
    ).network
    assert isinstance(network, LinearNetwork)
    assert network.degrees is not None
    tensors = network.stored() | {"degrees": torch.zeros_like(network.degrees)}
    with pytest.raises(ValueError, match="more edges"):
        LinearNetwork.restore(network.edges, network.spec(), tensors)


def test_layers_keep_only_what_the_forward_pass_needs(graph: Graph, trained: Callable[[str], Backbone]) -> None:
    network = network_of(trained("gat"), graph, Dense.encode)
    assert isinstance(network, LayeredNetwork)
    assert network.config == {"dim": 8, "layers": 2, "heads": 2}

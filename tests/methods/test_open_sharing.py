"""Sharing: which rows are shared and which are apart, and that everything that is stored learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from recpress.methods.sharing.dhe import method as dhe
from recpress.methods.sharing.dhe.method import Dhe, DheParams
from recpress.methods.sharing.hashing.method import Hashing, HashingParams
from recpress.methods.sharing.legcf.method import Legcf, LegcfParams, cluster, pursue
from recpress.methods.sharing.memcom.method import Memcom, MemcomParams
from recpress.methods.sharing.mixed_dim.method import (
    MixedDim,
    MixedDimParams,
    Side,
    buckets_of,
    columns_of,
    sizes_of,
)
from recpress.methods.sharing.qr.method import QrParams, QuotientRemainder

from recpress.api import Artefact, BudgetUnreachable, Codebook, Graph, Shape, Task, make_generator
from recpress.backbones.base import Backbone
from recpress.backbones.training.retrain import Retraining
from recpress.codecs.tables.codebook import places

METHODS: list[Any] = [
    pytest.param(Hashing(), HashingParams(dim=16, share=0.5, hashes=1), id="hashing"),
    pytest.param(Hashing(), HashingParams(dim=16, share=0.5, hashes=2), id="double hashing"),
    pytest.param(QuotientRemainder(), QrParams(dim=16, share=0.3), id="product"),
    pytest.param(QuotientRemainder(), QrParams(dim=16, share=0.3, operation="add"), id="sum"),
    pytest.param(Memcom(), MemcomParams(dim=16, share=0.5), id="memcom"),
    pytest.param(Dhe(), DheParams(dim=16, width=32, hashes=32), id="dhe"),
]


def compress(method: Any, params: Any, graph: Graph, backbone: Backbone, epochs: int = 3) -> Artefact:
    made: Artefact = method.compress(
        Task(graph, backbone, params.model_copy(update={"epochs": epochs}), 0, make_generator(0), lambda share: None)
    )
    return made


def loss_of(made: Artefact, graph: Graph, backbone: Backbone) -> float:
    training = Retraining(backbone, graph, make_generator(1))
    table = torch.cat([made.users.decode(), made.items.decode()])
    return sum(float(training.loss(batch, table, table)) for batch in training.objective.sampler.epoch(2000))


@pytest.mark.parametrize(("method", "params"), METHODS)
def test_more_training_fits_better_and_changes_every_stored_tensor(
    method: Any, params: Any, graph: Graph, backbone: Backbone
) -> None:
    brief, longer = (compress(method, params, graph, backbone, epochs) for epochs in (1, 10))
    assert loss_of(longer, graph, backbone) < loss_of(brief, graph, backbone)
    for name, tensor in longer.tensors().items():
        assert not torch.equal(tensor, brief.tensors()[name]), name


def test_ids_of_one_bucket_share_a_row_and_two_hashes_tell_most_apart(graph: Graph, backbone: Backbone) -> None:
    one, two = (compress(*case.values[:2], graph, backbone).items.decode() for case in METHODS[:2])
    bucket = places("hash", graph.n_items, graph.n_items // 2, 1)[:, 0]
    first, second = next((a, b) for a in range(400) for b in range(a) if bucket[a] == bucket[b])
    assert torch.equal(one[first], one[second])
    assert len(torch.unique(two, dim=0)) > 1.3 * len(torch.unique(one, dim=0))


def test_memcom_tells_ids_of_one_bucket_apart_by_length_alone(graph: Graph, backbone: Backbone) -> None:
    codec = compress(*METHODS[4].values[:2], graph, backbone).items
    assert isinstance(codec, Codebook)
    table, bucket = codec.decode(), codec.where[:, 0]
    first, second = next((a, b) for a in range(400) for b in range(a) if bucket[a] == bucket[b])
    assert not torch.equal(table[first], table[second])
    torch.testing.assert_close(torch.cosine_similarity(table[first], table[second], 0).abs().item(), 1.0)


@pytest.mark.parametrize(("method", "params"), METHODS[2:4])
def test_quotient_and_remainder_tell_all_ids_apart(method: Any, params: Any, graph: Graph, backbone: Backbone) -> None:
    made = compress(method, params, graph, backbone)
    assert len(torch.unique(made.items.decode(), dim=0)) == graph.n_items


def test_bytes_of_a_network_do_not_depend_on_the_number_of_ids() -> None:
    few, many = (Dhe().params_for(200_000, Shape(n, n, 64)) for n in (10**4, 10**7))
    assert few == many
    with pytest.raises(BudgetUnreachable):
        Dhe().params_for(900, Shape(10**4, 10**4, 64))


def test_a_million_ids_fit_where_rows_of_their_own_would_not() -> None:
    shape = Shape(10**6, 10**6, 64)
    budget = shape.dense_bytes // 1000
    for method in (Hashing(), QuotientRemainder(), Dhe()):
        method.params_for(budget, shape)
    with pytest.raises(BudgetUnreachable):
        Memcom().params_for(budget, shape)  # a byte for each id is more


def test_the_pursuit_finds_rows_that_are_sums_of_codewords() -> None:
    generator = make_generator(0)
    words = torch.randn(12, 32, generator=generator)
    where = torch.stack([torch.randperm(12, generator=generator)[:2] for _ in range(50)])
    weights = torch.rand(50, 2, generator=generator) + 0.5
    table = (weights[:, :, None] * words[where]).sum(1)
    (one, only), (two, both) = pursue(table, words, 1), pursue(table, words, 2)
    assert (two.sort(1).values == where.sort(1).values).all(1).float().mean() > 0.9

    def error(places: torch.Tensor, factors: torch.Tensor) -> float:
        return float((table - (factors[:, :, None] * words[places]).sum(1)).square().mean())

    assert error(two, both) < 0.1 * error(one, only)


def test_coinciding_codewords_do_not_blow_weights_up() -> None:
    words = torch.ones(3, 4)
    _, weights = pursue(torch.ones(2, 4), words, 3)
    assert weights.abs().max() < 2


def test_clusters_are_centres_of_their_rows() -> None:
    generator = make_generator(0)
    centres = 10 * torch.eye(4)
    table = centres.repeat(20, 1) + 0.1 * torch.randn(80, 4, generator=generator)
    found = cluster(table, 12, generator)
    assert torch.cdist(centres, found).min(1).values.max() < 0.2


def test_rounds_assign_by_the_graph_and_a_codebook_beats_hashing(graph: Graph, backbone: Backbone) -> None:
    params = LegcfParams(share=0.2)
    once, twice = (compress(Legcf(), params.model_copy(update={"rounds": n}), graph, backbone).items for n in (1, 2))
    assert isinstance(once, Codebook)
    assert isinstance(twice, Codebook)
    assert not torch.equal(once.where, twice.where)
    hashed = compress(Hashing(), HashingParams(dim=16, share=0.4), graph, backbone, epochs=10)
    coded = compress(Legcf(), params, graph, backbone)
    assert loss_of(coded, graph, backbone) < loss_of(hashed, graph, backbone)


def test_mixed_dimensions_fall_with_popularity_from_the_best_factors_on(graph: Graph, backbone: Backbone) -> None:
    assert columns_of(MixedDimParams(dim=32, alpha=0.3)) == [32, 20, 13]  # by hand: 32 (1/5)^.3 and 32 (1/20)^.3
    assert sum(sizes_of(1683)) == 1683
    popularity = np.bincount(graph.user_items.items, minlength=graph.n_items)
    buckets = buckets_of(popularity)
    assert popularity[buckets == 0].min() >= popularity[buckets == 1].max()
    side = Side(backbone.items, popularity, [8, 4, 2])
    error = (side.encode().decode() - backbone.items).square().sum(1)
    for bucket, count in enumerate((8, 4, 2)):
        rows = backbone.items[torch.from_numpy(buckets == bucket)]
        least = torch.linalg.svdvals(rows)[count:].square().sum()
        torch.testing.assert_close(error[torch.from_numpy(buckets == bucket)].sum(), least, rtol=0.01, atol=1e-3)


def test_mixed_dimensions_at_full_width_start_as_the_backbone(graph: Graph, backbone: Backbone) -> None:
    params = MixedDimParams(dim=16, alpha=0.0, rate=1e-9)
    made = compress(MixedDim(), params, graph, backbone, epochs=1)
    torch.testing.assert_close(made.items.decode(), backbone.items, rtol=1e-2, atol=1e-3)


def test_a_network_is_trained_for_a_bounded_number_of_steps(
    graph: Graph, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = Task(graph, backbone, DheParams(), 0, make_generator(0), lambda share: None)
    steps = -(-len(graph.user_items.items) // backbone.config.batch_size)
    assert dhe.epochs_of(task) == min(backbone.config.epochs, dhe.STEPS // steps)
    monkeypatch.setattr(dhe, "STEPS", 2 * steps + 1)
    assert dhe.epochs_of(task) == 2
    monkeypatch.setattr(dhe, "STEPS", 0)
    assert dhe.epochs_of(task) == 1

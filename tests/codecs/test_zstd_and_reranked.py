"""zstd around any codec, and candidates of a coarse codec ranked by a fine one."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from recpress.methods.quantization.binary.method import BinaryParams, BinaryQuantization, tensor_bytes

from recpress.api import METADATA_BYTES, Artefact, Dense, Graph, Shape, Task, Uniform, UserItems, make_generator
from recpress.backbones.base import Backbone
from recpress.backbones.config import TrainingConfig
from recpress.codecs import restore
from recpress.codecs.composite.grouped import Grouped
from recpress.codecs.composite.reranked import Reranked
from recpress.codecs.composite.sparse import Sparse
from recpress.codecs.composite.zstd import Zstd
from recpress.codecs.tables.binary import Binary
from recpress.core.errors import UserError
from recpress.serve.recommender import Recommender


def table(rows: int, columns: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, columns, generator=make_generator(seed))


INNER = [
    pytest.param(lambda x: Uniform.encode(x, 3), id="uniform"),
    pytest.param(partial(Dense.encode, values="bf16"), id="bf16"),
    pytest.param(lambda x: Sparse.encode(x * (x > 1), layout="csr"), id="sparse"),
    pytest.param(lambda x: Grouped.encode(x, 5, lambda part: Uniform.encode(part, 4)), id="nested"),
    pytest.param(lambda x: Zstd.encode(Binary.encode(x)), id="twice"),
]


@pytest.mark.parametrize("rows", [1, 37])
@pytest.mark.parametrize("encode", INNER)
def test_zstd_restores_every_tensor_and_charges_its_stream(encode, rows: int) -> None:  # type: ignore[no-untyped-def]  # a lambda
    inner = encode(table(rows, 10))
    made = Zstd.encode(inner)
    again = restore(made.spec(), made.tensors())
    assert isinstance(again, Zstd)
    assert torch.equal(again.decode(), inner.decode())
    assert again.inner.spec() == inner.spec()
    for name, tensor in inner.tensors().items():
        assert torch.equal(again.inner.tensors()[name].view(torch.uint8), tensor.contiguous().view(torch.uint8))
    assert made.breakdown().total() == made.stream.numel()
    queries = table(3, 10, seed=1)
    assert torch.equal(again.scorer().scores(queries), inner.scorer().scores(queries))


def test_zstd_pays_where_codes_repeat_and_not_on_noise() -> None:
    skewed = Uniform.encode(table(2000, 16) ** 3, 8, "tensor", symmetric=True)
    assert Zstd.encode(skewed).breakdown().total() < 0.6 * skewed.breakdown().total()
    noise = Uniform.encode(torch.rand(2000, 16, generator=make_generator(0)), 8, "tensor")
    assert abs(Zstd.encode(noise).breakdown().total() / noise.breakdown().total() - 1) < 0.02


@pytest.mark.parametrize("damage", ["short", "garbage", "shape"])
def test_a_damaged_stream_is_refused(damage: str, tmp_path: Path) -> None:
    made = Zstd.encode(Uniform.encode(table(50, 8)))
    stream = {"short": made.stream[:-9], "garbage": made.stream ^ 255, "shape": made.stream}[damage]
    spec = made.spec()
    if damage == "shape":
        spec["tensors"][0][2] = [51, 8]
    with pytest.raises(ValueError, match="zstd stream"):
        restore(spec, {"stream": stream})


@pytest.fixture(scope="module")
def backbone() -> tuple[Graph, Backbone]:
    users, items = table(40, 16), table(300, 16, seed=1)
    rng = np.random.default_rng(0)
    graph = Graph(UserItems.from_pairs(np.repeat(np.arange(40), 5), rng.integers(0, 300, 200), 40, 300))
    return graph, Backbone("mf", users, items, users, items, TrainingConfig(dim=16), 0, 0.0)


def reranked(graph: Graph, backbone: Backbone, count: int) -> Artefact:
    params = BinaryParams(users="fp16", rerank=count)
    return BinaryQuantization().compress(Task(graph, backbone, params, 0, make_generator(0), lambda share: None))


def overlap(lists: np.ndarray, others: np.ndarray) -> float:
    return float(np.mean([len(set(a) & set(b)) / len(a) for a, b in zip(lists, others, strict=True)]))


def test_all_candidates_give_the_lists_of_the_fine_table(backbone: tuple[Graph, Backbone]) -> None:
    made = reranked(*backbone, 300)
    assert isinstance(made.items, Reranked)
    exact = Recommender(Artefact(made.users, Dense(made.items.fine.decode())), backbone[0].user_items)
    assert (Recommender(made, backbone[0].user_items).recommend_all(10) == exact.recommend_all(10)).all()


def test_more_candidates_come_closer_and_seen_items_stay_out(backbone: tuple[Graph, Backbone]) -> None:
    graph, frozen = backbone
    exact = Recommender(Artefact(Dense(frozen.users), Dense(frozen.items)), graph.user_items).recommend_all(10)
    agreed = []
    for count in (10, 40, 300):
        lists = Recommender(reranked(graph, frozen, count), graph.user_items).recommend_all(10)
        assert not any(set(graph.user_items.of(user)) & set(lists[user]) for user in range(40))
        agreed.append(overlap(lists, exact))
    assert agreed[0] < agreed[1] < agreed[2]
    assert agreed[2] > 0.97


def test_both_tables_are_charged_and_reload(backbone: tuple[Graph, Backbone], tmp_path: Path) -> None:
    graph, frozen = backbone
    made, plain = reranked(graph, frozen, 40), reranked(graph, frozen, 0)
    assert made.breakdown().total() - plain.breakdown().total() == 300 * (16 + 4)
    assert isinstance(made.items, Reranked)
    assert made.items.work(1).bytes_read < made.items.breakdown().total()
    made.save(tmp_path / "a")
    lists = Recommender(Artefact.load(tmp_path / "a"), graph.user_items).recommend_all(10)
    assert (lists == Recommender(made, graph.user_items).recommend_all(10)).all()
    params = BinaryParams(users="fp16", rerank=40)
    counted = tensor_bytes(params, Shape(40, 300, 16)) + METADATA_BYTES
    assert sum(file.stat().st_size for file in (tmp_path / "a").iterdir()) <= counted


def test_lists_longer_than_the_catalogue_are_padded(backbone: tuple[Graph, Backbone]) -> None:
    graph, frozen = backbone
    made = reranked(graph, frozen, 5)
    items, scores = Recommender(made, graph.user_items).best(np.array([0, 1]), 320)
    left = 300 - graph.user_items.counts[:2]
    for row in range(2):
        assert (items[row, left[row] :] == -1).all()
        assert (items[row, : left[row]] >= 0).all()
        # Candidates by one score, those after them by another.
        assert (np.diff(scores[row, :5]) <= 0).all()
        assert (np.diff(scores[row, 5 : left[row]]) <= 0).all()


def test_what_comes_first_does_not_depend_on_how_much_is_asked_for(backbone: tuple[Graph, Backbone]) -> None:
    graph, frozen = backbone
    made = reranked(graph, frozen, 30)
    assert isinstance(made.items, Reranked)
    served = Recommender(made, graph.user_items)
    long, scores = served.best(np.arange(40), 300)
    for k in (0, 1, 20, 30, 100):
        items, best = served.best(np.arange(40), k)
        assert (items == long[:, :k]).all()
        np.testing.assert_allclose(best, scores[:, :k], rtol=1e-6)
    # Those after the candidates are where the first stage has them.
    coarse = Recommender(Artefact(made.users, made.items.coarse), graph.user_items).recommend_all(300)
    assert (long[:, 30:] == coarse[:, 30:]).all()
    assert (long[:, :30] != coarse[:, :30]).any()


def test_what_cannot_be_reranked_is_refused() -> None:
    with pytest.raises(ValidationError, match="int8 or fp16"):
        BinaryParams(rerank=10)
    with pytest.raises(ValueError, match="searched by"):
        Reranked(Binary.encode(table(3, 4)), Uniform.encode(table(4, 4)), 2)
    with pytest.raises(ValueError, match="at least one"):
        Reranked(Binary.encode(table(4, 4)), Uniform.encode(table(4, 4)), 0)
    with pytest.raises(ValueError, match="rank while"):
        Reranked(Dense.encode(table(4, 4)), Uniform.encode(table(4, 4)), 2).scorer()


def test_an_unknown_type_is_one_sentence(tmp_path: Path) -> None:
    made = Artefact(Zstd.encode(Uniform.encode(table(3, 4))), Dense.encode(table(5, 4)))
    made.save(tmp_path / "a")
    file = tmp_path / "a" / "manifest.json"
    file.write_text(file.read_text(encoding="utf-8").replace('"uint8"', '"int128"'), encoding="utf-8")
    with pytest.raises(UserError, match="int128"):
        Artefact.load(tmp_path / "a")

"""Every codec and method on catalogues too small for it, run as a script: a crash of native code ends this process.

A line is printed before each attempt, so that the last one names what crashed, and a line after what ended neither
well nor in a sentence.
"""

from __future__ import annotations

import faulthandler
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from recpress import registry
from recpress.api import Artefact, BudgetUnreachable, Graph, Shape, Task, make_generator, method_class
from recpress.backbones.base import Backbone, fit_embeddings
from recpress.backbones.config import TrainingConfig
from recpress.codecs import (
    KINDS,
    Binary,
    Codebook,
    Codec,
    ColumnUniform,
    Compositional,
    Constant,
    Dense,
    Entropy,
    Grouped,
    HashedNetwork,
    Inverted,
    LowRank,
    Mixed,
    Navigable,
    Product,
    Reranked,
    Residual,
    Sparse,
    Sum,
    Ternary,
    Uniform,
    Zstd,
)
from recpress.codecs.base import TopKScorer
from recpress.codecs.kernels.fastscan import FastScanTopKScorer
from recpress.codecs.tables.product import optimized_rotation
from recpress.data.interactions import UserItems
from recpress.serve.recommender import Recommender

ROWS, COLUMNS = (0, 1, 2, 5), (1, 3, 64)
K = 20


def scanned(table: Tensor) -> Codec:
    codec = Product.encode(table, 2, bits=4)
    if len(table):
        FastScanTopKScorer(codec).top(torch.ones(1, table.shape[1]), nobody_has(len(table)), np.zeros(1, np.int64), K)
    return codec


def rotated(table: Tensor, bits: int, parts: int) -> Codec:
    rotation = optimized_rotation(table, parts, bits, iterations=3, seed=0)
    return LowRank(Product.encode(table @ rotation[: table.shape[1]], parts, bits), Dense.encode(rotation.T))


def hashed_network(table: Tensor) -> Codec:
    return HashedNetwork.encode([(torch.ones(table.shape[1], 4), torch.zeros(table.shape[1]))], len(table))


CODECS: dict[str, Callable[[Tensor], Codec]] = {
    "binary": Binary.encode,
    "codebook": lambda table: Codebook.encode(Dense.encode(table[:1]), torch.zeros(len(table), 2, dtype=torch.int64)),
    "columns": lambda table: ColumnUniform.encode(table, [3] * table.shape[1]),
    "columns stretched": lambda table: ColumnUniform.encode(table, [1] * table.shape[1], own=table.norm(dim=1)),
    "compositional": lambda table: Compositional(Dense.encode(table), Dense.encode(table.clone()), len(table)),
    "constant": lambda table: Constant.encode(torch.ones_like(table)),
    "dense": partial(Dense.encode, values="fp16"),
    "entropy": lambda table: Entropy.encode(Uniform.encode(table, 5)),
    "grouped": partial(Grouped.encode, size=2, encode=Binary.encode),
    "hashed-network": hashed_network,
    "inverted": lambda table: Inverted.encode(table, Dense.encode(table), cells=2, probes=1),
    "low-rank": lambda table: LowRank(Uniform.encode(table), Dense.encode(torch.eye(table.shape[1]))),
    "mixed": lambda table: Mixed.encode(table, np.arange(len(table), dtype=np.uint8) % 2, [Binary.encode] * 2),
    "navigable": lambda table: Navigable.encode(Dense.encode(table), m=2, build=4, depth=2),
    "navigable without neighbours": lambda table: Navigable.encode(Dense.encode(table), m=0, build=0, depth=0),
    **{
        f"product in {parts}, {bits} bits": partial(Product.encode, parts=parts, bits=bits)
        for parts, bits in product((1, 48), (4, 8, 9))
    },
    "product scanned": scanned,
    **{
        f"rotated in {parts}, {bits} bits": partial(rotated, parts=parts, bits=bits)
        for parts, bits in product((1, 16), (1, 8))
    },
    "reranked": lambda table: Reranked(Binary.encode(table), Uniform.encode(table), 3),
    **{
        f"residual of {levels}, {bits} bits": partial(Residual.encode, levels=levels, bits=bits)
        for levels, bits in product((0, 3), (4, 8, 9))
    },
    "sparse": Sparse.encode,
    "sum": lambda table: Sum(Dense.encode(table), Binary.encode(table)),
    "ternary": Ternary.encode,
    "uniform": partial(Uniform.encode, bits=3),
    "uniform of the table": partial(Uniform.encode, bits=3, granularity="tensor", symmetric=True),
    "zstd": lambda table: Zstd.encode(Uniform.encode(table)),
}


def nobody_has(items: int) -> UserItems:
    return UserItems.from_pairs(np.empty(0, np.int64), np.empty(0, np.int64), 1, items)


def used(encode: Callable[[Tensor], Codec], table: Tensor) -> None:
    """Encode a table and do with the codec all that serving does."""
    made, (rows, columns) = encode(table), table.shape
    assert made.shape == tuple(made.decode().shape) == (rows, columns)
    queries = torch.ones(3, columns)
    scorer = made.scorer()
    torch.testing.assert_close(scorer.scores(queries), queries @ made.decode().T, rtol=1e-3, atol=1e-3)
    if isinstance(scorer, TopKScorer):
        scorer.top(queries, nobody_has(rows), np.zeros(3, np.int64), K)
    with TemporaryDirectory() as folder:
        Artefact(encode(table.clone()), made).save(Path(folder) / "a")
        assert torch.equal(Artefact.load(Path(folder) / "a").items.decode(), made.decode())


def codecs() -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield attempts at encoding tables, with their names."""
    assert {name.split()[0] for name in CODECS} >= set(KINDS), "a codec has no example here"
    for (name, encode), rows, columns in product(CODECS.items(), ROWS, COLUMNS):
        table = torch.randn(rows, columns, generator=torch.Generator().manual_seed(rows))

        def attempt(encode: Callable[[Tensor], Codec] = encode, table: Tensor = table) -> None:
            used(encode, table.clone())

        yield f"{name}: {rows} rows of {columns}", attempt


def trained(size: int, dim: int) -> tuple[Graph, Backbone]:
    pairs = np.arange(size)
    graph = Graph(UserItems.from_pairs(pairs, pairs, size, size))
    config = TrainingConfig(dim=dim, layers=2, learning_rate=0.02, epochs=1, batch_size=64)
    return graph, fit_embeddings("lightgcn", graph, config, seed=0)


def compress(name: str, graph: Graph, backbone: Backbone, budget: float | None) -> None:
    method, shape = method_class(registry.method(name).module())(), Shape.of(graph, backbone)
    params = method.Params() if budget is None else method.params_for(int(budget * shape.dense_bytes), shape)
    if "epochs" in method.Params.model_fields:
        params = params.model_copy(update={"epochs": 1})
    made = method.compress(Task(graph, backbone, params, 0, make_generator(0), lambda share: None))
    assert (made.users.shape[0], made.items.shape[0]) == (graph.n_users, graph.n_items)
    Recommender(made, graph.user_items).recommend_all(K)


def methods() -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield attempts at compressing, with their names."""
    for size, dim in product([rows for rows in ROWS if rows], COLUMNS):
        graph, backbone = trained(size, dim)
        for name, budget in product(registry.methods(), (None, 1.0, 64.0)):
            attempt = partial(compress, name, graph, backbone, budget)
            yield f"{name} at {budget or 'its defaults'}: {size} rows of {dim}", attempt


def main() -> None:
    faulthandler.enable()
    torch.set_num_threads(1)
    for name, attempt in {"codecs": codecs, "methods": methods}[sys.argv[1]]():
        print(name, flush=True)
        try:
            attempt()
        except (BudgetUnreachable, ValueError) as error:
            if "\n" in str(error) or not str(error):
                print(f"FAULT {name}: {error!r}", flush=True)
        except Exception as error:
            print(f"FAULT {name}: {error!r}", flush=True)
    print("END", flush=True)


if __name__ == "__main__":
    main()

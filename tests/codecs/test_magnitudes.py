"""Codecs whose scales or values are float16 err as little on small and on large tables as on those of about 1."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from recpress import registry
from recpress.codecs import (
    Binary,
    Codec,
    ColumnUniform,
    Dense,
    Entropy,
    Grouped,
    HashedNetwork,
    Inverted,
    LowRank,
    Product,
    Residual,
    Sparse,
    Ternary,
    Uniform,
)
from recpress.codecs.artefact import Artefact
from recpress.codecs.base import TopKScorer
from recpress.codecs.tables.exponent import SHARE
from recpress.codecs.tables.product import optimized_rotation
from recpress.compression.clipping import clipped
from recpress.data.interactions import UserItems

ROWS, COLUMNS = 60, 12
MAGNITUDES = [10.0**power for power in range(-8, 5)]


def rotated(table: Tensor) -> Codec:
    rotation = optimized_rotation(table, 4, 4, iterations=3, seed=0)
    return LowRank(Product.encode(table @ rotation, 4, 4), Dense.encode(rotation.T, "fp16"))


def hashed_network(table: Tensor) -> Codec:
    hidden = torch.randn(8, 4, generator=torch.Generator().manual_seed(1))
    scale = table.abs().amax()
    return HashedNetwork.encode([(hidden, torch.zeros(8)), (table[:COLUMNS, :8], scale.expand(COLUMNS))], ROWS)


CODECS: dict[str, Callable[[Tensor], Codec]] = {
    "fp16": partial(Dense.encode, values="fp16"),
    "bf16": partial(Dense.encode, values="bf16"),
    **{f"uniform{bits}": partial(Uniform.encode, bits=bits) for bits in (1, 2, 4, 8)},
    "uniform of the table": partial(Uniform.encode, bits=8, granularity="tensor"),
    "symmetric": partial(Uniform.encode, bits=4, symmetric=True),
    "clipped": partial(clipped, bits=4),
    "grouped": partial(Grouped.encode, size=4, encode=partial(Uniform.encode, bits=4)),
    "entropy": lambda table: Entropy.encode(Uniform.encode(table, 6)),
    "binary": Binary.encode,
    "binary of the table": partial(Binary.encode, granularity="tensor"),
    "ternary": Ternary.encode,
    "columns": lambda table: ColumnUniform.encode(table, [8, 6, 4, 2, 1, 0] * 2),
    "columns stretched": lambda table: ColumnUniform.encode(
        table, [3] * COLUMNS, length=float(table.norm(dim=1).mean())
    ),
    "columns of own lengths": lambda table: ColumnUniform.encode(table, [3] * COLUMNS, own=table.norm(dim=1)),
    "product": partial(Product.encode, parts=4, bits=4),
    "residual": partial(Residual.encode, levels=4, bits=4),
    "rotated product": rotated,
    "sparse": lambda table: Sparse.encode(table, partial(Dense.encode, values="fp16")),
    "inverted": lambda table: Inverted.encode(table, Uniform.encode(table), 4, 1),
    "hashed network": hashed_network,
}


def table_of(magnitude: float) -> Tensor:
    return torch.randn(ROWS, COLUMNS, generator=torch.Generator().manual_seed(0)) * magnitude


def error(name: str, magnitude: float) -> Tensor:
    """Return the error of each row as a share of its length."""
    # A network isn't told a table: what it makes of weights of about 1 is what it should make of others.
    wanted = CODECS[name](table_of(1.0)).decode() * magnitude if name == "hashed network" else table_of(magnitude)
    return (CODECS[name](table_of(magnitude)).decode() - wanted).norm(dim=1) / wanted.norm(dim=1)


@pytest.mark.parametrize("magnitude", MAGNITUDES)
@pytest.mark.parametrize("name", CODECS)
def test_no_row_errs_more_for_being_small_or_large(name: str, magnitude: float) -> None:
    usual, found = error(name, 1.0), error(name, magnitude)
    # Values that are stored as one table may lose a share of the largest. Of a codebook, rounding may name another
    # word as near.
    allowed = SHARE * (3 if name in ("sparse", "hashed network") else 1)
    codebook = 0.25 * float(usual.mean()) if name in ("product", "rotated product", "residual") else 0.0
    assert (found <= usual + allowed + codebook).all()
    assert found.mean() <= usual.mean() + allowed


@pytest.mark.parametrize("magnitude", [1e-8, 1e-6, 3e4])
@pytest.mark.parametrize("name", CODECS)
def test_small_and_large_tables_are_reloaded_and_scored_as_they_decode(
    name: str, magnitude: float, tmp_path: Path
) -> None:
    table = table_of(magnitude)
    Artefact(CODECS[name](table), CODECS[name](table.clone())).save(tmp_path / "a")
    made, loaded = CODECS[name](table), Artefact.load(tmp_path / "a").items
    assert torch.equal(loaded.decode(), made.decode())
    queries = torch.randn(3, COLUMNS, generator=torch.Generator().manual_seed(1))
    expected, scorer = queries @ made.decode().T, loaded.scorer()
    torch.testing.assert_close(scorer.scores(queries), expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
    if isinstance(scorer, TopKScorer) and name != "inverted":
        nothing = UserItems.from_pairs(np.empty(0, np.int64), np.empty(0, np.int64), 3, ROWS)
        _, best = scorer.top(queries, nothing, np.arange(3), 5)
        wanted = expected.topk(5).values
        torch.testing.assert_close(torch.from_numpy(best), wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max()))


def test_one_small_row_among_others_keeps_its_direction() -> None:
    table = table_of(1.0)
    table[7] *= 1e-6
    for name in ("uniform8", "fp16", "binary", "ternary"):
        made = CODECS[name](table).decode()[7]
        assert torch.cosine_similarity(made, table[7], dim=0) > 0.75, name


def test_transform_coding_rounds_to_small_steps() -> None:
    quantized = registry.method("transform_coding").module().quantized
    usual = quantized(table_of(1.0), 0.1, 0.2).decode()
    for magnitude in MAGNITUDES:
        found = quantized(table_of(magnitude), 0.1 * magnitude, 0.2).decode() / magnitude
        assert (found - usual).norm() < 2 * SHARE * usual.norm()


def test_an_exponent_out_of_range_is_refused() -> None:
    made = Uniform.encode(table_of(1e-8))
    assert made.options()["exponent"] < 0
    with pytest.raises(ValueError, match="an exponent lies in"):
        Uniform.restore(made.options() | {"exponent": 4000}, made.tensors())
    wide = Dense.encode(table_of(1.0))
    with pytest.raises(ValueError, match="no use for an exponent"):
        Dense.restore({"exponent": 3}, wide.tensors())

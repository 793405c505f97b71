"""Entropy-coded tables: the codes come back, and their stream is as short as their entropy says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recpress.codecs import Dense, LowRank, Uniform
from recpress.codecs.artefact import Artefact, folder_breakdown
from recpress.codecs.base import nbytes
from recpress.codecs.composite.entropy import Entropy, code, uncode
from recpress.core.errors import UserError


def random(rows: int, columns: int, seed: int) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


@given(st.integers(1, 30), st.integers(1, 9), st.integers(0, 255), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_symbols_come_back(rows: int, columns: int, span: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    tops = generator.integers(0, span + 1, columns)
    symbols = generator.integers(0, tops + 1, (rows, columns)).astype(np.uint8) + np.uint8(
        generator.integers(256 - span)
    )
    assert (uncode(code(symbols), rows) == symbols).all()


def test_a_stream_is_as_short_as_the_entropy() -> None:
    symbols = np.random.default_rng(0).normal(100, [[0.3, 1, 4]], (100_000, 3)).round().astype(np.uint8)
    shares = [np.bincount(column) / len(column) for column in symbols.T]
    bits = sum(-(share[share > 0] * np.log2(share[share > 0])).sum() for share in shares)
    coded = code(symbols)
    assert bits * len(symbols) <= 8 * nbytes(coded["stream"]) <= 1.001 * bits * len(symbols) + 64
    assert (uncode(coded, len(symbols)) == symbols).all()


@pytest.mark.parametrize("bits", [3, 4, 8])
def test_is_the_table_that_it_codes(bits: int, tmp_path: Path) -> None:
    made = []
    for rows in (400, 900):
        table = random(rows, 21, rows) * torch.logspace(0, -2, 21)
        grid = Uniform.encode(table, bits, "tensor", symmetric=True)
        left = Entropy.encode(grid)
        assert left.breakdown().total() == sum(nbytes(tensor) for tensor in left.tensors().values())
        assert left.breakdown()["values"] < grid.breakdown()["values"]
        assert torch.equal(left.decode(), grid.decode())
        made.append(LowRank(left, Dense.encode(random(21, 6, rows))))
    Artefact(*made).save(tmp_path / "a")
    loaded = Artefact.load(tmp_path / "a")
    assert torch.equal(loaded.items.decode(), made[1].decode())
    on_disk = sum(file.stat().st_size for file in (tmp_path / "a").iterdir())
    assert folder_breakdown(tmp_path / "a").total() == on_disk
    queries = random(3, 6, 5)
    torch.testing.assert_close(
        loaded.items.scorer().scores(queries), made[1].scorer().scores(queries), atol=1e-5, rtol=1e-5
    )


def test_degenerate_tables() -> None:
    for table in (torch.zeros(3, 8), torch.zeros(1, 1), torch.full((1, 8), 0.25)):
        grid = Uniform.encode(table, 8)
        coded = Entropy.encode(grid)
        assert torch.equal(coded.decode(), grid.decode())
        assert nbytes(coded.coded["frequencies"]) == 0


def test_a_damaged_stream_is_refused(tmp_path: Path) -> None:
    users, made = (Entropy.encode(Uniform.encode(random(50, 4, seed), 4)) for seed in (0, 1))
    short = Entropy(made.grid, made.coded | {"frequencies": made.coded["frequencies"][:-1].clone()})
    Artefact(users, short).save(tmp_path / "a")
    with pytest.raises(UserError, match="models"):
        Artefact.load(tmp_path / "a")

"""Clipped, grouped and ternary grids: never worse than what they refine, exact where an exact answer exists."""

from __future__ import annotations

from functools import partial
from itertools import product
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from recpress.codecs import Codec, Dense, Grouped, LowRank, Ternary, Uniform
from recpress.codecs.artefact import Artefact
from recpress.codecs.base import nbytes
from recpress.codecs.tables.ternary import row_bytes
from recpress.compression.clipping import clipped

SEEDS = st.integers(0, 2**32 - 1)


def random(rows: int, columns: int, seed: int) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def error(codec: Codec, table: Tensor) -> Tensor:
    return (codec.decode() - table).square().sum(1)


@given(st.integers(2, 8), st.booleans(), st.sampled_from(["row", "tensor"]), SEEDS)
@settings(max_examples=30, deadline=None)
def test_clipping_never_errs_more(bits: int, symmetric: bool, granularity: str, seed: int) -> None:
    table = random(5, 33, seed)
    plain = Uniform.encode(table, bits, granularity, symmetric)  # type: ignore[arg-type]  # hypothesis gives str
    narrow = clipped(table, bits, granularity, symmetric)  # type: ignore[arg-type]  # hypothesis gives str
    assert narrow.breakdown() == plain.breakdown()
    assert error(narrow, table).sum() <= error(plain, table).sum() * (1 + 1e-5)
    if granularity == "row":
        assert (error(narrow, table) <= error(plain, table) * (1 + 1e-5) + 1e-9).all()


def test_clipping_pays_where_a_row_has_outliers() -> None:
    table = random(1, 64, 0)
    table[0, :2] = torch.tensor([6.0, -6.0])
    assert error(clipped(table, 3), table) < 0.75 * error(Uniform.encode(table, 3), table)


@given(st.integers(1, 7), st.integers(1, 23), SEEDS)
@settings(max_examples=40, deadline=None)
def test_groups_are_rows_of_their_own(rows: int, columns: int, seed: int) -> None:
    table = random(rows, columns, seed)
    size = 1 + seed % columns
    codec = Grouped.encode(table, size, partial(Uniform.encode, bits=3))
    assert codec.shape == (rows, columns)
    for start in range(0, columns, size):
        group = table[:, start : start + size]
        assert torch.equal(codec.decode()[:, start : start + size], Uniform.encode(group, 3).decode())
    assert torch.equal(codec.decode(torch.tensor([rows - 1, 0])), codec.decode()[[rows - 1, 0]])


def by_enumeration(row: Tensor) -> float:
    signs = torch.tensor(list(product((-1.0, 0.0, 1.0), repeat=len(row))))
    scale = (signs @ row) / signs.square().sum(1).clamp_min(1)
    return float((row - scale[:, None] * signs).square().sum(1).min())


@given(st.integers(1, 7), SEEDS)
@settings(max_examples=25, deadline=None)
def test_ternary_finds_the_best_of_all_ternary_rows(columns: int, seed: int) -> None:
    table = random(1, columns, seed)
    # The float16 scale costs a little.
    assert float(error(Ternary.encode(table), table)) <= by_enumeration(table[0]) + 1e-5 * float(table.square().sum())


def test_ternary_rows_of_64_take_15_bytes() -> None:
    codec = Ternary.encode(random(100, 64, 0))
    assert row_bytes(64) == 13
    assert codec.breakdown().total() == sum(nbytes(tensor) for tensor in codec.tensors().values()) == 100 * 15
    assert set(torch.unique(codec.decode()[0] / codec.scale[0].float()).tolist()) == {-1.0, 0.0, 1.0}


ENCODERS = {
    "clipped": partial(clipped, bits=3),
    "clipped symmetric": partial(clipped, bits=3, symmetric=True),
    "grouped": lambda table: Grouped.encode(table, min(5, table.shape[1]), partial(clipped, bits=4)),
    "grouped ternary": lambda table: Grouped.encode(table, min(5, table.shape[1]), Ternary.encode),
    "ternary": Ternary.encode,
}


@pytest.mark.parametrize("name", ENCODERS)
def test_degenerate_tables(name: str) -> None:
    encode = ENCODERS[name]
    for zeros in (torch.zeros(3, 8), torch.zeros(1, 1)):
        assert torch.equal(encode(zeros).decode(), zeros)
    constant = torch.full((1, 8), 0.25)
    torch.testing.assert_close(encode(constant).decode(), constant, rtol=2**-11, atol=0)
    mixed = torch.cat([torch.zeros(1, 7), random(1, 7, 0)])
    assert torch.equal(encode(mixed).decode()[0], torch.zeros(7))
    with pytest.raises(ValueError, match="not finite"):
        encode(torch.tensor([[float("nan"), 1.0]]))


def test_nests_two_deep_and_survives_the_disk(tmp_path: Path) -> None:
    thin, square = random(20, 6, 1), random(6, 9, 2)

    def nested(table: Tensor) -> LowRank:
        left = Grouped.encode(table, 4, lambda part: Grouped.encode(part, 3, Ternary.encode))
        return LowRank(left, Dense.encode(square.clone()))

    made = Artefact(nested(thin), nested(thin[:7]))
    made.save(tmp_path / "a")
    loaded = Artefact.load(tmp_path / "a")
    assert torch.equal(loaded.users.decode(), made.users.decode())
    queries = random(3, 9, 4)
    torch.testing.assert_close(loaded.items.scorer().scores(queries), queries @ made.items.decode().T)


def test_a_size_outside_the_row_is_refused() -> None:
    for size in (0, 9):
        with pytest.raises(ValueError, match="1 to 8 columns"):
            Grouped.encode(torch.zeros(2, 8), size, Dense.encode)

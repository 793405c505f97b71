"""Codebooks: nearest words, one seed one result, degenerate tables, and the disk."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from recpress.codecs import Codec, Dense, LowRank
from recpress.codecs.artefact import Artefact
from recpress.codecs.base import nbytes
from recpress.codecs.kernels.lookup import LookupScorer
from recpress.codecs.packing import pack
from recpress.codecs.tables.product import Codebooks, Product, Residual, optimized_rotation
from recpress.core.errors import UserError

ENCODERS: dict[str, Callable[[Tensor], Codec]] = {
    "product 8 bits": partial(Product.encode, parts=3),
    "product 5 bits, padded": partial(Product.encode, parts=5, bits=5),
    "residual": partial(Residual.encode, levels=3, bits=4),
}


def random(rows: int, columns: int, seed: int) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 5), st.integers(0, 2**31 - 1))
@settings(max_examples=20, deadline=None)
def test_parts_are_named_by_the_nearest_word(rows: int, columns: int, bits: int, seed: int) -> None:
    table = random(rows, columns, seed)
    parts = 1 + seed % columns
    codec = Product.encode(table, parts, bits, seed)
    width = codec.words.shape[2]
    padded = torch.nn.functional.pad(table, (0, parts * width - columns)).view(rows, parts, width)
    distances = (padded[:, :, None] - codec.words.float()).square().sum(3)
    chosen = torch.nn.functional.pad(codec.decode(), (0, parts * width - columns)).view(rows, parts, width)
    torch.testing.assert_close(
        (padded - chosen).square().sum(2)[:, : columns // width], distances.amin(2)[:, : columns // width]
    )


def test_every_level_leaves_less() -> None:
    table = random(800, 12, 0)
    errors = [float((Residual.encode(table, levels, 4).decode() - table).square().sum()) for levels in (1, 2, 4, 8)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.3 * errors[0]


@pytest.mark.parametrize("name", ENCODERS)
def test_seeded_counted_and_reloaded(name: str, tmp_path: Path) -> None:
    encode = ENCODERS[name]
    users, items, square = random(90, 13, 0), random(300, 13, 1), random(13, 7, 2)
    made = Artefact(LowRank(encode(users), Dense.encode(square)), LowRank(encode(items), Dense.encode(square.clone())))
    left = made.items.left  # type: ignore[attr-defined]  # it is a LowRank
    assert all(
        torch.equal(a, b) for a, b in zip(left.tensors().values(), encode(items).tensors().values(), strict=True)
    )
    assert left.breakdown().total() == sum(nbytes(tensor) for tensor in left.tensors().values())
    made.save(tmp_path / "a")
    loaded = Artefact.load(tmp_path / "a")
    assert torch.equal(loaded.items.decode(), made.items.decode())
    torch.testing.assert_close(loaded.items.decode(torch.tensor([5, 2])), made.items.decode()[[5, 2]])
    queries = random(4, 7, 3)
    torch.testing.assert_close(
        loaded.items.scorer().scores(queries), queries @ made.items.decode().T, atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("name", ENCODERS)
def test_degenerate_tables(name: str) -> None:
    encode = ENCODERS[name]
    zeros = torch.zeros(3, 8)
    assert torch.equal(encode(zeros).decode(), zeros)
    one = random(1, 8, 0)
    torch.testing.assert_close(encode(one).decode(), one, rtol=1e-2, atol=1e-2)
    with pytest.raises(ValueError, match="not finite"):
        encode(torch.full((2, 8), float("nan")))


def test_the_optimised_rotation_is_orthogonal_and_helps() -> None:
    mix = torch.linalg.qr(random(8, 8, 9))[0]
    table = random(1500, 8, 0) * torch.logspace(0, -1.5, 8) @ mix
    rotation = optimized_rotation(table, 4, 4, 8, seed=0)
    torch.testing.assert_close(rotation.T @ rotation, torch.eye(8), atol=1e-5, rtol=0)
    assert torch.equal(rotation, optimized_rotation(table, 4, 4, 8, seed=0))
    errors = [float((Product.encode(each, 4, 4).decode() - each).square().sum()) for each in (table, table @ rotation)]
    assert errors[1] < 0.8 * errors[0]


def test_more_parts_than_columns_are_refused_and_so_are_wrong_codebooks(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 to 4 parts"):
        Product.encode(torch.zeros(2, 4), 5)
    made = Product.encode(random(20, 4, 0), 2, 3)
    wrong = Product(made.codes.clone(), made.words[:, :4].clone(), 3, 4)
    Artefact(made, wrong).save(tmp_path / "a")
    with pytest.raises(UserError, match="codebooks of 8 words"):
        Artefact.load(tmp_path / "a")


@given(
    st.sampled_from((Product, Residual)),
    st.integers(1, 2100),
    st.integers(1, 9),
    st.integers(1, 8),
    st.integers(1, 6),
    st.integers(1, 12),
    st.integers(0, 2**31 - 1),
)
@settings(max_examples=60, deadline=None)
def test_kernels_read_the_codes_that_were_packed(
    kind: type[Codebooks], rows: int, parts: int, bits: int, width: int, queries: int, seed: int
) -> None:
    """Decoding and look-ups agree with words named one by one, on either side of where many queries are decoded."""
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, 2**bits, (rows, parts), generator=generator)
    words = torch.randn(parts, 2**bits, width, generator=generator).half()
    named = words.float()[torch.arange(parts), codes]
    if kind is Product:
        columns = parts * width - seed % width
        expected = named.flatten(1)[:, :columns]
    else:
        columns, expected = width, named.sum(1)
    codec = kind(pack(codes.to(torch.uint8), bits), words, bits, columns)
    torch.testing.assert_close(codec.decode(), expected)
    some = torch.randint(0, rows, (5,), generator=generator)
    torch.testing.assert_close(codec.decode(some), expected[some])
    asked = torch.randn(queries, columns, generator=generator)
    torch.testing.assert_close(LookupScorer(codec).scores(asked), asked @ expected.T, atol=1e-4, rtol=1e-4)

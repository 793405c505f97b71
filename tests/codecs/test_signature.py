"""What shares a serving signature: tables that are stored alike, whatever their values."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from recpress.codecs import Codec, Dense, Inverted, Uniform, Zstd
from recpress.codecs.artefact import Artefact
from recpress.codecs.composite.sparse import Sparse
from recpress.codecs.signature import serving
from recpress.codecs.tables.columns import ColumnUniform

A, B = "a" * 64, "b" * 64


def table(n: int, seed: int, columns: int = 16) -> Tensor:
    return torch.randn(n, columns, generator=torch.Generator().manual_seed(seed))


def signed(users: Codec, items: Codec, sha256: str = A, reference_columns: int = 16) -> str:
    return serving(Artefact(users, items), sha256, reference_columns).signature


def uniform(seed: int, bits: int = 8, n_items: int = 300, **options: object) -> str:
    made = (Uniform.encode(table(n, seed), bits, **options) for n in (200, n_items))  # type: ignore[arg-type]
    return signed(*made)


def test_values_and_hash_of_the_folder_are_not_in_it() -> None:
    assert uniform(0) == uniform(1)
    users, items = Dense.encode(table(200, 0)), Dense.encode(table(300, 0))
    assert signed(users, items, A) == signed(users, items, B)


@pytest.mark.parametrize(
    "other",
    [{"bits": 4}, {"n_items": 301}, {"granularity": "tensor"}, {"symmetric": True}],
    ids=lambda options: next(iter(options)),
)
def test_bits_sizes_and_stored_tensors_are(other: dict[str, object]) -> None:
    assert uniform(0, **other) != uniform(0)  # type: ignore[arg-type]


def test_so_are_types_and_the_reference_beside_which_it_is_timed() -> None:
    users, items = table(200, 0), table(300, 0)
    fp32, fp16 = (signed(*(Dense.encode(each, values) for each in (users, items))) for values in ("fp32", "fp16"))
    assert fp32 != fp16
    assert fp32 != signed(Dense.encode(users), Dense.encode(items), reference_columns=32)


def test_how_well_a_stream_compresses_is_not_in_it() -> None:
    flat, rough = torch.zeros(300, 16), table(300, 0)
    made = [Zstd.encode(Uniform.encode(each, 8)) for each in (flat, rough)]
    assert len(made[0].stream) != len(made[1].stream)
    users = Uniform.encode(table(200, 0), 8)
    assert signed(users, made[0]) == signed(users, made[1])
    assert signed(users, made[0]) != signed(users, Uniform.encode(rough, 8))


def test_a_search_is_timed_by_its_own_artefact() -> None:
    users, rows = Uniform.encode(table(200, 0), 8), table(300, 0)
    items = Inverted.encode(rows, Uniform.encode(rows, 8), cells=8, probes=2)
    assert signed(users, items, A) != signed(users, items, B)


def test_numbers_of_stored_values_count_to_two_digits() -> None:
    def sparse(kept: int) -> str:
        values = torch.zeros(300, 16)
        values.view(-1)[:kept] = 1.0
        return signed(Dense.encode(table(200, 0)), Sparse.encode(values, layout="csr"))

    assert sparse(1210) == sparse(1190)
    assert sparse(1210) != sparse(1400)


def test_the_order_of_columns_bits_is_not_in_it() -> None:
    users = Dense.encode(table(200, 0))
    bits = [4] * 8 + [2] * 8
    one, other = (signed(users, ColumnUniform.encode(table(300, 0), each)) for each in (bits, bits[::-1]))
    assert one == other

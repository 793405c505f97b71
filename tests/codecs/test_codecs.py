"""Every codec: what is stored is what is decoded, bytes are counted to the byte, kernels score the decoded table."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from recpress.codecs import Binary, Codec, Dense, LowRank, Sparse, Uniform
from recpress.codecs.artefact import Artefact, folder_breakdown
from recpress.codecs.base import nbytes
from recpress.codecs.packing import pack, row_bytes, unpack
from recpress.compression.clipping import clipped
from recpress.core.errors import UserError


def low_rank(table: Tensor) -> LowRank:
    u, s, v = torch.linalg.svd(table, full_matrices=False)
    return LowRank(Uniform.encode(u[:, :5] * s[:5], 8), Dense.encode(v[:5]))


def rotated_signs(table: Tensor) -> LowRank:
    rotation = torch.linalg.qr(torch.randn(37, 37, generator=torch.Generator().manual_seed(1)))[0]
    return LowRank(Binary.encode(table @ rotation.T, "tensor"), Dense.encode(rotation))


CODECS: dict[str, Callable[[Tensor], Codec]] = {
    "fp32": Dense.encode,
    "fp16": partial(Dense.encode, values="fp16"),
    **{f"uniform{bits}": partial(Uniform.encode, bits=bits) for bits in range(1, 9)},
    "symmetric": partial(Uniform.encode, bits=4, symmetric=True, granularity="tensor"),
    "binary": Binary.encode,
    "binary rotated": rotated_signs,
    "csr": lambda table: Sparse.encode(table * (table.abs() > 2)),
    "bitmap": lambda table: Sparse.encode(table * (table.abs() > 0.5), values=partial(Uniform.encode, bits=8)),
    "low-rank": low_rank,
}


@pytest.mark.parametrize("name", CODECS)
def test_reloads_to_the_same_bytes_and_scores_what_it_decodes(name: str, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    users, items = (CODECS[name](torch.randn(n, 37, generator=generator)) for n in (50, 80))
    made = Artefact(users, items)
    made.save(tmp_path / "a")
    loaded = Artefact.load(tmp_path / "a")
    assert torch.equal(loaded.items.decode(), items.decode())
    assert made.breakdown().total() == sum(nbytes(tensor) for tensor in made.tensors().values())
    on_disk = sum(file.stat().st_size for file in (tmp_path / "a").iterdir())
    assert folder_breakdown(tmp_path / "a").total() == on_disk
    rows = torch.tensor([7, 3, 3, 49])
    torch.testing.assert_close(loaded.users.decode(rows), users.decode()[rows])
    queries = torch.randn(4, 37, generator=generator)
    torch.testing.assert_close(loaded.items.scorer().scores(queries), queries @ items.decode().T, atol=1e-4, rtol=1e-4)
    buffer = torch.empty(4, 80)
    loaded.items.scorer().scores(queries, buffer)
    torch.testing.assert_close(buffer, queries @ items.decode().T, atol=1e-4, rtol=1e-4)
    assert sum(made.users.work(2).macs.values()) >= users.nonzero()


@given(st.integers(1, 8), st.integers(1, 40), st.integers(1, 5), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_packing_is_reversible_and_as_small_as_claimed(bits: int, columns: int, rows: int, seed: int) -> None:
    codes = torch.randint(2**bits, (rows, columns), generator=torch.Generator().manual_seed(seed)).byte()
    packed = pack(codes, bits)
    assert packed.shape == (rows, row_bytes(columns, bits))
    assert torch.equal(unpack(packed, columns, bits), codes)


def test_int4_rows_of_64_take_36_bytes() -> None:
    codec = Uniform.encode(torch.randn(100, 64, generator=torch.Generator().manual_seed(0)), bits=4)
    assert codec.breakdown().total() == 100 * 36


@given(st.integers(2, 8), st.booleans(), st.sampled_from(["row", "tensor"]), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_uniform_errs_by_half_a_step_at_most(bits: int, symmetric: bool, granularity: str, seed: int) -> None:
    table = torch.randn(9, 13, generator=torch.Generator().manual_seed(seed))
    codec = Uniform.encode(table, bits, granularity, symmetric)  # type: ignore[arg-type]  # hypothesis gives str
    # Half a step, and what rounding scale and offset to float16 adds over all levels.
    bound = codec.scale.float() * (0.5 + 2**bits * 2**-10) + 4 * 2**-10
    assert ((codec.decode() - table).abs() <= bound).all()


def test_binary_rows_of_64_take_10_bytes_and_keep_signs_and_mean_magnitude() -> None:
    table = torch.randn(100, 64, generator=torch.Generator().manual_seed(0))
    codec = Binary.encode(table)
    assert codec.breakdown().total() == 100 * 10
    torch.testing.assert_close(codec.decode(), table.sign() * table.abs().mean(1, keepdim=True), atol=0, rtol=2**-11)
    assert torch.equal(Binary.encode(torch.zeros(2, 5)).decode(), torch.zeros(2, 5))
    assert torch.equal(Binary.encode(torch.tensor([[0.0, 2.0]])).decode(), torch.ones(1, 2))


def test_degenerate_tables() -> None:
    zeros = torch.zeros(3, 8)
    constant = torch.full((1, 8), 0.25)
    for bits in (1, 4, 8):
        assert torch.equal(Uniform.encode(zeros, bits).decode(), zeros)
        assert torch.equal(Uniform.encode(constant, bits).decode(), constant)
    assert torch.equal(Sparse.encode(zeros).decode(), zeros)
    with pytest.raises(ValueError, match="not finite"):
        Dense.encode(torch.tensor([[float("nan")]]))
    with pytest.raises(ValueError, match="not finite"):
        Uniform.encode(torch.tensor([[float("nan"), 1.0]]), 4)


@pytest.mark.parametrize("columns", [1, 5])
@pytest.mark.parametrize("clip", [False, True])
def test_rows_whose_values_are_alike_have_no_negative_range(columns: int, clip: bool, tmp_path: Path) -> None:
    # A third is rounded up to float16 as often as down.
    table = (torch.randn(50, 1, generator=torch.Generator().manual_seed(0)) / 3).expand(50, columns).contiguous()
    codec = (clipped if clip else Uniform.encode)(table, 8)
    assert (codec.scale >= 0).all()
    Artefact(codec, Dense.encode(table)).save(tmp_path)
    assert torch.equal(Artefact.load(tmp_path).users.decode(), codec.decode())
    assert torch.allclose(codec.decode(), table, rtol=2**-10)


def test_a_damaged_artefact_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="missing"):
        Artefact.load(tmp_path)
    Artefact(Dense.encode(torch.ones(2, 3)), Dense.encode(torch.ones(4, 3))).save(tmp_path / "a")
    tensors = tmp_path / "a" / "artefact.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-4])
    with pytest.raises(UserError, match="not an artefact"):
        Artefact.load(tmp_path / "a")

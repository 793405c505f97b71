"""Codecs whose rows share what is stored: they reload, count their bytes, and score what they decode."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recpress.codecs import Codebook, Codec, Compositional, Dense, HashedNetwork, Uniform
from recpress.codecs.artefact import Artefact
from recpress.codecs.base import nbytes
from recpress.codecs.tables.codebook import places, remainders
from recpress.codecs.tables.function import network
from recpress.codecs.tables.hashed import buckets, uniforms

COLUMNS = 13


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def stored(n: int) -> Codec:
    where = torch.randint(300, (n, 3), generator=torch.Generator().manual_seed(n))
    return Codebook.encode(Uniform.encode(random(300, COLUMNS), 8), where, Uniform.encode(random(n, 3), 8, "tensor"))


def hashed_network(n: int) -> Codec:
    sizes = [(9, 5), (9, 9), (COLUMNS, 9)]
    return HashedNetwork.encode([(random(out, into), random(out)) for out, into in sizes], n)


def formula(rule: str, terms: int, n: int) -> Codec:
    return Codebook(Dense.encode(random(30, COLUMNS), "fp16"), rule, None, None, n, terms)  # type: ignore[arg-type]  # str


def compositional(n: int) -> Codec:
    return Compositional(Dense.encode(random(9, COLUMNS)), Dense.encode(random(-(-n // 9), COLUMNS)), n)


CODECS: dict[str, Callable[[int], Codec]] = {
    "stored": stored,
    "hash": partial(formula, "hash", 1),
    "double hash": partial(formula, "hash", 2),
    "quotient": partial(formula, "quotient", 2),
    "compositional": compositional,
    "hashed network": hashed_network,
}


@pytest.mark.parametrize("name", CODECS)
def test_reloads_to_the_same_bytes_and_scores_what_it_decodes(name: str, tmp_path: Path) -> None:
    made = Artefact(CODECS[name](50), CODECS[name](80))
    made.save(tmp_path / "a")
    loaded = Artefact.load(tmp_path / "a")
    table = made.items.decode()
    assert table.shape == made.items.shape == (80, COLUMNS)
    assert torch.equal(loaded.items.decode(), table)
    assert made.breakdown().total() == sum(nbytes(tensor) for tensor in made.tensors().values())
    for rows in (torch.tensor([7, 3, 3, 79]), slice(70, 80)):
        torch.testing.assert_close(loaded.items.decode(rows), table[rows], atol=1e-6, rtol=1e-5)
    queries, buffer = random(4, COLUMNS), torch.empty(4, 80)
    loaded.items.scorer().scores(queries, buffer)
    torch.testing.assert_close(buffer, queries @ table.T, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(loaded.items.scorer().scores(queries), buffer, atol=0, rtol=0)
    assert 0 < made.items.nonzero() <= made.items.nominal()


def test_a_codebook_is_scored_once_and_not_row_by_row() -> None:
    by_rows = Dense.encode(random(10_000, COLUMNS)).work(1).macs["fp32"]
    work = Codebook(Dense.encode(random(30, COLUMNS)), "hash", None, None, 10_000, 2).work(1)
    assert work.macs == {"fp32": 30 * COLUMNS, "lookup": 2 * 10_000}
    assert work.macs["fp32"] < by_rows / 100


def test_a_row_is_the_weighted_sum_of_its_codewords() -> None:
    words = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]])
    weights = Dense.encode(torch.tensor([[1.0, 3.0], [0.5, -1.0]]))
    codec = Codebook.encode(Dense.encode(words), torch.tensor([[0, 1], [2, 0]]), weights)
    assert codec.decode().tolist() == [[1.0, 3.0], [0.0, 1.0]]
    assert codec.breakdown() == {"codebooks": 24, "scales": 16, "indices": 4}


@given(st.integers(1, 5000), st.integers(2, 400))
@settings(max_examples=50, deadline=None)
def test_quotient_and_remainder_tell_all_rows_apart(n: int, words: int) -> None:
    try:
        size = remainders(n, words)
    except ValueError:
        assert words < 2 * n**0.5 + 1
        return
    where = places("quotient", n, words, 2)
    assert len(torch.unique(where, dim=0)) == n
    assert size + -(-n // size) <= words
    assert int(where.max()) < words


def test_hashes_are_even_independent_and_the_same_everywhere() -> None:
    # By hand from the definition of splitmix64 with seed 0: its first output for state 0 is 0xE220A8397B1DCDAF.
    assert int(buckets(1, 2**31 - 1, 0)[0]) == 0xE220A8397B1DCDAF % (2**31 - 1)
    counts = torch.bincount(buckets(100_000, 100, 3), minlength=100)
    assert counts.min() > 850
    assert counts.max() < 1150
    first, second = (buckets(100_000, 100, seed) for seed in (0, 1))
    assert (first == second).float().mean() < 0.013
    features = uniforms(torch.arange(20_000), 4)
    assert features.min() >= -1
    assert features.max() < 1
    torch.testing.assert_close(features.mean(0), torch.zeros(4), atol=0.02, rtol=0)
    torch.testing.assert_close(torch.corrcoef(features.T), torch.eye(4), atol=0.03, rtol=0)


def test_a_network_by_hand() -> None:
    layers = [(torch.tensor([[2.0]]), torch.tensor([1.0])), (torch.tensor([[3.0]]), torch.tensor([-1.0]))]
    hidden = torch.tensor(2 * 0.5 + 1.0)
    by_hand = 3 * hidden * torch.tanh(torch.log1p(hidden.exp())) - 1
    torch.testing.assert_close(network(torch.tensor([[0.5]]), layers)[0, 0], by_hand)


def test_parts_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    codec = Codebook.encode(Dense.encode(torch.ones(3, 2)), torch.tensor([[0], [2]]))
    tensors = codec.tensors() | {"places": torch.tensor([[0], [3]], dtype=torch.uint8)}
    with pytest.raises(ValueError, match="outside the codebook"):
        Codebook.restore(codec.options(), tensors)
    with pytest.raises(ValueError, match="no rule"):
        Codebook.restore(codec.options() | {"rule": "guess"}, codec.tensors())
    made = compositional(50)
    with pytest.raises(ValueError, match="don't make"):
        Compositional.restore(made.options() | {"rows": 500}, made.tensors())
    net = hashed_network(5)
    with pytest.raises(ValueError, match="weights"):
        HashedNetwork.restore(net.options(), {"weights": torch.ones(9)})

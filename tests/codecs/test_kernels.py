"""Kernels of packed tables: their lists and scores are those of the decoded table, whatever the shape and the path."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from recpress.codecs import Binary, Codec, Dense, LowRank, Ternary, Uniform, restore
from recpress.codecs.artefact import Artefact
from recpress.codecs.base import TopKScorer
from recpress.codecs.kernels import scan, shortlist, simd
from recpress.codecs.kernels.lanes import lay_codes
from recpress.codecs.kernels.scorers import CodeScorer
from recpress.codecs.packing import pack
from recpress.data.interactions import UserItems
from recpress.serve import topk
from recpress.serve.recommender import Recommender

ENCODERS: dict[str, Callable[[Tensor], Codec]] = {
    **{f"{bits} bits": partial(Uniform.encode, bits=bits) for bits in range(1, 9)},
    "4 bits, one scale": partial(Uniform.encode, bits=4, granularity="tensor"),
    "8 bits, symmetric": partial(Uniform.encode, bits=8, symmetric=True),
    "3 bits, symmetric, one scale": partial(Uniform.encode, bits=3, symmetric=True, granularity="tensor"),
    "binary": Binary.encode,
    "binary, one scale": partial(Binary.encode, granularity="tensor"),
    "ternary": Ternary.encode,
    "bf16": partial(Dense.encode, values="bf16"),
    "fp16": partial(Dense.encode, values="fp16"),
}
PATHS = [False, True] if simd.has_vnni() else [False]


def scorer_of(codec: Codec, vnni: bool) -> TopKScorer:
    scorer = codec.scorer()
    assert isinstance(scorer, TopKScorer)
    if isinstance(scorer, CodeScorer):
        scorer.vnni = vnni
    return scorer


def seen_by(n_users: int, n_items: int, each: int, seed: int) -> UserItems:
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.arange(n_users), each if n_items else 0)
    return UserItems.from_pairs(rows, rng.integers(0, max(n_items, 1), len(rows)), n_users, n_items)


def uneven(n: int, columns: int, generator: torch.Generator) -> Tensor:
    """A table with what breaks kernels: zero rows, constant rows, equal rows, lengths that differ by a thousand."""
    table = torch.randn(n, columns, generator=generator)
    kind = torch.randint(6, (n, 1), generator=generator)
    table = torch.where(kind == 0, 0.0, table)
    table = torch.where(kind == 1, table[:, :1].expand_as(table), table)
    table = torch.where(kind == 2, table[:1].expand_as(table), table) if n else table
    return table * 10 ** (3 * torch.rand(n, 1, generator=generator) - 1.5)


@pytest.mark.parametrize("vnni", PATHS)
@given(
    name=st.sampled_from(sorted(ENCODERS)),
    n=st.one_of(st.integers(0, 40), st.integers(41, 3000)),
    columns=st.integers(1, 130),
    batch=st.one_of(st.integers(1, 9), st.integers(10, 300)),
    k=st.one_of(st.integers(0, 25), st.integers(26, 150)),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_scores_and_lists_are_those_of_the_decoded_table(
    vnni: bool, name: str, n: int, columns: int, batch: int, k: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    codec = ENCODERS[name](uneven(n, columns, generator)) if n else ENCODERS[name](torch.zeros(1, columns))
    n = codec.shape[0]
    queries = torch.randn(batch, columns, generator=generator) * 10 ** torch.randn(batch, 1, generator=generator)
    queries[0] *= seed % 2  # Half of the time somebody has no taste at all.
    scorer = scorer_of(codec, vnni)
    scores = scorer.scores(queries)
    table = codec.decode().double()
    largest = queries.double().abs() @ table.abs().T
    assert ((scores.double() - queries.double() @ table.T).abs() <= 1e-5 * largest).all()
    users, seen = np.arange(batch), seen_by(batch, n, 3, seed)
    items, best = scorer.top(queries, seen, users, k)
    expected = topk.select(scores.clone(), seen, users, k)
    np.testing.assert_array_equal(best, expected[1])
    np.testing.assert_array_equal(items, expected[0])


@given(st.integers(1, 8), st.integers(1, 130), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_the_bound_holds_for_the_worst_row_of_codes_and_is_tight(
    bits: int, columns: int, zero: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    queries = (rng.standard_normal((3, columns)) * 10.0 ** rng.uniform(-3, 3, (3, 1))).astype(np.float32)
    queries[2] *= seed % 2
    levels, in_bytes, bounds = 2**bits - 1, np.zeros((3, columns), np.int8), np.empty((3, 4), np.float32)
    scan.bound(queries, columns, levels, zero, 0.0, in_bytes, bounds)
    for query, rounded, (step, constant, total, _) in zip(queries.astype(float), in_bytes, bounds, strict=True):
        left = query - float(step) * rounded
        assert (np.abs(left) <= 0.51 * step).all()
        assert total == pytest.approx(query.sum(), abs=1e-5 * np.abs(query).sum())
        worst = np.where(left > 0, levels, 0)
        score = query @ (worst - zero)
        above = float(step) * (rounded @ worst) + float(constant) - score
        assert 0 <= above <= 1e-4 * levels * np.abs(query).sum()


@pytest.mark.parametrize("vnni", PATHS)
@pytest.mark.parametrize("name", ENCODERS)
def test_a_list_depends_neither_on_who_else_asks_nor_on_threads_nor_on_the_order_of_rows(name: str, vnni: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(20_000, 24, generator=generator)
    queries = torch.randn(150, 24, generator=generator)
    users, seen = np.arange(150), seen_by(150, 20_000, 20, 1)
    # Rows that get better towards the end: each one may enter a list that is filled in order.
    table = table[(queries[0] @ table.T).argsort()]
    scorer = scorer_of(ENCODERS[name](table), vnni)
    before = torch.get_num_threads()
    try:
        lists = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            lists.append(scorer.top(queries, seen, users, 20))
    finally:
        torch.set_num_threads(before)
    for one, two in zip(*lists, strict=True):
        np.testing.assert_array_equal(one, two)
    alone = [scorer.top(queries[user : user + 1], seen, users[user : user + 1], 20) for user in (0, 7, 149)]
    np.testing.assert_array_equal(np.concatenate([items for items, _ in alone]), lists[0][0][[0, 7, 149]])
    np.testing.assert_array_equal(np.concatenate([scores for _, scores in alone]), lists[0][1][[0, 7, 149]])


@given(st.integers(1, 8), st.integers(1, 70), st.integers(1, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_lanes_hold_the_packed_bits_and_no_more_than_a_blocks_padding(
    bits: int, columns: int, rows: int, seed: int
) -> None:
    codes = torch.randint(2**bits, (rows, columns), generator=torch.Generator().manual_seed(seed)).byte()
    lanes = lay_codes(pack(codes, bits).numpy(), columns, bits)
    found = np.zeros((len(lanes.codes) * simd.LANES, 4 * lanes.steps), np.int64)
    for width, low, first, words in lanes.planes:
        for step in range(words * 8 // width):
            word = lanes.codes[:, first + step * width // 8].reshape(-1)
            for byte in range(4):
                field = word >> np.uint32(8 * byte + step * width % 8) & np.uint32(2**width - 1)
                found[:, 4 * step + byte] |= field.astype(np.int64) << low
    np.testing.assert_array_equal(found[:rows, :columns], codes.numpy())
    assert not found[rows:].any()
    assert not found[:, columns:].any()
    # Rows are padded to a block, and each of at most three planes to four bytes.
    assert lanes.codes.nbytes <= -(-rows // simd.LANES) * simd.LANES * (columns * bits / 8 + 3 * 4)


@settings(deadline=None)  # The first call compiles.
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=90, unique=True), st.data())
def test_thinning_keeps_the_best(entries: list[int], data: st.DataObject) -> None:
    least = data.draw(st.integers(1, len(entries)))
    most = data.draw(st.integers(least, len(entries)))
    keys = np.array(entries)
    left = shortlist.thin(keys, len(keys), least, most)
    assert least <= left <= most
    assert sorted(keys[:left]) == sorted(entries)[-left:]


@pytest.mark.parametrize("vnni", PATHS)
def test_ties_go_to_the_lowest_rows_and_short_lists_are_padded(vnni: bool) -> None:
    codec = Uniform.encode(torch.ones(100, 5), 8)
    seen = UserItems.from_pairs(np.zeros(2, np.int64), np.array([0, 2]), 1, 100)
    items, scores = scorer_of(codec, vnni).top(torch.ones(1, 5), seen, np.zeros(1, np.int64), 110)
    assert items[0].tolist() == [1, *range(3, 100), *[-1] * 12]
    assert scores[0, :98].tolist() == [5.0] * 98
    assert np.isneginf(scores[0, 98:]).all()


@pytest.mark.parametrize("vnni", PATHS)
def test_a_score_that_is_not_a_number_is_refused(vnni: bool) -> None:
    seen = seen_by(3, 50, 0, 0)
    for encode in ENCODERS.values():
        codec = encode(torch.cat([torch.randn(49, 4), torch.zeros(1, 4)]))
        queries = torch.randn(3, 4)
        queries[1, 2] = float("nan")
        with pytest.raises(ValueError, match="user 1 contain NaN"):
            scorer_of(codec, vnni).top(queries, seen, np.arange(3), 10)


def test_what_does_not_fit_together_is_refused() -> None:
    scorer = scorer_of(Uniform.encode(torch.randn(50, 4), 4), False)
    seen, users = seen_by(3, 50, 1, 0), np.arange(3)
    with pytest.raises(ValueError, match="columns"):
        scorer.top(torch.ones(3, 5), seen, users, 5)
    with pytest.raises(ValueError, match="don't fit"):
        scorer.top(torch.ones(2, 4), seen, users, 5)
    with pytest.raises(ValueError, match="user ids"):
        scorer.top(torch.ones(3, 4), seen, users + 1, 5)
    with pytest.raises(ValueError, match="don't fit"):
        scorer.top(torch.ones(3, 4), seen_by(3, 51, 1, 0), users, 5)


def test_a_stored_scale_that_is_negative_or_no_number_is_refused() -> None:
    for encode in (Uniform.encode, Binary.encode, Ternary.encode):
        codec = encode(torch.randn(5, 4))
        for bad in (-1.0, float("nan"), float("inf")):
            tensors = codec.tensors() | {"scale": torch.full((5, 1), bad, dtype=torch.float16)}
            with pytest.raises(ValueError, match="scale"):
                restore(codec.spec(), tensors)


def test_sums_that_could_overflow_32_bits_are_not_made_of_bytes() -> None:
    assert not CodeScorer(torch.zeros(1, 70_000).byte(), 70_000, 8, torch.ones(1, 1).half(), vnni=True).vnni


def test_a_recommender_gives_the_same_lists_one_by_one_in_batches_and_for_all() -> None:
    generator = torch.Generator().manual_seed(0)
    users, items = torch.randn(600, 12, generator=generator), torch.randn(900, 12, generator=generator)
    rotation = torch.linalg.qr(torch.randn(12, 12, generator=generator))[0]
    seen = seen_by(600, 900, 10, 3)
    for codec in (Uniform.encode(items, 4), LowRank(Binary.encode(items @ rotation.T), Dense.encode(rotation))):
        recommender = Recommender(Artefact(Dense.encode(users), codec), seen)
        everybody = recommender.recommend_all(30)
        scores = users @ codec.decode().T
        expected, best = topk.select(scores.clone(), seen, np.arange(600), 30)
        found = scores.gather(1, torch.from_numpy(everybody).long())
        np.testing.assert_allclose(found, best, rtol=1e-4, atol=1e-4)
        assert (everybody == expected).mean() > 0.99  # near ties apart
        assert (recommender.recommend(np.arange(600), 30) == everybody).mean() > 0.99
        assert not any(np.isin(everybody[user], seen.of(user)).any() for user in range(600))

"""Allocation: the best by enumeration, within the budget; and far better than one width for all columns."""

from __future__ import annotations

from itertools import product

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from recpress.methods.hybrid.water_filling.method import (
    LENGTHS,
    WaterFilling,
    WaterParams,
    agreement,
    allocate,
    curves,
)
from torch import Tensor

from recpress.api import Artefact, Graph, Task, UserItems, make_generator
from recpress.backbones.base import Backbone
from recpress.backbones.config import TrainingConfig
from recpress.codecs import Uniform


def spread(rows: int, columns: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mix = torch.linalg.qr(torch.randn(columns, columns, generator=torch.Generator().manual_seed(99)))[0]
    return (torch.randn(rows, columns, generator=generator) * torch.logspace(0, -1.5, columns)) @ mix


@given(st.integers(0, 2**31 - 1), st.integers(1, 3), st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_the_greedy_allocation_is_the_best_that_whole_bytes_allow(seed: int, users: int, items: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    # Errors of two columns a side that fall by less and less.
    worth = tuple(torch.rand(8, 2, generator=generator).double().sort(dim=0, descending=True).values for _ in range(2))
    bits = allocate((worth[0], worth[1]), (users, items), users + items)
    assert [sum(each) for each in bits] == [8, 8]
    for side in (0, 1):
        gained = {
            (a, b): float(worth[side][:a, 0].sum() + worth[side][:b, 1].sum()) for a, b in product(range(9), repeat=2)
        }
        best = max(value for (a, b), value in gained.items() if a + b <= 8)
        assert abs(gained[tuple(bits[side])] - best) < 1e-9


def test_error_curves_fall_and_start_at_the_variance() -> None:
    table = spread(3000, 6, 0)
    measured = curves(table)
    torch.testing.assert_close(measured[0].float(), table.var(0, unbiased=False), rtol=1e-3, atol=1e-6)
    assert (measured.diff(dim=0) <= 0).all()
    assert (measured[8] < 1e-3 * measured[0]).all()


def test_columns_of_more_variance_and_tables_of_fewer_rows_get_more_bits_and_scores_err_less() -> None:
    users, items = spread(2000, 16, 0), spread(500, 16, 1)
    graph = Graph(UserItems.from_pairs(torch.zeros(1).long().numpy(), torch.zeros(1).long().numpy(), 2000, 500))
    backbone = Backbone("given", users, items, users, items, TrainingConfig(dim=16), 0, 0.0)
    task = Task(
        graph, backbone, WaterParams(bits=2.0, temper=1.0, lengths="coded"), 0, make_generator(0), lambda share: None
    )
    made = WaterFilling().compress(task)
    for codec in (made.users, made.items):
        assert codec.options()["bits"][0] > codec.options()["bits"][-1]
    assert sum(made.items.options()["bits"]) > sum(made.users.options()["bits"])
    assert made.breakdown()["values"] <= 2.0 / 8 * 2500 * 16
    scores = users @ (items - items.mean(0)).T
    centred = made.items.decode() - made.items.decode().mean(0)
    error = (made.users.decode() @ centred.T - scores).square().mean()
    grids = [Uniform.encode(table, 2).decode() for table in (users, items)]
    assert error < (grids[0] @ (grids[1] - grids[1].mean(0)).T - scores).square().mean() / 5


def test_settings_are_chosen_by_agreement_with_the_backbone() -> None:
    users, items = spread(300, 16, 0), torch.nn.functional.normalize(spread(400, 16, 1))
    pairs = torch.arange(300).numpy()
    graph = Graph(UserItems.from_pairs(pairs, pairs, 300, 400))
    backbone = Backbone("given", users, items, users, items, TrainingConfig(dim=16), 0, 0.0)

    def compress(params: WaterParams) -> tuple[float, list[int], float | None]:
        task = Task(graph, backbone, params, 0, make_generator(0), lambda share: None)
        made = WaterFilling().compress(task)
        options = made.items.options()
        return agreement(task, made), options["bits"], options.get("length")

    tried = [compress(WaterParams(bits=1.0, temper=t, lengths=each)) for t, each in product((1.0, 0.5), LENGTHS)]
    assert compress(WaterParams(bits=1.0)) == max(tried, key=lambda entry: entry[0])
    assert 0 < min(tried)[0] < max(tried)[0] < 1


def test_where_lengths_say_who_is_popular_they_are_stored() -> None:
    generator = torch.Generator().manual_seed(5)
    shapes = torch.nn.functional.normalize(torch.randn(800, 32, generator=generator))
    lengths = (0.8 * torch.randn(500, 1, generator=generator)).exp()
    users, items = shapes[:300], shapes[300:] * lengths
    graph = Graph(UserItems.from_pairs(torch.arange(300).numpy(), torch.arange(300).numpy(), 300, 500))
    backbone = Backbone("given", users, items, users, items, TrainingConfig(dim=32), 0, 0.0)

    def compress(params: WaterParams) -> tuple[float, Artefact]:
        task = Task(graph, backbone, params, 0, make_generator(0), lambda share: None)
        made = WaterFilling().compress(task)
        assert made.breakdown().total() - made.breakdown()["metadata"] <= 2.0 / 8 * 32 * 800 + 4 * 2 * 32
        return agreement(task, made), made

    (coded, _), (own, made) = (compress(WaterParams(bits=2.0, temper=1.0, lengths=each)) for each in ("coded", "own"))
    assert own > coded + 0.1
    torch.testing.assert_close(
        made.items.decode().norm(dim=1), items.norm(dim=1), rtol=1e-3, atol=float(lengths.max()) / 500
    )
    assert compress(WaterParams(bits=2.0))[0] >= own

"""What is measured where there is time for it: offline, refresh, metered energy and break-even."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from recpress.backbones.base import Backbone
from recpress.backbones.catalogue import backbone as registered
from recpress.backbones.recipe import Recipe
from recpress.codecs import Dense, Uniform
from recpress.codecs.artefact import Artefact
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems
from recpress.measure import refresh, serving
from recpress.measure.meters import Meters
from recpress.record import Cost, Energy, Grade
from recpress.run.cell import break_even


@pytest.fixture(scope="module")
def graph() -> Graph:
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((40, 60)) < 0.2)
    return Graph(UserItems.from_pairs(users, items, 40, 60))


def test_offline_is_timed_where_there_is_time(graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users, items = torch.randn(40, 8), torch.randn(60, 8)
    artefact, dense = Artefact(Uniform.encode(users), Uniform.encode(items)), Artefact(Dense(users), Dense(items))
    artefact.save(tmp_path / "a")
    load = partial(Artefact.load, tmp_path / "a")
    time_all = partial(serving.timings, load, artefact, dense, graph.user_items, seconds=0.05, seed=0)
    assert [each.scenario for each in time_all()] == ["single", "batch"]
    monkeypatch.setattr(serving, "LONG_SECONDS", 0.05)
    offline = time_all()[-1]
    assert (offline.scenario, offline.batch_size) == ("offline", 40)
    assert offline.threads == len(os.sched_getaffinity(0))
    assert offline.queries >= 5


def test_a_refresh_hands_over_the_tables_that_training_made(graph: Graph) -> None:
    recipe = Recipe(dim=8, layers=2, epochs=2, batch_size=64, learning_rate=0.05)
    backbone = registered("lightgcn").fit(graph, recipe, seed=0)
    seen: list[Backbone] = []

    def compress(fresh: Backbone) -> None:
        seen.append(fresh)
        time.sleep(0.01)

    timed = refresh.timing(backbone, graph, compress, seconds=0.05)
    assert timed is not None
    assert (timed.scenario, timed.batch_size) == ("refresh", 40)
    assert timed.p50_ms >= 10
    assert timed.ratio > 1
    for fresh in seen:
        torch.testing.assert_close(fresh.users, backbone.users, atol=1e-5, rtol=0)
        torch.testing.assert_close(fresh.items, backbone.items, atol=1e-5, rtol=0)


def test_without_propagation_there_is_nothing_to_refresh(graph: Graph) -> None:
    backbone = registered("mf").fit(graph, Recipe(dim=8, layers=0, epochs=1, batch_size=64), seed=0)
    assert refresh.timing(backbone, graph, lambda fresh: None, seconds=0.05) is None


def energy(grade: Grade, joules: float) -> Energy:
    return Energy(grade=grade, what="per-query", joules=joules, low=joules, high=joules, table="test")


def test_meters_around_an_action_see_it_once() -> None:
    done: list[str] = []

    def metering(grade: Grade, action: object, what: str) -> Energy:
        assert callable(action)
        done.append(f"{grade} starts")
        assert action() == 1
        done.append(f"{grade} ends")
        return energy(grade, 2.0)

    meters = Meters(partial(metering, "measured"), partial(metering, "modelled"))
    made, spent = meters.around(lambda: done.append("made") or "artefact", "compressing")
    assert made == "artefact"
    assert sorted(each.grade for each in spent) == ["measured", "modelled"]
    assert done == ["modelled starts", "measured starts", "made", "measured ends", "modelled ends"]
    assert Meters(None, None).around(lambda: 7, "compressing") == (7, ())


def test_break_even_takes_the_best_grade_that_all_three_have() -> None:
    cost = Cost(compress_seconds=1.0, peak_bytes=0, backbone_seconds=1.0, trials=0)
    spent = [energy("modelled", 6.0), energy("measured", 9.0)]
    ours = [energy("analytic", 1.0), energy("modelled", 1.0)]
    theirs = [energy("analytic", 1.0), energy("modelled", 4.0)]
    found = break_even(cost, spent, ours, theirs)
    assert (found.break_even_queries, found.break_even_grade) == (2.0, "modelled")
    found = break_even(cost, spent, theirs, ours)  # saves nothing
    assert (found.break_even_queries, found.break_even_grade) == (None, "modelled")
    assert break_even(cost, [], ours, theirs) == cost

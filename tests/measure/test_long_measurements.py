"""What is measured where there is time for it: offline, refresh, metered energy and break-even."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from recpress.backbones.base import Backbone
from recpress.backbones.catalogue import backbone as registered
from recpress.backbones.config import TrainingConfig
from recpress.codecs import Dense, Uniform
from recpress.codecs.artefact import Artefact
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems
from recpress.leaderboard.collect import Run
from recpress.measure import refresh, serving
from recpress.measure.metering import modelled
from recpress.measure.metering.meters import Meters
from recpress.records import record
from recpress.records.record import Energy, Grade
from recpress.records.timing import Timing


@pytest.fixture(scope="module")
def graph() -> Graph:
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((40, 60)) < 0.2)
    return Graph(UserItems.from_pairs(users, items, 40, 60))


def test_offline_answers_all_users_on_all_cores(graph: Graph, tmp_path: Path) -> None:
    users, items = torch.randn(40, 8), torch.randn(60, 8)
    artefact, dense = Artefact(Uniform.encode(users), Uniform.encode(items)), Artefact(Dense(users), Dense(items))
    artefact.save(tmp_path / "a")
    load = partial(Artefact.load, tmp_path / "a")
    timed = serving.timings(load, artefact, dense, graph.user_items, seconds=0.05, seed=0)
    assert [each.scenario for each in timed] == ["single", "batch", "offline"]
    offline = timed[-1]
    assert offline.batch_size == 40
    assert offline.threads == len(os.sched_getaffinity(0))
    assert offline.queries >= 5


def test_a_refresh_hands_over_the_tables_that_training_made(graph: Graph) -> None:
    config = TrainingConfig(dim=8, layers=2, epochs=2, batch_size=64, learning_rate=0.05)
    backbone = registered("lightgcn").fit(graph, config, seed=0)
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
    backbone = registered("mf").fit(graph, TrainingConfig(dim=8, layers=0, epochs=1, batch_size=64), seed=0)
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


def run(spent: list[Energy], ours: list[Energy], theirs: list[Energy]) -> Run:
    """A run with these energies of compressing, of its answers and of the reference's."""
    historic = Path(__file__).parents[1] / "run" / "historic" / "v2-board" / "ok.json"
    made = record.read(historic)
    timing = Timing(
        signature=made.signature,
        run="any",
        latency=(),
        energy=ours,
        reference_energy=theirs,
        provenance=made.provenance,
    )
    compressing = tuple(each.model_copy(update={"what": "compressing"}) for each in spent)
    return Run("any", made.model_copy(update={"energy": compressing}), {}, "0" * 64, timing)


def test_break_even_takes_the_best_grade_that_all_three_have() -> None:
    spent = [energy("modelled", 6.0), energy("measured", 9.0)]
    ours = [energy("analytic", 1.0), energy("modelled", 1.0)]
    theirs = [energy("analytic", 1.0), energy("modelled", 4.0)]
    assert run(spent, ours, theirs).break_even == (2.0, "modelled")
    assert run(spent, theirs, ours).break_even is None  # saves nothing
    assert run([], ours, theirs).break_even is None
    assert replace(run(spent, ours, theirs), timing=None).break_even is None


def test_modelled_energy_of_an_answer_is_its_time_times_the_power_of_a_busy_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(modelled, "busy_watts", lambda: (10.0, 2.0, "a tool"))
    (found,) = modelled.modelled_serving(5.0)
    assert (found.grade, found.what) == ("modelled", "per-query")
    assert found.joules == pytest.approx(0.06)
    assert found.parts == pytest.approx({"cpu": 0.05, "ram": 0.01})
    assert found.grams_co2e == pytest.approx(0.06 / 3.6e6 * found.grid)
    monkeypatch.setattr(modelled, "busy_watts", lambda: None)
    assert modelled.modelled_serving(5.0) == ()

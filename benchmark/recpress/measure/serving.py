"""All that a serving process measures of an artefact: latency by scenario, and energy where there are counters."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from recpress.codecs.artefact import Artefact
from recpress.data.interactions import UserItems
from recpress.measure import latency, stages
from recpress.measure.latency import Answer, Users
from recpress.measure.metering.meters import open_meters, serving_energy
from recpress.records.record import Energy, Latency, Scenario
from recpress.serve.recommender import Recommender

TIMED_K = 20
STAGE_CALLS = 50
SCENARIOS: dict[Scenario, int] = {"single": 1, "batch": 256}
# Offline answers at most this many users a call. Throughput doesn't depend on how many more come after them.
OFFLINE_USERS = 4096
OFFLINE_BLOCK = 256


def timings(
    load: Callable[[], Artefact],
    artefact: Artefact,
    reference: Artefact,
    seen: UserItems,
    *,
    seconds: float,
    seed: int,
) -> tuple[Latency, ...]:
    """Time every scenario in turn with the reference: single and batch on one thread, offline on all cores.

    Parameters
    ----------
    load : callable
        Loads the artefact anew.
    artefact, reference : Artefact
    seen : UserItems
        Masked items, of every user.
    seconds : float
        Least time per scenario.
    seed : int
        Of the order in which users are asked for.
    """
    users = np.arange(seen.n_users, dtype=np.int64)
    candidate, dense = Recommender(artefact, seen), Recommender(reference, seen)
    timed = []
    for scenario, size in SCENARIOS.items():
        timing = latency.interleave(
            partial(candidate.recommend, k=TIMED_K),
            partial(dense.recommend, k=TIMED_K),
            users,
            batch_size=size,
            scenario=scenario,
            seconds=seconds,
            min_queries=latency.QUICK[scenario].min_queries,
            seed=seed,
        )
        spent = stages.stage_times(load, seen, users, batch_size=size, k=TIMED_K, calls=STAGE_CALLS, seed=seed)
        timed.append(timing.model_copy(update={"stages_ms": spent}))
    timed.append(
        latency.interleave(
            offline(candidate),
            offline(dense),
            users,
            batch_size=min(len(users), OFFLINE_USERS),
            scenario="offline",
            threads=_cores(),
            seconds=seconds,
            min_queries=latency.QUICK["offline"].min_queries,
            seed=seed,
        )
    )
    return tuple(timed)


def measured_energy(
    artefact: Artefact, reference: Artefact, seen: UserItems, *, seconds: float, seed: int
) -> tuple[tuple[Energy, ...], tuple[Energy, ...]]:
    """Return the energy per query of an artefact and of the reference, one user at a time, by hardware counters.

    Both are empty where the machine has none.
    """
    meters = replace(open_meters(), modelled=None)
    if meters.measured is None:
        return (), ()
    users = np.arange(seen.n_users, dtype=np.int64)
    candidate, dense = (
        serving_energy(
            partial(Recommender(each, seen).recommend, k=TIMED_K),
            users,
            meters,
            batch_size=1,
            seconds=seconds,
            seed=seed,
        )
        for each in (artefact, reference)
    )
    return candidate, dense


def offline(recommender: Recommender) -> Answer:
    """Return a way to answer many users, a block at a time."""

    def answer(users: Users) -> None:
        for start in range(0, len(users), OFFLINE_BLOCK):
            recommender.recommend(users[start : start + OFFLINE_BLOCK], TIMED_K)

    return answer


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

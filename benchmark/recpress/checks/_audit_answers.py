"""Checks of how an artefact answers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recpress.checks._subject import PROBE_USERS, Ask, Items, Skipped, Subject
from recpress.measure.latency import Users, interleave, time_calls
from recpress.measure.ratio import paired_ratio
from recpress.records.record import Scenario

# Lists may differ in this share of their places: a GEMM and a GEMV round differently, and near ties change places.
ROUNDING = 0.01
# Asking the same user again may take this share of the time: rows and seen items are then in the processor's cache.
WARMER = 0.7
PROBE_BLOCK = 16
TIMED: Mapping[Scenario, int] = {"single": 1, "batch": 256}


def moves(subject: Subject) -> str | None:
    """A copy of the artefact in another folder, with the environment scrubbed, answers as it was scored."""
    answers = subject.moved.answers
    return _difference(answers, subject.scored[: len(answers)], "when served from another folder")


def reads_only_itself(subject: Subject) -> str | None:
    """Loading and answering opens no file outside the artefact. Blind to what `recpress.measure.watch` can't see."""
    outside = [str(file) for file in subject.moved.outside]
    return f"it reads outside its artefact: {', '.join(outside[:3])}" if outside else None


def stays_alone(subject: Subject) -> str | None:
    """Loading and answering connects to nothing and starts no process."""
    seen = subject.moved.watch
    if seen.network:
        return f"it connects to {', '.join(sorted(seen.network))}"
    return f"it starts {', '.join(sorted(seen.processes))}" if seen.processes else None


def times_as_scored(subject: Subject) -> str | None:
    """The lists given while being timed, one user at a time and in batches, are those that were scored."""
    scored = dict(zip(subject.users.tolist(), subject.scored, strict=True))
    for scenario, batch_size in TIMED.items():
        ask, reference = subject.load(subject.folder), subject.load(subject.folder)
        given: dict[int, Items] = {}

        def recorded(users: Users, ask: Ask = ask, given: dict[int, Items] = given) -> None:
            given.update(zip(users.tolist(), ask(users), strict=True))

        calls = -(-min(len(subject.users), PROBE_USERS * batch_size) // batch_size)
        interleave(
            recorded,
            reference,
            subject.users,
            batch_size=batch_size,
            scenario=scenario,
            seconds=0.0,
            min_queries=calls,
        )
        timed, expected = np.stack(list(given.values())), np.stack([scored[user] for user in given])
        if message := _difference(timed, expected, f"when timed ({scenario})"):
            return message
    return None


def keeps_no_answers(subject: Subject) -> str | None:
    """A user who asks again is not answered much faster than one who never asked.

    Blind to answers made before the first question: those must lie in the artefact, where they are charged.
    """
    ask = subject.load(subject.folder)
    order = np.random.default_rng(0).permutation(subject.users).astype(np.int64)
    warm_up, probed = order[:PROBE_BLOCK], order[PROBE_BLOCK : PROBE_BLOCK + PROBE_USERS]
    blocks = len(probed) // PROBE_BLOCK
    if blocks < 2:
        raise Skipped(f"{len(order)} users are too few to tell")
    time_calls(ask, list(warm_up.reshape(-1, 1)))
    fresh, again = [], []
    for block in probed[: blocks * PROBE_BLOCK].reshape(blocks, PROBE_BLOCK, 1):
        fresh.append(time_calls(ask, list(block)))
        again.append(time_calls(ask, list(block)))
    ratio = paired_ratio(np.array(again, np.int64), np.array(fresh, np.int64))
    if ratio.high < WARMER:
        return f"asking the same users again takes {ratio.value:.0%} of the time: it keeps its answers"
    return None


def _difference(given: Items, scored: Items, when: str) -> str | None:
    if given.shape != scored.shape:
        return f"lists {when} have shape {given.shape}; those that were scored, {scored.shape}"
    share = float(np.mean(given != scored)) if scored.size else 0.0
    return f"{share:.1%} of the places differ {when}" if share > ROUNDING else None

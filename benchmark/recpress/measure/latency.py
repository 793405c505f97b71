"""Latency: a candidate timed in turn with the dense fp32 reference, in one process, A B, B A, A B.

Neighbours, frequency steps and caches change a machine by the second. What is timed in turn is changed alike, so
the ratio of the two is what rankings use; milliseconds are reported beside it.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recpress.measure.load import NOISY, LoadMeter, load_average
from recpress.measure.ratio import paired_ratio
from recpress.measure.threads import Pin, ThreadCountChanged
from recpress.records.record import Latency, Scenario
from recpress.records.samples import pack

Users = NDArray[np.int64]
Answer = Callable[[Users], object]

# A block is about this long, so that a slow phase of the machine falls on both sides of a pair of blocks.
BLOCK_SECONDS = 0.001
LONGEST_BLOCK = 64
# A call that fewer than this many would fill a block with is a block by itself: it reads more than a core's own cache
# holds, so that it doesn't matter who was there before.
SHORTEST_BLOCK = 4
FEWEST_BLOCKS = 5
# Seconds after which a slow side's calls need not become as many as planned: a thousand of two seconds take an hour.
PATIENCE = 60.0
WARM_UP_CALLS = 1000
# CPU time may exceed threads × wall time by this many threads (clock ticks, a progress bar's thread).
SPARE_THREADS = 0.3


@dataclass(frozen=True)
class Plan:
    """Minimum duration of a scenario: at least both of these."""

    seconds: float
    min_queries: int


# MLPerf Inference asks for 24,576 samples to hold p90 within 0.5 % at 99 % confidence (inference_rules, "Latency
# percentiles"). A batch is 256 samples, so 96 batches hold as many.
FULL: dict[Scenario, Plan] = {
    "single": Plan(20.0, 24_576),
    "batch": Plan(20.0, 96),
    "offline": Plan(10.0, 5),
    "refresh": Plan(10.0, 20),
    "cold": Plan(0.0, 10),
}
QUICK: dict[Scenario, Plan] = {
    "single": Plan(2.0, 1_000),
    "batch": Plan(2.0, 16),
    "offline": Plan(1.0, 5),
    "refresh": Plan(1.0, 5),
    "cold": Plan(0.0, 5),
}


def interleave(  # noqa: PLR0913 -- two sides, and each knob of one timing loop
    candidate: Answer,
    reference: Answer,
    users: Users,
    *,
    batch_size: int,
    scenario: Scenario,
    threads: int = 1,
    seconds: float = QUICK["single"].seconds,
    min_queries: int = 16,
    patience: float = PATIENCE,
    seed: int = 0,
) -> Latency:
    """Time two ways to answer, in turn.

    Parameters
    ----------
    candidate, reference : callable
        Takes user ids, int64 of shape (batch_size,), and answers with their top-K.
    users : int64 array
        Who may ask. They do so in one random order, fixed by the seed, the same for both sides.
    batch_size : int
        Users per call: 1 for *single* and *cold*, 256 for *batch*, all for *offline* and *refresh*.
    scenario : {"single", "batch", "offline", "refresh", "cold"}
        The name under which the figures are kept. In *refresh* the sides make the final tables and don't look at
        the users; in *cold* each call starts a process (see `recpress.measure.cold`).
    threads : int
        Set in every library before timing, and asserted around every block of calls.
    seconds, min_queries : float, int
        Timing ends when both are reached; `min_queries` counts the calls of one side. See `FULL` and `QUICK`.
    patience : float
        Seconds after which timing ends with fewer calls, if there are blocks enough for an interval.
    seed : int

    Returns
    -------
    Latency
        Percentiles in ms per call, the ratio of medians with its interval, and all samples.

    Raises
    ------
    ThreadCountChanged
        When either side computes with another number of threads than was set.
    ValueError
        When there are no users.
    """
    if len(users) == 0:
        raise ValueError("there are no users to time answers for")
    order = batches(users, batch_size, seed)
    with Pin(threads) as pin, _no_collection():
        sides = (candidate, reference)
        length = _block_length([_warm_up(answer, order, seconds / 10) for answer in sides])
        pin.check()
        average, meter = load_average(), LoadMeter()
        wall, cpu = time.perf_counter(), time.process_time()
        blocks: tuple[list[list[int]], list[list[int]]] = ([], [])
        while (
            (elapsed := time.perf_counter() - wall) < seconds
            or (len(blocks[0]) * length < min_queries and elapsed < patience)
            or len(blocks[0]) < FEWEST_BLOCKS
        ):
            asked = [next(order) for _ in range(length)]
            # Who goes second finds the users' rows and seen items in the cache: so the order alternates.
            first = len(blocks[0]) % 2
            for side in (first, 1 - first):
                answer = sides[side]
                pin.check()
                if length > 1:
                    # The other side has just filled the caches; a run of calls in service would not see that.
                    answer(asked[-1])
                blocks[side].append(time_calls(answer, asked))
                pin.check()
        used = (time.process_time() - cpu) / (time.perf_counter() - wall)
        if used > threads + SPARE_THREADS:
            raise ThreadCountChanged(f"{used:.1f} threads were busy; {threads} was set for this timing")
        others = meter.others()
        overhead = float(np.median(time_calls(_nothing, [next(order) for _ in range(WARM_UP_CALLS)])))
    ours, theirs = (np.array(side, np.int64) for side in blocks)
    ratio = paired_ratio(ours, theirs, seed=seed)
    p50, p90, p99 = (float(value) / 1e6 for value in np.percentile(ours, (50, 90, 99)))
    return Latency(
        scenario=scenario,
        threads=threads,
        queries=ours.size,
        batch_size=batch_size,
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99,
        reference_p50_ms=float(np.median(theirs)) / 1e6,
        ratio=ratio.value,
        ratio_low=ratio.low,
        ratio_high=ratio.high,
        samples=pack(ours, theirs),
        block=length,
        overhead_ms=overhead / 1e6,
        load_average=average,
        others_load=others,
        noisy=others > NOISY,
    )


def batches(users: Users, size: int, seed: int) -> Iterator[Users]:
    """Yield batches of a fixed random order of the users, for ever. A batch may begin the order anew."""
    order = np.random.default_rng(seed).permutation(users).astype(np.int64)
    start = 0
    while True:
        yield order.take(np.arange(start, start + size), mode="wrap")
        start = (start + size) % len(order)


def time_calls(answer: Answer, asked: Sequence[Users]) -> list[int]:
    """Return the time of each call in ns."""
    clock = time.perf_counter_ns
    times = []
    for users in asked:
        start = clock()
        answer(users)
        times.append(clock() - start)
    return times


def _warm_up(answer: Answer, order: Iterator[Users], seconds: float) -> float:
    """Call until `seconds` or 1,000 calls have passed (3 at least), discard, and return the last calls' median."""
    times: list[int] = []
    until = time.perf_counter() + seconds
    while len(times) < 3 or (time.perf_counter() < until and len(times) < WARM_UP_CALLS):
        times += time_calls(answer, [next(order)])
    return float(np.median(times[len(times) // 2 :])) / 1e9


def _block_length(call_seconds: Sequence[float]) -> int:
    length = int(BLOCK_SECONDS / max(*call_seconds, 1e-9))
    return min(length, LONGEST_BLOCK) if length >= SHORTEST_BLOCK else 1


def _nothing(users: Users) -> None:
    """Answer nothing: what the timing of a call costs by itself."""


@contextmanager
def _no_collection() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()

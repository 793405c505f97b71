"""asv: what the timing loop itself costs a query, found by timing two sides that answer nothing."""

from __future__ import annotations

import time

import numpy as np

from perf.units import measured_in
from recpress.measure.latency import interleave
from recpress.records.record import Latency

USERS = np.arange(37)


def nothing(users: np.ndarray) -> None:
    """Answer nothing."""


def timed() -> Latency:
    return interleave(nothing, nothing, USERS, batch_size=1, scenario="single", seconds=0.5, min_queries=1)


class TimingLoop:
    """Of a timed call the part that is the clock's, and of the loop all CPU time per call."""

    timeout = 60

    @measured_in("µs")
    def track_overhead(self) -> float:
        overhead = timed().overhead_ms
        assert overhead is not None
        return 1e3 * overhead

    @measured_in("µs")
    def track_query(self) -> float:
        start = time.process_time()
        queries = timed().queries
        return 1e6 * (time.process_time() - start) / (2 * queries)

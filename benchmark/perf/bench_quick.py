"""asv: quality, bytes and energy of the quick suite, read from the records of `make demo`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from perf.units import measured_in
from recpress.records.record import Record, read_all

RESULTS = Path(__file__).parents[2] / "build" / "demo" / "results"


class Quick:
    """Skipped (NaN in asv's table) where `make demo` has not run."""

    def setup(self) -> None:
        if not (RESULTS / "records").is_dir():
            raise NotImplementedError("run `make demo` first")
        self.records = [record for record in read_all(RESULTS) if record.quality and record.bytes]

    def _mean(self, figure: Callable[[Record], float]) -> float:
        values = [figure(record) for record in self.records]
        return sum(values) / len(values)

    def track_ndcg20(self) -> float:
        def ndcg(record: Record) -> float:
            assert record.quality
            return record.quality.metrics["ndcg@20"]

        return self._mean(ndcg)

    @measured_in("bytes")
    def track_bytes(self) -> float:
        def size(record: Record) -> float:
            assert record.bytes
            return record.bytes.file

        return self._mean(size)

    @measured_in("joules")
    def track_analytic_joules(self) -> float:
        def joules(record: Record) -> float:
            return next(each.joules for each in record.energy if each.grade == "analytic" and each.what == "per-query")

        return self._mean(joules)

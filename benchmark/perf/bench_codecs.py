"""asv: encode, decode and score 40,000 rows of 64 floats in each codec that a method is built from."""

from __future__ import annotations

from collections.abc import Callable

import torch

from perf.units import measured_in
from recpress import codecs

ROWS, WIDTH, QUERIES = 40_000, 64, 256
ENCODERS: dict[str, Callable[[torch.Tensor], codecs.Codec]] = {
    "dense": codecs.Dense.encode,
    "uniform-8": lambda table: codecs.Uniform.encode(table, bits=8),
    "uniform-4": lambda table: codecs.Uniform.encode(table, bits=4),
    "sparse": lambda table: codecs.Sparse.encode(table.where(table.abs() > 1, 0)),
}


class Codec:
    params = tuple(ENCODERS)
    param_names = ("codec",)
    timeout = 120

    def setup(self, name: str) -> None:
        torch.set_num_threads(1)
        self.table = torch.randn(ROWS, WIDTH, generator=torch.Generator().manual_seed(0))
        self.made = ENCODERS[name](self.table)
        self.scorer = self.made.scorer()
        self.queries = self.table[:QUERIES].clone()
        self.out = torch.empty(QUERIES, ROWS)
        self.scorer.scores(self.queries[:1], self.out[:1])  # compiled before the clock starts

    def time_encode(self, name: str) -> None:
        ENCODERS[name](self.table)

    def time_decode(self, name: str) -> None:
        self.made.decode()

    def time_score_single(self, name: str) -> None:
        self.scorer.scores(self.queries[:1], self.out[:1])

    def time_score_batch(self, name: str) -> None:
        self.scorer.scores(self.queries, self.out)

    @measured_in("bytes")
    def track_bytes(self, name: str) -> int:
        return self.made.breakdown().total()

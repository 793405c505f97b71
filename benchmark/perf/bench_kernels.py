"""asv: packed tables ranked by their own kernels, beside the dense fp32 product and its selection."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from torch import Tensor

from recpress.codecs import Binary, Codec, Dense, Uniform
from recpress.codecs.artefact import Artefact
from recpress.data.interactions import UserItems
from recpress.measure.synthetic import catalogue
from recpress.serve.recommender import Recommender

CODECS: dict[str, Callable[[Tensor], Codec]] = {
    "fp32": Dense.encode,
    "bf16": partial(Dense.encode, values="bf16"),
    "int8": Uniform.encode,
    "int4": partial(Uniform.encode, bits=4),
    "int3": partial(Uniform.encode, bits=3),
    "binary": Binary.encode,
}
USERS, SEEN, K = 1024, 27, 20


class Ranking:
    """40,000 items, which fit in a shared cache, and a million, which don't."""

    params = (list(CODECS), [40_000, 1_000_000], [1, 256])
    param_names = ("codec", "items", "batch")
    timeout = 300

    def setup(self, codec: str, items: int, batch: int) -> None:
        if items > 40_000 and batch > 1:
            raise NotImplementedError("a million items are timed for one user at a time")
        rows = np.repeat(np.arange(USERS), SEEN)
        seen = UserItems.from_pairs(rows, np.random.default_rng(0).integers(0, items, len(rows)), USERS, items)
        artefact = Artefact(Dense.encode(catalogue(USERS, seed=1)), CODECS[codec](catalogue(items)))
        self.recommender = Recommender(artefact, seen)
        self.asked = np.arange(batch)
        self.recommender.recommend(self.asked, K)  # compiled before the clock starts

    def time_recommend(self, codec: str, items: int, batch: int) -> None:
        self.recommender.recommend(self.asked, K)


class Loading:
    """From the packed rows to the layout that is scanned."""

    params = (1, 3, 4, 8)
    param_names = ("bits",)

    def setup(self, bits: int) -> None:
        self.codec = Uniform.encode(catalogue(100_000), bits)
        self.codec.scorer()

    def time_scorer(self, bits: int) -> None:
        self.codec.scorer()

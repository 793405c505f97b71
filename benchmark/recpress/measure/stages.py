"""Time of an answer by stage: load, user fetch, score, mask, select (or rank, where those are one)."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np
import torch

from recpress.codecs.artefact import Artefact
from recpress.codecs.base import TopKScorer
from recpress.data.interactions import UserItems
from recpress.measure.latency import Users, batches
from recpress.measure.threads import pinned
from recpress.serve import topk

LOADS = 3

Result = TypeVar("Result")


def stage_times(
    load: Callable[[], Artefact],
    seen: UserItems,
    users: Users,
    *,
    batch_size: int,
    k: int,
    threads: int = 1,
    calls: int = 100,
    seed: int = 0,
) -> dict[str, float]:
    """Return the median time of each stage in ms per call.

    Parameters
    ----------
    load : callable
        Loads the artefact. Its file is in the page cache: how long a disk takes is not the artefact's doing.
    seen : UserItems
        Masked items, of every user.
    users, batch_size, seed
        As in `recpress.measure.latency.interleave`.
    k : int
        List length.
    threads : int
    calls : int
        How often each stage but ``load`` is timed.

    Returns
    -------
    dict
        ``load``, ``fetch``, then ``rank`` for a kernel that ranks while it scans, and ``score``, ``mask``, ``select``
        for others. They need not add up to the time of a whole answer.
    """
    times: defaultdict[str, list[float]] = defaultdict(list)

    def timed(stage: str, action: Callable[[], Result]) -> Result:
        start = time.perf_counter()
        made = action()
        times[stage].append((time.perf_counter() - start) * 1e3)
        return made

    with pinned(threads):
        for _ in range(LOADS):
            artefact = timed("load", load)
        scorer = artefact.items.scorer()
        buffer = torch.empty(0 if isinstance(scorer, TopKScorer) else batch_size, artefact.items.shape[0])
        order = batches(users, batch_size, seed)
        for _ in range(calls):
            asked = next(order)
            rows = torch.from_numpy(asked)
            queries = timed("fetch", partial(artefact.users.decode, rows))
            if isinstance(scorer, TopKScorer):
                timed("rank", partial(scorer.top, queries, seen, asked, k))
                continue
            scores = timed("score", partial(scorer.scores, queries, buffer))
            timed("mask", partial(topk.mask, scores, seen, asked))
            timed("select", partial(topk.select, scores, None, asked, k))
    return {stage: float(np.median(each)) for stage, each in times.items()}

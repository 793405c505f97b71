"""Full ranking at the size of a real data set: time over the bare product, in turn; extra memory."""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import common
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recpress.data.interactions import UserItems
from recpress.serve import topk


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="without it: 10,000 users by a million items, once")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if options.data:
        seen, _ = common.read_split(options.data)
    else:
        rng = np.random.default_rng(0)
        owners = np.repeat(np.arange(10_000), 30)
        seen = UserItems.from_pairs(owners, rng.integers(0, 1_000_000, len(owners)), 10_000, 1_000_000)
        options.rounds = 1
    users, items = map(torch.from_numpy, common.random_tables(seen.n_users, seen.n_items))
    everybody = np.arange(seen.n_users)

    def score(block: NDArray[np.int64], out: Tensor | None) -> Tensor:
        return torch.mm(users[block[0] : block[-1] + 1], items.T, out=out)

    def rank() -> None:
        topk.rank_tables(lambda block: users[torch.from_numpy(block)], items, everybody, seen, 100)

    def rank_scores() -> None:
        topk.rank(score, everybody, seen, 100, seen.n_items, rows=common.ROWS)

    def product(rows: int) -> None:
        buffer = torch.empty((rows, seen.n_items))
        for start in range(0, len(users), rows):
            block = users[start : start + rows]
            torch.mm(block, items.T, out=buffer[: len(block)])

    score(everybody[:8], torch.empty(8, seen.n_items))
    few = UserItems.from_pairs(np.zeros(1, np.int64), np.zeros(1, np.int64), 2, 4000)
    topk.rank_tables(lambda block: users[:2], items[:4000], np.arange(2), few, 5)
    topk.select(torch.zeros(2, 40), None, everybody[:2], 5)
    before = peak_mib()
    ranked = seconds(rank)
    print(f"peak {peak_mib():,.0f} MiB, of which {peak_mib() - before:,.0f} beyond data, tables and libraries")
    bare: dict[int, list[float]] = {32: [], common.ROWS: [], 256: []}
    tables, scores = [ranked], []
    for turn in range(options.rounds):
        for rows in bare:
            bare[rows].append(seconds(partial(product, rows)))
        if len(tables) == turn:
            tables.append(seconds(rank))
        scores.append(seconds(rank_scores))
    print(f"{seen.n_users} × {seen.n_items}, {torch.get_num_threads()} threads, medians of {options.rounds} rounds")
    for rows, times in bare.items():
        print(f"bare product, {rows:4} users at once: {common.median(times):.2f} s")
    best = [min(times) for times in zip(*bare.values(), strict=True)]
    for what, times in (("of tables", tables), (f"of scores, {common.ROWS} users at once", scores)):
        ratios = [a / b for a, b in zip(times, best, strict=True)]
        print(
            f"rank {what}, with mask, top-100: {common.median(times):.2f} s, "
            f"{common.median(ratios):.2f} × the fastest bare product"
        )


main()

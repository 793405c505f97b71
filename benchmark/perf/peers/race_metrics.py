"""All metrics at all cut-offs of the same lists: ours, ranx, pytrec_eval."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytrec_eval
import ranx

from recpress import evaluation as evaluate

sys.path.insert(0, str(Path(__file__).parents[2]))
from perf.bench_metrics import lists_and_test

KS = (5, 10, 20, 50, 100)
Result = TypeVar("Result")


def timed(call: Callable[[], Result]) -> tuple[float, Result]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def main() -> None:
    topk, test = lists_and_test()
    users = evaluate.evaluable(test)
    topk = topk[users]
    # ranx orders users by name, as text.
    qrels = {f"{u:06d}": {str(i): 1 for i in test.of(u).tolist()} for u in users}
    run = {
        f"{u:06d}": {str(i): float(100 - place) for place, i in enumerate(row)}
        for u, row in zip(users, topk.tolist(), strict=True)
    }
    names = ("recall", "precision", "hit_rate", "mrr", "ndcg", "map")
    asked = [f"{name}@{k}" for name in names for k in KS]
    make_qrels, typed_qrels = timed(lambda: ranx.Qrels(qrels))
    make_run, typed_run = timed(lambda: ranx.Run(run))

    def by_ranx() -> Any:
        return ranx.evaluate(typed_qrels, typed_run, asked, return_mean=False)

    cuts = ",".join(map(str, KS))
    measures = {f"{name}.{cuts}" for name in ("recall", "P", "ndcg_cut", "map_cut", "success")} | {"recip_rank"}

    def by_pytrec_eval() -> Any:
        return pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)

    def by_us() -> dict[str, np.ndarray]:
        return evaluate.per_user(topk, users, test)

    ours, its = by_us(), by_ranx()
    for name in (each for each in asked if not each.startswith("map")):  # ranx divides by |test|
        np.testing.assert_allclose(ours[name], its[name], atol=1e-9, err_msg=name)
    mine: list[float] = []
    theirs: list[float] = []
    trec: list[float] = []
    for _ in range(3):
        for times, call in ((mine, by_us), (theirs, by_ranx), (trec, by_pytrec_eval)):
            times.append(timed(call)[0])
    base = float(np.median(mine))
    print(f"recpress, 7 metrics × 5 cut-offs, {len(users)} users: {base:.3f} s")
    print(f"ranx, 6 × 5: {np.median(theirs):.2f} s, {np.median(theirs) / base:.0f} × ours")
    print(f"  and {make_qrels + make_run:.1f} s to make its Qrels and Run from dicts")
    print(f"pytrec_eval, 5 × 5 and MRR: {np.median(trec):.2f} s, {np.median(trec) / base:.0f} × ours")


main()

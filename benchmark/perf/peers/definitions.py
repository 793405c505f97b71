"""Are our metrics equal to the peers', user by user to 1e-9, where docs/reference/metrics.md says that they are?"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import common
import numpy as np
import pytrec_eval
from numpy.typing import ArrayLike

from recpress import evaluation as evaluate
from recpress.data.interactions import UserItems

DEPTH, ITEMS, KS = 20, 200, (5, 10, 20)
TREC = {"recall": "recall", "P": "precision", "ndcg_cut": "ndcg", "map_cut": "map", "success": "hit_rate"}


def worst(name: str, theirs: ArrayLike, ours: ArrayLike) -> None:
    gap = float(np.abs(np.asarray(theirs) - np.asarray(ours)).max())
    print(f"{'ok' if gap <= 1e-9 else 'DIFFERENT':10}{name:32}{gap:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recbole")
    parser.add_argument("--lgn")
    parser.add_argument("--cases", type=int, default=5000)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    n = options.cases
    topk = np.argsort(rng.random((n, ITEMS)), axis=1)[:, :DEPTH].astype(np.int32)
    n_test = rng.integers(1, 41, n)
    wanted = np.argsort(rng.random((n, ITEMS)), axis=1)
    rows = np.repeat(np.arange(n), n_test)
    columns = np.concatenate([wanted[user, : n_test[user]] for user in range(n)])
    test = UserItems.from_pairs(rows, columns, n, ITEMS)
    ours = evaluate.per_user(topk, np.arange(n), test, KS)
    hits = np.stack([np.isin(topk[user], test.of(user)) for user in range(n)])
    with tempfile.TemporaryDirectory() as name:
        np.savez(Path(name) / "cases.npz", hits=hits, n_test=n_test)
        if options.recbole:
            common.run(options.recbole, "recbole_side.py", "definitions", name)
            found = np.load(Path(name) / "recbole.npz")
            for theirs, mine in (("Recall", "recall"), ("NDCG", "ndcg"), ("MAP", "map"),
                                 ("Precision", "precision"), ("Hit", "hit_rate"), ("MRR", "mrr")):  # fmt: skip
                for k in KS:
                    worst(f"RecBole {theirs}@{k}", found[theirs][:, k - 1], ours[f"{mine}@{k}"])
        if options.lgn:
            common.run(sys.executable, "lgn_side.py", "definitions", name, cwd=options.lgn)
            found = np.load(Path(name) / "lgn.npz")
            for metric in found.files:
                worst(f"LightGCN-PyTorch {metric}", found[metric], ours[metric])
    qrels = {str(user): {str(item): 1 for item in test.of(user).tolist()} for user in range(n)}
    run = {str(user): {str(i): float(DEPTH - p) for p, i in enumerate(topk[user])} for user in range(n)}
    measures = {f"{measure}.{','.join(map(str, KS))}" for measure in TREC}
    got = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
    for theirs, mine in TREC.items():
        for k in KS:
            values = np.array([got[str(user)][f"{theirs}_{k}"] for user in range(n)])
            if mine == "map":  # trec_eval divides by |test|, we by min(k, |test|).
                values = values * n_test / np.minimum(n_test, k)
            worst(f"pytrec_eval {theirs}_{k}", values, ours[f"{mine}@{k}"])


main()

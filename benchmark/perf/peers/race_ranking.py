"""Full ranking and all metrics of the same embeddings: ours, RecBole, LightGCN-PyTorch, in turn."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import common
import numpy as np
import torch

from recpress import evaluation as evaluate
from recpress.data.interactions import UserItems
from recpress.serve import topk


def write_for_recbole(folder: Path, train: UserItems, test: UserItems) -> None:
    """Write atomic files. RecBole wants a valid part: it gets one training item, which it masks as well."""
    parts = {"train": (train.users[1:], train.items[1:]), "valid": (train.users[:1], train.items[:1])}
    parts["test"] = test.users, test.items
    (folder / "race").mkdir()
    for name, (users, items) in parts.items():
        lines = [f"{u}\t{i}" for u, i in zip(users.tolist(), items.tolist(), strict=True)]
        head = "user_id:token\titem_id:token"
        (folder / "race" / f"race.{name}.inter").write_text("\n".join([head, *lines]) + "\n")


def ours(train: UserItems, test: UserItems, users: np.ndarray, items: np.ndarray) -> tuple[float, dict[str, float]]:
    left, right = torch.from_numpy(users), torch.from_numpy(items)
    start = time.perf_counter()
    wanted = evaluate.evaluable(test)
    lists = topk.rank_tables(lambda block: left[torch.from_numpy(block)], right, wanted, train, 100)
    means = evaluate.means(evaluate.per_user(lists, wanted, test))
    return time.perf_counter() - start, means


def report(name: str, seconds: list[float], mine: list[float]) -> None:
    ratio = common.median(seconds) / common.median(mine)
    print(f"{name:64} {common.median(seconds):8.2f} s   {ratio:6.1f} × ours", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--recbole", help="python of an environment that has RecBole")
    parser.add_argument("--lgn", help="the `code` folder of a checkout of LightGCN-PyTorch")
    options = parser.parse_args()
    train, test = common.read_split(options.data)
    users, items = common.random_tables(train.n_users, train.n_items)
    ours(train, test, users[:], items)  # warm up: kernels are compiled once per machine
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "users.npy", users)
        np.save(folder / "items.npy", items)
        (folder / "split").mkdir()
        for part in ("train.txt", "test.txt"):
            (folder / "split" / part).symlink_to((options.data / part).resolve())
        write_for_recbole(folder, train, test)
        seconds, means = ours(train, test, users, items)
        mine = [seconds]
        if options.recbole:
            for rows, what in ((256, "256 users at once"), (1, "its default batch: one user at a time here")):
                got = common.run(options.recbole, "recbole_side.py", "ranking", name, "1", str(rows))
                report(f"RecBole, {what}", got["seconds"], mine)
                for metric, value in got["metrics"].items():
                    kind, k = metric.split("@")
                    kind = {"hit": "hit_rate"}.get(kind, kind)
                    check(f"RecBole {metric}", value, means[f"{kind}@{k}"])
                mine.append(ours(train, test, users, items)[0])
        if options.lgn:
            for kind, what in (("mf", "given tables"), ("lgn", "propagates for each batch, as its Test does")):
                got = common.run(sys.executable, "lgn_side.py", "ranking", name, kind, cwd=options.lgn)
                report(f"LightGCN-PyTorch, {what}", got["seconds"], mine)
                if kind == "mf":
                    for metric, value in got["metrics"].items():
                        check(f"LightGCN-PyTorch {metric}", value, means[metric])
                mine.append(ours(train, test, users, items)[0])
    report("recpress", mine, mine)


def check(name: str, theirs: float, ours: float) -> None:
    # float32 scores are summed in another order, which may swap neighbours in a list.
    if abs(theirs - ours) > 1e-6:
        print(f"DIFFERENT: {name}: {theirs:.9f}, ours {ours:.9f}", flush=True)


main()

"""What the scripts share: reading the split, making tables, running a peer in its own process."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from recpress.data.interactions import UserItems

WIDTH = 64
# Users that `topk.rank` scores at once: with 40,981 items, scores stay in the cache until they are ranked.
ROWS = 48


def read_split(folder: Path) -> tuple[UserItems, UserItems]:
    """Read train.txt and test.txt of the LightGCN line."""
    pairs = {}
    for name in ("train", "test"):
        users, items = [], []
        for line in (folder / f"{name}.txt").read_text().splitlines():
            user, *own = map(int, line.split())
            users += [user] * len(own)
            items += own
        pairs[name] = np.array(users), np.array(items)
    n_users, n_items = (1 + max(int(part[axis].max()) for part in pairs.values()) for axis in (0, 1))
    train, test = (UserItems.from_pairs(*pairs[name], n_users, n_items) for name in ("train", "test"))
    return train, test


def random_tables(n_users: int, n_items: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Make tables whose scores have a standard deviation of 1, so that a sigmoid leaves them apart."""
    rng = np.random.default_rng(seed)
    scale = WIDTH**-0.25
    return tuple((scale * rng.standard_normal((n, WIDTH))).astype(np.float32) for n in (n_users, n_items))


def run(python: str, script: str, *arguments: str, cwd: str | None = None) -> dict[str, Any]:
    """Run a peer's side and return the JSON object on its last line."""
    path = str(Path(__file__).with_name(script).resolve())
    environment = {**os.environ, "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}
    done = subprocess.run(
        [python, path, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{script} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def median(values: list[float]) -> float:
    return statistics.median(values)

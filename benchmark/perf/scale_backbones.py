"""How a training's time per epoch and peak memory grow, on synthetic graphs of 10^5 to 10^7.5 interactions.

    python benchmark/perf/scale_backbones.py [--backbone lightgcn] [--from 5 --to 7.5 --step 0.5] [--batch 65536]
        [--plot scale.svg]

Each size runs in a process of its own: one step to warm up, then one epoch, or as many of its steps as fill a minute,
scaled up. Users and items grow with the interactions, 30 to a user and 20 to an item. Each step propagates over the
whole graph, so batches grow with it too: an epoch has 16 steps. With `--batch` they keep one size, and an epoch takes
quadratic time. Printed are the rows and the two exponents, the slopes in the log-log plot.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from recpress.backbones.catalogue import backbone
from recpress.backbones.config import read_training_config
from recpress.backbones.training.allocator import keep_freed_memory
from recpress.backbones.training.footprint import training_bytes
from recpress.data.card import Synthetic
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems
from recpress.data.synthetic import generate
from recpress.measure import memory

STEPS = 16  # of an epoch
LONGEST = 60.0  # seconds of an epoch that is run to its end
STEPS_OF_A_LONG_ONE = 3


def measure(name: str, interactions: int, batch: int | None) -> dict[str, float]:
    keep_freed_memory()  # as `recpress train` does
    made = generate(Synthetic(users=interactions // 30, items=interactions // 20, interactions=interactions, seed=0))
    graph = Graph(UserItems.from_pairs(made.users, made.items, made.n_users, made.n_items))
    del made
    batch = batch or math.ceil(graph.user_items.nnz / STEPS)
    config = read_training_config("default", name).config.model_copy(update={"batch_size": batch})
    before = memory.resident()
    assert memory.reset_peak(), "peaks are measured on Linux only"
    model = backbone(name).build(graph, config, torch.Generator().manual_seed(0))
    optimiser = torch.optim.Adam(model.parameters(), fused=True)

    def step() -> None:
        optimiser.zero_grad()
        model.loss(next(batches)).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimiser.step()

    batches = model.objective.sampler.epoch(batch)
    step()
    steps = math.ceil(graph.user_items.nnz / batch)
    batches = model.objective.sampler.epoch(batch)
    start = time.perf_counter()
    done = 0
    while done < steps and (done < STEPS_OF_A_LONG_ONE or time.perf_counter() - start < LONGEST):
        step()
        done += 1
    return {
        "interactions": graph.user_items.nnz,
        "batch": batch,
        "epoch_seconds": (time.perf_counter() - start) * steps / done,
        "peak_bytes": memory.peak_resident() - before,
        "predicted_bytes": training_bytes(model.footprint, graph, config),
    }


def exponent(rows: list[dict[str, float]], what: str) -> float:
    sizes = np.log([row["interactions"] for row in rows])
    return float(np.polyfit(sizes, np.log([row[what] for row in rows]), 1)[0])


def plot(rows: list[dict[str, float]], path: Path) -> None:
    import vl_convert

    def panel(what: str, title: str) -> dict[str, object]:
        axes = {
            axis: {"field": field, "type": "quantitative", "scale": {"type": "log"}, "title": label}
            for axis, field, label in (("x", "interactions", "interactions"), ("y", what, title))
        }
        return {"mark": {"type": "line", "point": True}, "encoding": axes, "width": 260, "height": 200}

    panels = [panel("epoch_seconds", "seconds per epoch"), panel("peak_bytes", "peak bytes of training")]
    path.write_text(
        vl_convert.vegalite_to_svg(json.dumps({"data": {"values": rows}, "hconcat": panels})), encoding="utf-8"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="lightgcn")
    parser.add_argument("--from", dest="first", type=float, default=5, help="power of ten")
    parser.add_argument("--to", type=float, default=7.5)
    parser.add_argument("--step", type=float, default=0.5)
    parser.add_argument("--batch", type=int, help="positives a step, whatever the size")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measure(asked.backbone, asked.one, asked.batch)))
        return
    rows = []
    for power in np.arange(asked.first, asked.to + 1e-9, asked.step):
        command = [sys.executable, __file__, "--backbone", asked.backbone, "--one", str(int(10**power))]
        command += ["--batch", str(asked.batch)] if asked.batch else []
        rows.append(
            json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
        )
        print(json.dumps(rows[-1]), flush=True)
    print(json.dumps({f"exponent of {what}": exponent(rows, what) for what in ("epoch_seconds", "peak_bytes")}))
    if asked.plot:
        plot(rows, asked.plot)


if __name__ == "__main__":
    main()

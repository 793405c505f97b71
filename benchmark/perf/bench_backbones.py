"""Training steps of the backbones at the size of Gowalla, and LightGCN's beside DGL's and PyG's.

asv times `Step`. Run as a script it compares the engines in one run, on the same graph, in turn: a step of LightGCN
(forward and backward of the BPR loss of one batch), the largest difference of the gradients, and how far each raises
the peak memory of a process of its own:

    python benchmark/perf/bench_backbones.py [--users N --items N --interactions N --rounds N --threads N]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.backbones.catalogue import backbone, backbones
from recpress.backbones.config import read_training_config
from recpress.backbones.propagate import Propagation
from recpress.backbones.training.losses import bpr
from recpress.backbones.training.sampling import Batch, Sampler
from recpress.data.card import Synthetic
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems
from recpress.data.synthetic import generate
from recpress.measure import memory

GOWALLA = Synthetic(users=29_858, items=40_981, interactions=810_128, seed=0)
DIM, LAYERS, BATCH = 64, 3, 2048
ENGINES = ("recpress", "dgl", "pyg")


def graph_of(spec: Synthetic) -> Graph:
    made = generate(spec)
    return Graph(UserItems.from_pairs(made.users, made.items, made.n_users, made.n_items))


class Step:
    """One optimisation step of each trained backbone, with the default training config."""

    params = tuple(backbones())
    param_names = ("backbone",)
    number, repeat, timeout = 1, 3, 900  # UltraGCN finds similar items first

    def setup(self, name: str) -> None:
        torch.set_num_threads(1)
        config = read_training_config("default", name).config
        self.model = backbone(name).build(graph_of(GOWALLA), config, torch.Generator().manual_seed(0))
        self.optimiser = torch.optim.Adam(self.model.parameters(), fused=True)
        self.batches = self.model.objective.sampler.epoch(config.batch_size)
        self.time_step(name)  # Adam's moments exist before the clock starts

    def time_step(self, name: str) -> None:
        self.optimiser.zero_grad()
        self.model.loss(next(self.batches)).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.optimiser.step()


class Engine:
    """LightGCN's gradient of one batch, by one engine."""

    def __init__(self, name: str, graph: Graph) -> None:
        generator = torch.Generator().manual_seed(0)
        self.base = torch.empty(graph.n_nodes, DIM).normal_(std=0.1, generator=generator).requires_grad_()
        sampler = Sampler(graph.user_items, generator)
        self.batch: Batch = next(sampler.epoch(BATCH))
        self.negatives = sampler.negatives(self.batch.users, 1) + graph.n_users
        self.n_users = graph.n_users
        self.final = getattr(self, f"_{name}")(graph)

    def _recpress(self, graph: Graph) -> Callable[[], Tensor]:
        propagation = Propagation(graph.adjacency(), LAYERS)
        return lambda: propagation(self.base)

    def _dgl(self, graph: Graph) -> Callable[[], Tensor]:
        """DGL's own sum of neighbours and its own backward pass, as its users write LightGCN."""
        os.environ.setdefault("DGLBACKEND", "pytorch")
        import dgl

        adjacency = graph.adjacency()
        pointers, neighbours = torch.from_numpy(adjacency.indptr), torch.from_numpy(adjacency.indices)
        made = dgl.graph(("csc", (pointers, neighbours, torch.empty(0, dtype=torch.int32))))
        scale = pointers.diff().clamp(min=1).float().rsqrt()[:, None]

        def final() -> Tensor:
            power = total = self.base
            for _ in range(LAYERS):
                power = dgl.ops.copy_u_sum(made, power * scale) * scale
                total = total + power
            return total / (LAYERS + 1)

        return final

    def _pyg(self, graph: Graph) -> Callable[[], Tensor]:
        from torch_geometric.nn.models import LightGCN

        model = LightGCN(graph.n_nodes, DIM, LAYERS)
        model.embedding.weight = torch.nn.Parameter(self.base.detach())
        self.base = model.embedding.weight
        users = torch.from_numpy(graph.user_items.users).long()
        items = torch.from_numpy(graph.user_items.items).long() + graph.n_users
        edges = torch.cat([torch.stack([users, items]), torch.stack([items, users])], 1)
        return lambda: model.get_embedding(edges)

    def step(self) -> Tensor:
        self.base.grad = None
        table = self.final()
        rows = F.embedding(self.batch.users, table), F.embedding(self.batch.items + self.n_users, table)
        loss = bpr(*rows, F.embedding(self.negatives, table))
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        assert self.base.grad is not None
        return self.base.grad


def peak_growth(name: str, spec: Synthetic) -> int:
    """Return by how many bytes a first step raises the peak resident memory of this process."""
    engine = Engine(name, graph_of(spec))
    assert memory.reset_peak(), "peaks of a single step are measured on Linux only"
    before = memory.peak_resident()
    engine.step()
    return memory.peak_resident() - before


def compare(spec: Synthetic, rounds: int, threads: int) -> dict[str, dict[str, float]]:
    torch.set_num_threads(threads)
    graph = graph_of(spec)
    engines = {name: Engine(name, graph) for name in ENGINES}
    gradients = {name: engine.step().clone() for name, engine in engines.items()}
    taken: dict[str, list[float]] = {name: [] for name in ENGINES}
    for _ in range(rounds):
        for name, engine in engines.items():
            start = time.process_time() if threads == 1 else time.perf_counter()
            engine.step()
            taken[name].append((time.process_time() if threads == 1 else time.perf_counter()) - start)
    ours = gradients["recpress"]
    arguments = ["--users", spec.users, "--items", spec.items, "--interactions", spec.interactions, "--peak"]
    rows = {}
    for name in ENGINES:
        command = [sys.executable, __file__, *map(str, arguments), name]
        peak = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])
        rows[name] = {
            "milliseconds": 1e3 * statistics.median(taken[name]),
            "times_ours": statistics.median(a / b for a, b in zip(taken[name], taken["recpress"], strict=True)),
            "gradient_gap": float((gradients[name] - ours).abs().max() / ours.abs().max()),
            "peak_megabytes": peak / 2**20,
        }
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("users", "items", "interactions"):
        parser.add_argument(f"--{name}", type=int, default=getattr(GOWALLA, name))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1, help="with 1, CPU time is taken, else elapsed time")
    parser.add_argument("--peak", choices=ENGINES, help="only the growth of the peak memory by one engine, in bytes")
    asked = parser.parse_args()
    spec = Synthetic(users=asked.users, items=asked.items, interactions=asked.interactions, seed=0)
    if asked.peak:
        print(peak_growth(asked.peak, spec))
    else:
        print(json.dumps(compare(spec, asked.rounds, asked.threads), indent=1))


if __name__ == "__main__":
    main()

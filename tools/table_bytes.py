"""The table of parameters against bytes in benchmark/docs/reference/size-table.md, made from every registered method.

``python tools/table_bytes.py`` writes it anew. The tables that are compressed are random, of the shape of
MovieLens-100K with 64 columns: what is shown is where bytes go, not how well anything ranks.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from tabulate import tabulate

from documents import generated, rewrite
from recpress import registry
from recpress.api import Artefact, BudgetUnreachable, Shape, Task, make_generator, method_class
from recpress.backbones.base import Backbone
from recpress.backbones.config import TrainingConfig
from recpress.backbones.training.objective import Objective
from recpress.core.paths import checkout_root
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems
from recpress.measure.sizes import file_bytes

DOCUMENT = Path("benchmark") / "docs" / "reference" / "size-table.md"
INTERACTIONS_PER_USER = 4
SHAPE = Shape(943, 1682, 64, 943 * INTERACTIONS_PER_USER)
BUDGETS = {"1": 1.0, "1/4": 1 / 4, "1/16": 1 / 16}


@dataclass(frozen=True)
class Row:
    """Sizes of one method on the random tables at one budget."""

    method: str
    budget: str
    nominal: int
    nonzero: int
    bytes: int


@cache
def random_backbone() -> tuple[Graph, Backbone]:
    """Return random interactions and random final tables of `SHAPE`."""
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(SHAPE.n_users), INTERACTIONS_PER_USER)
    items = rng.integers(0, SHAPE.n_items, len(users))
    graph = Graph(UserItems.from_pairs(users, items, SHAPE.n_users, SHAPE.n_items))
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(SHAPE.n_users, SHAPE.dim, generator=generator)
    right = torch.randn(SHAPE.n_items, SHAPE.dim, generator=generator)
    return graph, Backbone("mf", left, right, left, right, TrainingConfig(dim=SHAPE.dim), 0, 0.0)


def propagated(graph: Graph, backbone: Backbone) -> Backbone:
    """Return a backbone with these base tables, propagated twice: what methods of the serve form `graph` store."""
    config = TrainingConfig(dim=SHAPE.dim, layers=2)
    objective = Objective(graph, config, torch.Generator())
    users, items = objective.split(objective.final(torch.cat([backbone.base_users, backbone.base_items])))
    return replace(backbone, name="lightgcn", users=users, items=items, config=config)


def compressed(name: str, budget: float) -> Artefact:
    """Compress the random tables with one method; where it trains, for one epoch.

    Raises
    ------
    BudgetUnreachable
        When the method can't get so small.
    """
    method = method_class(registry.method(name).module())()
    graph, backbone = random_backbone()
    if registry.method(name).card.serve_form == "graph":
        backbone = propagated(graph, backbone)
    params = method.params_for(int(budget * SHAPE.dense_bytes), SHAPE)
    if "epochs" in type(params).model_fields:
        params = params.model_copy(update={"epochs": 1})
    return method.compress(Task(graph, backbone, params, 0, make_generator(0), lambda share: None))


def rows() -> Iterator[Row]:
    """Yield a row for every registered method and every budget that it can reach."""
    for name in registry.methods():
        for budget, fraction in BUDGETS.items():
            try:
                artefact = compressed(name, fraction)
            except BudgetUnreachable:
                continue
            with tempfile.TemporaryDirectory() as folder:
                artefact.save(Path(folder))
                size = file_bytes(Path(folder))
            yield Row(name, budget, artefact.nominal(), artefact.nonzero(), size)


def markdown(table: Iterator[Row]) -> str:
    """Return rows as a Markdown table, with the ratios that each way of counting would claim."""
    dense = SHAPE.entities * SHAPE.dim
    headers = ["method", "budget", "nominal", "non-zero", "bytes", "bytes/entity", "× by parameters", "× by bytes"]
    cells = [
        [
            row.method,
            row.budget,
            f"{row.nominal:,}",
            f"{row.nonzero:,}",
            f"{row.bytes:,}",
            f"{row.bytes / SHAPE.entities:.1f}",
            f"{dense / row.nonzero:.2f}",
            f"{SHAPE.dense_bytes / row.bytes:.2f}",
        ]
        for row in table
    ]
    return tabulate(cells, headers, tablefmt="github", disable_numparse=True, colalign=("left", "left", *["right"] * 6))


def written(page: str, table: Iterator[Row]) -> str:
    """Return a page with a table between its marks."""
    return generated(page, "tools/table_bytes.py", lambda _: markdown(table))


def main() -> None:
    """Write the table into the document."""
    rewrite(checkout_root(), DOCUMENT, lambda page, _: written(page, rows()))


if __name__ == "__main__":
    main()

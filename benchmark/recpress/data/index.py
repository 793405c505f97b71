"""The index of data sets, ``datasets/README.md``: ``python -m recpress.data.index`` writes it anew."""

from __future__ import annotations

from pathlib import Path

from tabulate import tabulate

from recpress import registry
from recpress.core.io import write_atomic
from recpress.core.paths import resources
from recpress.data.card import DatasetCard, dataset_card

HEAD = """\
# Data sets

One folder a set, with its card (`card.toml`): what it is, its terms, where the files come from and their checksums,
how it is parsed, preprocessed and split, and the hash of the split. No data lies here: `recpress fetch <dataset>`
brings it. `recpress info <dataset>` shows card and statistics;
`benchmark/docs/how-to/add-a-dataset.md` tells how to add one.

Numbers are those that the card checks after parsing; a dash stands where no sound figure was at hand. "Pinned" means
that the card holds the split's SHA-256, re-derived by the tests. This table is generated:
`python -m recpress.data.index`.
"""


def render() -> str:
    """Return the text of the index, from the cards alone."""
    rows = [_row(name, dataset_card(name)) for name in registry.dataset_folders()]
    columns = ["name", "title", "domain", "task", "users", "items", "interactions", "split", "pinned", "licence"]
    align = ["left"] * 4 + ["right"] * 3 + ["left"] * 3
    table = tabulate(rows, columns, tablefmt="github", colalign=align, disable_numparse=True)
    return f"{HEAD}\n{table}\n"


def _row(name: str, card: DatasetCard) -> list[str]:
    counts = card.statistics
    numbers = [f"{n:,}" for n in (counts.users, counts.items, counts.interactions)] if counts else ["–"] * 3
    pinned = "yes" if card.split.sha256 else "–"
    return [f"`{name}`", card.title, card.domain, card.task, *numbers, card.split.protocol, pinned, card.license]


def path() -> Path:
    """Return where the index lies."""
    return resources("datasets") / "README.md"


if __name__ == "__main__":
    write_atomic(path(), render())

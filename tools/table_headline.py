"""The table of README: what is left of a backbone at each fraction of its bytes, from the committed records.

``python tools/table_headline.py`` writes it anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from documents import generated, rewrite
from recpress.core.budget import TOLERANCE
from recpress.core.errors import UserError
from recpress.core.paths import checkout_root
from recpress.headline import COLUMN
from recpress.leaderboard.collect import collect
from recpress.leaderboard.tables import aggregate, frame, texts

DATASET, BACKBONE, DIVISION = "ml-1m", "lightgcn", "closed"
SMALLER = (4, 8, 16, 32, 64)
# The method that the best one at a size is set beside: the simplest that reaches most sizes.
PLAIN = "uniform"
FIGURES = ("smaller", COLUMN, "retained", "single_ratio")


def markdown(results: Path) -> str:
    """Return the table: for each size, the most accurate method that fits, and `uniform`.

    Raises
    ------
    UserError
        When the results hold no such rows.
    """
    rows = aggregate(frame(collect(results).runs))
    asked = (rows["dataset"] == DATASET) & (rows["backbone"] == BACKBONE) & (rows["division"] == DIVISION)
    rows = rows[asked & (rows["status"] == "ok")]
    chosen = list(_chosen(rows))
    if not chosen:
        raise UserError(f"{results} holds no row of {DATASET}, {BACKBONE}: run the suite `{DIVISION}` first.")
    headings, cells = texts(pd.concat([row for _, row in chosen]), ("method", "variant"), FIGURES)
    lines = [["At most", *headings], ["---"] * (len(headings) + 1)]
    lines += [[f"1/{size}", *cell] for (size, _), cell in zip(chosen, cells, strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _chosen(rows: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    for size in SMALLER:
        fitting = rows[rows["smaller"] * TOLERANCE >= size].sort_values([COLUMN, "method"], ascending=[False, True])
        plain = fitting[fitting["method"] == PLAIN].head(1)
        best = fitting[fitting["method"] != PLAIN].head(1)
        yield from ((size, row) for row in (best, plain) if len(row))


def written(page: str, results: Path) -> str:
    """Return a page with the table of a results folder between its marks."""
    return generated(page, "tools/table_headline.py", lambda _: markdown(results))


if __name__ == "__main__":
    rewrite(checkout_root(), Path("README.md"), lambda page, root: written(page, root / "results"))

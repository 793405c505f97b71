"""Tables of one backbone on one data set: a line a method, a column a size, from the committed records.

A table stands between ``<!-- begin: python tools/table_sizes.py DATASET/BACKBONE SIZE,… FIGURE,… METHOD… -->`` and
``<!-- end -->``; ``python tools/table_sizes.py`` writes all of them anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from documents import generated, rewrite
from recpress.core.errors import UserError, unknown
from recpress.core.paths import checkout_root
from recpress.leaderboard.prose import figure, rows_of
from recpress.leaderboard.tables import texts

DOCUMENT = Path("benchmark") / "docs" / "explanation" / "open-division.md"


def markdown(results: Path, arguments: Sequence[str]) -> str:
    """Return a table: a line a method, and for each size a column a figure.

    Parameters
    ----------
    results : Path
    arguments : sequence of str
        Data set and backbone; sizes, between commas; keys of figures (`recpress.leaderboard.columns`), too; methods.

    Raises
    ------
    UserError
        When there is no such figure, or no run of a method or of a size there.
    """
    place, asked, keys, *methods = arguments
    sizes, figures = asked.split(","), [figure(key) for key in keys.split(",")]
    dataset, _, backbone = place.partition("/")
    rows = rows_of(results)
    rows = rows[(rows["dataset"] == dataset) & (rows["backbone"] == backbone) & rows["budget"].notna()]
    if rows.empty:
        raise UserError(f"{results} has no run of {place} under a budget.")
    for what, named in (("method", methods), ("variant", sizes)):
        for each in named:
            if each not in set(rows[what]):
                raise unknown(what, each, set(rows[what]))
    _, cells = texts(rows, (), [each.key for each in figures])
    told = dict(zip(zip(rows["method"], rows["variant"], strict=True), cells, strict=True))
    missing = ["–"] * len(figures)
    lines = [
        [method, *(cell for size in sizes for cell in told.get((method, size), missing)[: len(figures)])]
        for method in methods
    ]
    if len(figures) == 1:
        headings = [figures[0].heading, *sizes]
    else:
        headings = ["", *(f"{each.heading}, {size}" for size in sizes for each in figures)]
    align = ("left", *["right"] * (len(headings) - 1))
    return tabulate(lines, headings, tablefmt="pipe", disable_numparse=True, colalign=align)


def written(page: str, results: Path) -> str:
    """Return a page with its tables from a results folder."""
    return generated(page, "tools/table_sizes.py", lambda arguments: markdown(results, arguments))


if __name__ == "__main__":
    rewrite(checkout_root(), DOCUMENT, lambda page, root: written(page, root / "results"))

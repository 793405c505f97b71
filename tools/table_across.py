"""Tables of findings: one figure of some runs over the data sets, from the committed records.

A table stands between ``<!-- begin: python tools/table_across.py FIGURE BACKBONE/METHOD/VARIANT… -->`` and
``<!-- end -->``, a run's name as `recpress compare` has it. ``python tools/table_across.py`` writes all of them
anew, and with a figure and runs it prints one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from documents import generated, rewrite
from recpress.core.paths import checkout_root
from recpress.leaderboard.prose import rows_of, table

DOCUMENTS = tuple(
    Path("benchmark") / "docs" / "explanation" / f"{name}.md"
    for name in ("findings", "findings-small-sizes", "findings-training", "findings-speed")
)


def markdown(results: Path, arguments: Sequence[str]) -> str:
    """Return the table of a results folder, see `recpress.leaderboard.prose.table`."""
    return table(rows_of(results), arguments)


def written(page: str, results: Path) -> str:
    """Return a page with its tables from a results folder."""
    return generated(page, "tools/table_across.py", lambda arguments: markdown(results, arguments))


def main() -> None:
    """Write the tables of findings, or print one."""
    checkout = checkout_root()
    if checkout is not None and len(sys.argv) > 1:
        print(markdown(checkout / "results", sys.argv[1:]))
    else:
        for document in DOCUMENTS:
            rewrite(checkout, document, lambda page, root: written(page, root / "results"))


if __name__ == "__main__":
    main()

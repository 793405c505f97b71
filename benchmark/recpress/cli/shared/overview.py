"""Summary of all results: for each data set how much there is, and its best rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tabulate import tabulate

from recpress.core.printable import printable
from recpress.headline import COLUMN
from recpress.metrics import LABEL
from recpress.records.plausible import UNCOMPRESSED

if TYPE_CHECKING:
    import pandas as pd

# Percent of the NDCG@20 of the set's best uncompressed model that the smallest file of the summary retains.
RETAINED: Final = 97.0
HEADINGS: Final = (
    "Data set",
    "Backbones",
    "Methods",
    "Rows",
    "Runs",
    "Best\nuncompressed",
    LABEL,
    f"Smallest that\nretains {RETAINED:.0f} % of it",
    "MB",
    "Smaller",
)


def overview(rows: pd.DataFrame) -> str:
    """Return a table with one line for each data set.

    Parameters
    ----------
    rows : DataFrame
        As `recpress.leaderboard.tables.aggregate` returns it.
    """
    lines = [_line(str(dataset), of_set) for dataset, of_set in rows.groupby("dataset", sort=True)]
    align = ["left", *["right"] * 4, "left", "right", "left", "right", "right"]
    return tabulate(lines, headers=HEADINGS, disable_numparse=True, colalign=align)


def _line(dataset: str, rows: pd.DataFrame) -> list[str]:
    counts = (rows["backbone"].nunique(), rows["method"].nunique(), len(rows), rows["seeds"].sum())
    line = [printable(dataset), *(f"{count:,}" for count in counts)]
    ok = rows[(rows["status"] == "ok") & (rows["doubtful"] == "")]
    best = ok[ok["method"] == UNCOMPRESSED].nlargest(1, COLUMN).to_dict("records")
    enough = ok[(ok["division"] != "reference") & (ok["of_best"] >= RETAINED)]
    small = enough.nsmallest(1, "mb").to_dict("records")
    line += [printable(best[0]["backbone"]), f"{best[0][COLUMN]:.4f}"] if best else ["–", "–"]
    if not small:
        return [*line, "–", "–", "–"]
    row = small[0]
    name = printable(f"{row['backbone']} {row['method']} {row['variant']}")
    return [*line, name, f"{row['mb']:.3g}", f"{row['smaller']:.1f}×"]

"""The headline metric, and the one that is shown and judged beside it: stated here and nowhere else.

They are metrics of `recpress.metrics` at a cut-off. Importing this imports nothing else.
"""

from __future__ import annotations

from typing import Final

CUTOFF: Final = 20
HEADLINE: Final = f"ndcg@{CUTOFF}"
SECOND: Final = f"recall@{CUTOFF}"
BOTH: Final = (HEADLINE, SECOND)


def column_of(metric: str) -> str:
    """Return the name of a metric's column in data frames and exports: ``ndcg20`` of ``ndcg@20``."""
    return metric.replace("@", "")


COLUMN: Final = column_of(HEADLINE)
SECOND_COLUMN: Final = column_of(SECOND)

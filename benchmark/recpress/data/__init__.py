"""Data sets: cards, raw files, interactions, splits and graphs.

Importing this package imports neither torch nor pandas, so that listing stays fast; the functions below
import what they need when they are called.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recpress.data.dataset import Dataset


def load(name: str, data_dir: Path | None = None) -> Dataset:
    """Return a registered data set, parsed, checked and split; see `recpress.data.dataset.load`."""
    from recpress.data import dataset

    return dataset.load(name, data_dir)

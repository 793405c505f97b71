"""Data sets: cards, raw files, interactions, splits and graphs.

Importing this package imports neither torch nor pandas, so that listing stays fast; the functions below
import what they need when they are called.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recpress.data.card import Preprocess, SplitSpec
    from recpress.data.dataset import Dataset


def load(name: str, data_dir: Path | None = None) -> Dataset:
    """Return a data set by name, parsed, checked and split: a registered one, or one that `from_file` made.

    See `recpress.data.dataset.load`.
    """
    from recpress.data import dataset, own

    return own.load(name) if name.startswith(own.PREFIX) else dataset.load(name, data_dir)


def from_file(
    path: Path,
    user_col: str,
    item_col: str,
    time_col: str | None = None,
    rating_col: str | None = None,
    *,
    split: SplitSpec | None = None,
    preprocess: Preprocess | None = None,
) -> Dataset:
    """Return a data set made of the user's own file; see `recpress.data.own.from_file`."""
    from recpress.data import own

    return own.from_file(path, user_col, item_col, time_col, rating_col, split=split, preprocess=preprocess)

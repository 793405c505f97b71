"""What a parser returns, and how it refuses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recpress.errors import UserError


@dataclass(frozen=True)
class RawTable:
    """Interactions with the ids of the file, one per row, in the order of the file.

    Attributes
    ----------
    users, items : arrays of shape (n,)
        int64, or objects that are all str.
    ratings : float32 array of shape (n,), optional
    times : int64 array of shape (n,), optional
        Seconds since the epoch.
    ordered : bool
        The rows of each user are in time order, though no times are given.
    """

    users: NDArray[Any]
    items: NDArray[Any]
    ratings: NDArray[np.float32] | None = None
    times: NDArray[np.int64] | None = None
    ordered: bool = False

    def __len__(self) -> int:
        return len(self.users)


def refuse(path: Path, row: int | None, reason: str) -> UserError:
    """Make the error for a file that is not what its format says.

    Parameters
    ----------
    path : Path
    row : int or None
        1-based line of the file, where one is to blame.
    """
    where = f"{path}, row {row}" if row is not None else f"{path}"
    return UserError(f"{where}: {reason}.")

"""Result of a parser, and its errors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recpress.core.errors import UserError


@dataclass(frozen=True)
class RawTable:
    """Interactions with the ids of the file, one per row, in the order of the file.

    Attributes
    ----------
    users, items : arrays of shape (n,)
        int64, or objects that are all str.
    ratings : float32 array of shape (n,), optional
    times : int64 array of shape (n,), optional
        Nanoseconds since 1970, UTC.
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


class Fault(Exception):
    """A row that no interaction can be, before it is known in which file.

    Attributes
    ----------
    row : int
        0-based, among the rows with data.
    reason : str
    """

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(reason)
        self.row, self.reason = row, reason


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

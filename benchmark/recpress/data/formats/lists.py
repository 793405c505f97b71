"""One line or list per user: the ``user item item …`` files of the LightGCN line, and RecZoo's JSON lists."""

from __future__ import annotations

import gzip
import json
import warnings
from pathlib import Path

import numpy as np

from recpress.data.formats.raw import RawTable, refuse


def read_lines(path: Path, ordered: bool = False) -> RawTable:
    """Parse ``user item item …``: integers, one user a line; a user without items is allowed.

    Parameters
    ----------
    ordered : bool
        The items of a line are in time order.

    Raises
    ------
    UserError
        Empty file, or an id that is negative or not an integer; with the row.
    """
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    counts = np.array([len(line.split()) for line in content.split(b"\n")], np.int64)
    with warnings.catch_warnings():  # numpy warns, and stops, at the first token that isn't an integer
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            tokens = np.fromstring(content, dtype=np.int64, sep=" ")
        except ValueError:
            tokens = np.empty(0, np.int64)
    if not counts.any():
        raise refuse(path, None, "the file is empty")
    largest = np.iinfo(np.int64).max  # what numpy makes of anything larger
    if len(tokens) != counts.sum() or tokens.min() < 0 or tokens.max() == largest:
        _refuse_first_bad_token(path, content)
    counts = counts[counts > 0]
    is_user = np.zeros(len(tokens), bool)
    is_user[np.cumsum(counts) - counts] = True
    return RawTable(np.repeat(tokens[is_user], counts - 1), tokens[~is_user], ordered=ordered)


def _refuse_first_bad_token(path: Path, content: bytes) -> None:
    for row, line in enumerate(content.split(b"\n"), start=1):
        for token in line.split():
            if not token.isdigit():
                negative = token[:1] == b"-" and token[1:].isdigit()
                shown = token.decode(errors="replace")
                raise refuse(
                    path, row, f"the id {shown} is negative" if negative else f"{shown!r} is not an integer id"
                )
            if int(token) >= np.iinfo(np.int64).max:
                raise refuse(path, row, f"the id {token.decode()} is too large")


def read_json(path: Path) -> RawTable:
    """Parse a JSON list of lists: the items of each user, from user 0 on.

    Raises
    ------
    UserError
        Not such a list, or an id that is negative or not an integer; with the row (the user, counted from 1).
    """
    try:
        rows = json.loads(path.read_bytes())
    except ValueError as error:
        raise refuse(path, None, f"not JSON ({error})") from error
    if not isinstance(rows, list) or not rows:
        raise refuse(path, None, "not a list of lists of items" if rows else "the file is empty")
    for row, items in enumerate(rows, start=1):
        if not isinstance(items, list) or any(type(item) is not int or item < 0 for item in items):
            raise refuse(path, row, "not a list of non-negative integer ids")
    counts = [len(items) for items in rows]
    items = np.fromiter((item for items in rows for item in items), np.int64, sum(counts))
    return RawTable(np.repeat(np.arange(len(rows), dtype=np.int64), counts), items)

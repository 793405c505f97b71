"""Tables with a separator: MovieLens, RecBole atomic, Amazon ratings, pairs.

pandas' C engine reads the happy path with declared types; only when that fails is the file read again as text,
to say which row is wrong and why.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from recpress.data.formats.raw import RawTable, refuse

IdType = Literal["int", "str"]
Column = Literal["user", "item", "rating", "time"]


@dataclass(frozen=True)
class Layout:
    """Where the columns of a delimited file are.

    Attributes
    ----------
    columns : mapping of column to header name, or to 0-based position when the file has no header
    separator : str
        One character. The ``::`` of MovieLens' .dat files is read as ``:`` with empty columns between.
    ids : {"int", "str"}
        Integer ids must not be negative; string ids must not be empty.
    time_unit : int
        File units per second (1000 for milliseconds).
    """

    columns: dict[Column, str | int]
    separator: str = ","
    header: bool = False
    ids: IdType = "int"
    time_unit: int = 1


_POSITIONS: dict[Column, str | int] = {"user": 0, "item": 1, "rating": 2, "time": 3}
_ITEM_FIRST: dict[Column, str | int] = {"item": 0, "user": 1, "rating": 2, "time": 3}
_ATOMIC: dict[Column, str | int] = {
    "user": "user_id:token",
    "item": "item_id:token",
    "rating": "rating:float",
    "time": "timestamp:float",
}

LAYOUTS: dict[str, Layout] = {
    "movielens-data": Layout(_POSITIONS, separator="\t"),
    "movielens-dat": Layout({"user": 0, "item": 2, "rating": 4, "time": 6}, separator=":"),
    "movielens-csv": Layout(
        {"user": "userId", "item": "movieId", "rating": "rating", "time": "timestamp"}, header=True
    ),
    "movielens-csv-no-times": Layout({"user": "user", "item": "movie", "rating": "rating"}, header=True),
    "atomic": Layout(_ATOMIC, separator="\t", header=True),
    "atomic-str": Layout(_ATOMIC, separator="\t", header=True, ids="str"),
    "amazon-2014-ratings": Layout(_POSITIONS, ids="str"),
    "amazon-2018-ratings": Layout(_ITEM_FIRST, ids="str"),
    "amazon-2023-ratings": Layout(
        {"user": "user_id", "item": "parent_asin", "rating": "rating", "time": "timestamp"},
        header=True,
        ids="str",
        time_unit=1000,
    ),
    "pairs": Layout({"user": 0, "item": 1}, separator="\t"),
    "pairs-time": Layout({"user": 0, "item": 1, "time": 2}, separator="\t"),
    "triples-space": Layout({"user": 0, "item": 1, "rating": 2}, separator=" "),
}


def read(path: Path, layout: Layout) -> RawTable:
    """Parse a delimited file (gzip is recognised by its ``.gz`` ending).

    Raises
    ------
    UserError
        Empty file, header mismatch, missing value, id that is negative or not of its type; with the row.
    """
    present = _check_head(path, layout)
    dtypes: dict[str | int, Any] = {}
    for column, where in layout.columns.items():
        if column in present:
            dtypes[where] = _dtype(column, layout)
    options: dict[str, Any] = {
        "sep": layout.separator,
        "header": 0 if layout.header else None,
        "usecols": list(dtypes),
        "keep_default_na": False,
        "encoding": "utf-8",
    }
    missing = {where: [""] for where, dtype in dtypes.items() if dtype != "str"}
    try:
        frame = _read(path, dtype=dtypes, na_values=missing, **options)
    except (ValueError, OverflowError) as error:
        raise (_first_fault(path, layout, present, options) or refuse(path, None, str(error))) from error
    columns = {column: frame[layout.columns[column]].to_numpy() for column in present}
    if (fault := first_bad_value(columns)) is not None:
        row, reason = fault
        raise refuse(path, row + 1 + layout.header, reason)
    return table(columns, layout.time_unit)


def _read(path: Path, **options: Any) -> pd.DataFrame:
    return cast("pd.DataFrame", pd.read_csv(path, **options))


def table(columns: dict[Column, Any], time_unit: int = 1) -> RawTable:
    """Make a `RawTable` of parsed and checked columns."""
    ratings, times = columns.get("rating"), columns.get("time")
    return RawTable(
        columns["user"],
        columns["item"],
        None if ratings is None else ratings.astype(np.float32),
        None if times is None else np.floor_divide(times, time_unit).astype(np.int64),
    )


def _dtype(column: Column, layout: Layout) -> str:
    if column in ("user", "item"):
        return "int64" if layout.ids == "int" else "str"
    return "float64"


def header(path: Path, separator: str) -> list[str]:
    """Return the fields of the first row.

    Raises
    ------
    UserError
        When the file is empty or not a text table.
    """
    try:
        head = pd.read_csv(
            path, sep=separator, header=None, nrows=1, dtype=str, keep_default_na=False, encoding="utf-8"
        )
    except pd.errors.EmptyDataError as error:
        raise refuse(path, None, "the file is empty") from error
    except (UnicodeDecodeError, pd.errors.ParserError, OSError, EOFError) as error:
        raise refuse(path, 1, f"not a text table ({error})") from error
    return list(head.iloc[0])


def _check_head(path: Path, layout: Layout) -> list[Column]:
    """Return the columns that the file has; user and item are required, the others are used if they are there."""
    names = header(path, layout.separator)
    if layout.header:
        present = [column for column, where in layout.columns.items() if where in names]
    else:
        present = [column for column, where in layout.columns.items() if int(where) < len(names)]
    for column in ("user", "item"):
        if column not in present:
            wanted = layout.columns[column]
            found = (
                f"the header is {layout.separator.join(names)!r}" if layout.header else f"found {len(names)} columns"
            )
            raise refuse(path, 1, f"header mismatch: the {column} column {wanted!r} is missing; {found}")
    return present


def first_bad_value(columns: dict[Column, Any]) -> tuple[int, str] | None:
    """Return the first row (0-based) with a value that no interaction can have, and the reason."""
    faults = []
    for column, values in columns.items():
        if values.dtype.kind == "f":
            bad, reason = ~np.isfinite(values), f"the {column} is missing or not finite"
        elif values.dtype.kind == "i":
            bad, reason = values < 0, f"the {column} id is negative"
        else:
            bad, reason = values == "", f"the {column} id is empty"
        if bad.any():
            faults.append((int(np.argmax(bad)), reason))
    return min(faults) if faults else None


def _first_fault(path: Path, layout: Layout, present: list[Column], options: dict[str, Any]) -> Exception | None:
    """Read the file again as text and return the error for the first value that can't be converted."""
    try:
        frame = _read(path, dtype=str, **options)
    except (ValueError, OSError, EOFError) as error:
        return refuse(path, None, f"not a table separated by {layout.separator!r} ({error})")
    faults = []
    for column in present:
        text = frame[layout.columns[column]]
        if _dtype(column, layout) == "int64":
            good = text.str.fullmatch(r"\s*-?\d{1,18}\s*").fillna(False)
            kind = "an integer id"
        elif _dtype(column, layout) == "float64":
            good = pd.to_numeric(text, errors="coerce").notna()
            kind = "a number"
        else:
            continue
        if not good.all():
            row = int(np.argmin(good.to_numpy()))
            faults.append((row, f"the {column} is {text.iloc[row]!r}, not {kind}"))
    if not faults:
        return None
    row, reason = min(faults)
    return refuse(path, row + 1 + layout.header, reason)

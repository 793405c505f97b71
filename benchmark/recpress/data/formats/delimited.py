"""Tables with a separator: MovieLens, RecBole atomic, Amazon ratings, pairs.

pandas' C engine reads the happy path with declared types; only when that fails is the file read again as text,
to say which row is wrong and why. It would fill up short rows and cut or shift long ones without a word: so the fields
of each row are counted first (`rows.check`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from recpress.data.formats import rows
from recpress.data.formats.raw import Fault, RawTable, refuse
from recpress.data.formats.times import nanoseconds

IdType = Literal["int", "str"]
Column = Literal["user", "item", "rating", "time"]


@dataclass(frozen=True)
class Layout:
    """Columns of a delimited file.

    Attributes
    ----------
    columns : mapping of column to header name, or to 0-based position when the file has no header
    separator : str
        One character. The ``::`` of MovieLens' .dat files is read as ``:`` with empty columns between. With a comma,
        fields may be quoted.
    ids : {"int", "str"}
        Integer ids must not be negative; string ids must not be empty.
    time_unit : int, optional
        File units per second (1000 for milliseconds). None: see `recpress.data.formats.times.nanoseconds`.
    """

    columns: dict[Column, str | int]
    separator: str = ","
    header: bool = False
    ids: IdType = "int"
    time_unit: int | None = 1


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
        Empty file, header mismatch, row with more or fewer fields, missing value, id that is negative, not of its type
        or broken over lines, time that is none; with the row.
    """
    names = header(path, layout.separator)
    present = _present(path, layout, names)
    rows.check(path, layout.separator, len(names))
    options: dict[str, Any] = {
        "sep": layout.separator,
        "quoting": rows.quoting(layout.separator),
        "header": 0 if layout.header else None,
        "usecols": [layout.columns[column] for column in present],
        "index_col": False,
        "keep_default_na": False,
        "encoding": "utf-8",
    }
    try:
        frame = _read(path, **_types(layout, present), **options)
    except (ValueError, OverflowError) as error:
        raise (_first_fault(path, layout, present, options) or refuse(path, None, str(error))) from error
    columns: dict[Column, Any] = {
        column: _integers_or_text(values) if column == "time" else values.to_numpy()
        for column, values in ((column, frame[layout.columns[column]]) for column in present)
    }
    try:
        return table(columns, layout.time_unit, negative=False)
    except Fault as fault:
        raise refuse(path, _line(path, layout, fault.row), fault.reason) from fault


def _types(layout: Layout, present: list[Column]) -> dict[str, Any]:
    dtypes = {layout.columns[column]: _dtype(column, layout) for column in present}
    return {"dtype": dtypes, "na_values": {where: [""] for where, dtype in dtypes.items() if dtype != "str"}}


def _integers_or_text(text: Any) -> NDArray[Any]:
    """Return a column of integers, or as it is: pandas would take decimals for integers that are near enough."""
    try:
        return np.asarray(pa.array(text).cast(pa.int64()))
    except pa.ArrowInvalid:
        return np.asarray(text.to_numpy())


def _read(path: Path, **options: Any) -> pd.DataFrame:
    return cast("pd.DataFrame", pd.read_csv(path, **options))


def _line(path: Path, layout: Layout, row: int) -> int:
    return rows.line_of(path, layout.separator, row + layout.header)


def table(columns: dict[Column, Any], time_unit: int | None = 1, *, negative: bool = True) -> RawTable:
    """Check parsed columns and make a `RawTable` of them.

    Parameters
    ----------
    columns : dict of column to array
        Ids as integers or text, ratings as numbers, times as `nanoseconds` takes them.
    time_unit : int, optional
        Units of time per second.
    negative : bool
        Whether integer ids may be negative.

    Raises
    ------
    Fault
        For the first row with a value that no interaction can have.
    """
    faults = [_first_bad(column, values, negative) for column, values in columns.items() if column != "time"]
    if any(faults):
        raise min(filter(None, faults), key=lambda fault: fault.row)
    ratings, times = columns.get("rating"), columns.get("time")
    return RawTable(
        columns["user"],
        columns["item"],
        None if ratings is None else ratings.astype(np.float32),
        None if times is None else nanoseconds(times, time_unit),
    )


def _first_bad(column: Column, values: NDArray[Any], negative: bool) -> Fault | None:
    if column == "rating":
        bad, reason = ~np.isfinite(values), "the rating is missing or not finite"
    elif values.dtype.kind in "iu":
        bad, reason = (values < 0) & (not negative), f"the {column} id is negative"
    else:
        codes, known = pd.factorize(values)
        empty = np.array([not text for text in known], bool)
        broken = np.array(["\n" in text or "\r" in text for text in known], bool)
        bad = (empty | broken)[codes]
        is_empty = bad.any() and empty[codes[np.argmax(bad)]]
        reason = f"the {column} id is empty" if is_empty else f"the {column} id has a line break in it"
    return Fault(int(np.argmax(bad)), reason) if bad.any() else None


def _dtype(column: Column, layout: Layout) -> str:
    if column in ("user", "item"):
        return "int64" if layout.ids == "int" else "str"
    return "float64" if column == "rating" else "str"  # A float would round times.


def header(path: Path, separator: str) -> list[str]:
    """Return the fields of the first row.

    Raises
    ------
    UserError
        When the file is empty or not a text table.
    """
    try:
        head = pd.read_csv(
            path,
            sep=separator,
            quoting=rows.quoting(separator),
            header=None,
            nrows=1,
            dtype=str,
            keep_default_na=False,
            encoding="utf-8",
        )
    except pd.errors.EmptyDataError as error:
        raise refuse(path, None, "the file is empty") from error
    except (UnicodeDecodeError, pd.errors.ParserError, OSError, EOFError) as error:
        raise refuse(path, 1, f"not a text table ({error})") from error
    return list(head.iloc[0])


def _present(path: Path, layout: Layout, names: list[str]) -> list[Column]:
    """Return the columns that the file has; user and item are required, the others are used if they are there."""
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
        elif column == "rating":
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
    return refuse(path, _line(path, layout, row), reason)

"""Columns of parquet files, of whatever type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recpress.data.formats.delimited import Column, table
from recpress.data.formats.raw import Fault, RawTable, refuse
from recpress.data.formats.times import NANOSECONDS

# Up to here each whole number has a float64 of its own.
WHOLE = 2**53


def read(path: Path, columns: dict[Column, str]) -> RawTable:
    """Parse a parquet file.

    Parameters
    ----------
    columns : dict of column to its name in the file

    Raises
    ------
    UserError
        Not such a file, or a value that no interaction can have; with the row.
    """
    try:
        found = pq.read_table(path, columns=list(columns.values()))
        missing = [name for name in columns.values() if name not in found.column_names]
        if missing:
            raise refuse(path, None, f"there is no column {missing[0]!r}")
    except (OSError, ValueError) as error:
        raise refuse(path, None, f"not a parquet file with the columns {list(columns.values())} ({error})") from error
    if not len(found):
        raise refuse(path, None, "the file is empty")
    try:
        arrays = {column: _values(column, found.column(name)) for column, name in columns.items()}
        return table(arrays, NANOSECONDS if "time" in columns and _is_date(found.field(columns["time"]).type) else None)
    except Fault as fault:
        raise refuse(path, fault.row + 1, fault.reason) from fault
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise refuse(path, None, f"a column is of a type that can't be used ({error})") from error


def _values(column: Column, chunks: pa.ChunkedArray) -> NDArray[Any]:
    values = chunks.combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if values.null_count:
        raise Fault(values.is_null().index(True).as_py(), f"the {column} is missing")
    if column == "rating":
        return np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False))
    return _times(values) if column == "time" else _ids(column, values)


def _ids(column: Column, values: pa.Array) -> NDArray[Any]:
    """Return integers as they are, whole floats as integers (what a missing value has made of them), else text."""
    if pa.types.is_integer(values.type):
        return np.asarray(values.to_numpy())
    if not pa.types.is_floating(values.type):
        return np.asarray(values.cast(pa.string()).to_numpy(zero_copy_only=False))
    floats = np.asarray(values.to_numpy(), np.float64)
    whole = (floats == np.floor(floats)) & (np.abs(floats) <= WHOLE)
    if not whole.all():
        row = int(np.argmin(whole))
        raise Fault(row, f"the {column} id is {floats[row]}, not a whole number: store ids as integers or text")
    return floats.astype(np.int64)


def _times(values: pa.Array) -> NDArray[Any]:
    """Return dates in nanoseconds, numbers as they are, else text."""
    if _is_date(values.type):
        values = values.cast(pa.timestamp("ns", getattr(values.type, "tz", None))).cast(pa.int64())
    elif not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        values = values.cast(pa.string())
    return np.asarray(values.to_numpy(zero_copy_only=False))


def _is_date(type_: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(type_) or pa.types.is_date(type_))

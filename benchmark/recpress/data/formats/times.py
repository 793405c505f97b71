"""Times of whatever form as int64 nanoseconds since 1970 (UTC), exactly: what is finer than a nanosecond is cut off.

No value passes through a float on the way unless the file holds floats; these are taken as the shortest decimal that
stands for them, which is what a text file would say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal, localcontext
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recpress.data.formats.raw import Fault

NANOSECONDS = 10**9
MOST = int(np.iinfo(np.int64).max)
# Nanoseconds in a second, a millisecond, a microsecond and a nanosecond.
SCALES = (10**9, 10**6, 10**3, 1)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
OUTSIDE = "lies outside the years 1677 to 2262"


def nanoseconds(values: NDArray[Any], per_second: int | None = 1) -> NDArray[np.int64]:
    """Return times in nanoseconds.

    Parameters
    ----------
    values : array of integers, floats, or text: numbers or ISO dates (UTC where they name no zone)
    per_second : int, optional
        Units of a number in a second. None: told by the size of the largest number, as seconds, milliseconds,
        microseconds or nanoseconds, whichever is the first to end before the year 2262.

    Raises
    ------
    Fault
        A value that is missing, or no time; with its row.
    """
    kind = values.dtype.kind
    if kind in "iu":
        return _scaled(values, per_second)
    if kind == "f":
        if not (finite := np.isfinite(values)).all():
            raise Fault(int(np.argmin(finite)), "the time is missing or not finite")
        if (values == np.floor(values)).all() and (np.abs(values) < MOST).all():
            return _scaled(values.astype(np.int64), per_second)
    codes, known = pd.factorize(values)
    first = np.unique(codes, return_index=True)[1]
    try:
        return _of_distinct(known.tolist(), per_second)[codes]
    except Fault as fault:
        raise Fault(int(first[fault.row]), fault.reason) from None


def _of_distinct(known: Sequence[Any], per_second: int | None) -> NDArray[np.int64]:
    """Convert values in the order in which they first occur."""
    text = [repr(float(value)) if isinstance(value, float) else str(value).strip() for value in known]
    wrong = [index for index, value in enumerate(text) if not NUMBER.fullmatch(value)]
    if not wrong:
        return _scaled(np.array([Decimal(value) for value in text], object), per_second)
    if len(wrong) < len(text):  # All should be what the first is.
        odd, kind = (wrong[0], "a number") if wrong[0] else (_first_missing(wrong), "an ISO date")
        raise Fault(odd, f"the time is {text[odd]!r}, not {kind}")
    return _of_dates(text)


def _first_missing(ascending: Sequence[int]) -> int:
    return next((place for place, index in enumerate(ascending) if place != index), len(ascending))


def _of_dates(text: Sequence[str]) -> NDArray[np.int64]:
    read = pd.to_datetime(pd.Series(text, dtype="str"), format="ISO8601", utc=True, errors="coerce")
    limits = pd.Timestamp.min.tz_localize("UTC"), pd.Timestamp.max.tz_localize("UTC")
    good = read.between(*limits).to_numpy()
    if not good.all():
        row = int(np.argmin(good))
        raise Fault(row, f"the time is {text[row]!r}, neither a number nor an ISO date from 1678 to 2261")
    return np.asarray(read.dt.as_unit("ns").astype(np.int64).to_numpy(), np.int64)


def _scaled(values: NDArray[Any], per_second: int | None) -> NDArray[np.int64]:
    """Multiply integers or decimals by the nanoseconds of their unit."""
    largest = max(abs(int(values.max())), abs(int(values.min())))  # Python's integers don't overflow.
    if per_second is None:
        scale = next((each for each in SCALES if largest * each <= MOST), 1)
    else:
        scale = NANOSECONDS // per_second
    if largest * scale > MOST:
        beyond = (values > MOST // scale) | (values < -(MOST // scale))
        raise Fault(int(np.argmax(beyond)), f"the time is {values[np.argmax(beyond)]}, which {OUTSIDE}")
    if values.dtype.kind != "O":
        return values.astype(np.int64) * scale
    with localcontext(prec=60):
        return np.array([int((value * scale).to_integral_value(ROUND_FLOOR)) for value in values], np.int64)

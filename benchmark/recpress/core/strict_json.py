"""JSON from strangers: an object whose numbers are numbers that a record can hold, or one sentence."""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

# What NumPy, pandas and every other reader of a record can hold.
MOST_BITS: Final = 63


def parse(text: bytes | str) -> dict[str, Any]:
    """Return a JSON object.

    Raises
    ------
    ValueError
        When it is none, is nested too deeply, or holds NaN, an infinity, or a number that becomes one.
    """
    try:
        raw = json.loads(text, parse_constant=_constant, parse_int=_integer, parse_float=_fraction)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"it is not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise ValueError("it is not a JSON object")
    return raw


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _integer(digits: str) -> int:
    # Its length first: Python refuses to read more than some thousands of digits, and takes long for fewer.
    if len(digits) > 20 or (value := int(digits)).bit_length() > MOST_BITS:
        raise ValueError(f"{digits[:20]} is too large a number")
    return value


def _fraction(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:20]} is too large a number")
    return value

"""Line numbers of keys in a TOML file, which the standard parser doesn't give."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_TABLE = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_\-\"'.]+)\s*=")


def line_of(text: str, where: Sequence[str | int]) -> int | None:
    """Return the line, from 1, of the innermost part of a location that has a line of its own.

    Parameters
    ----------
    text : str
        A valid TOML document.
    where : sequence of str or int
        Keys and positions in arrays, as pydantic gives them: ``("methods", 2, "budgets", 0)``.

    Returns
    -------
    int or None
        None where not even the outermost key stands in the file, as when it is missing from the top.
    """
    wanted = tuple(where)
    best, found = 0, None
    table: tuple[str | int, ...] = ()
    seen: Counter[str] = Counter()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _TABLE.match(line):
            name = _plain(header[2])
            table = tuple(name.split("."))
            if header[1] == "[[":
                table = (*table, seen[name])
                seen[name] += 1
            place = table
        elif key := _KEY.match(line):
            place = (*table, *_plain(key[1]).split("."))
        else:
            continue
        if place == wanted[: len(place)] and len(place) > best:
            best, found = len(place), number
    return found


def _plain(key: str) -> str:
    return key.replace('"', "").replace("'", "").strip()

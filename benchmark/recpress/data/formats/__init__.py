"""Parsers of raw files, by the name that cards use.

A parser takes a path and returns a `RawTable` with the ids of the file; `recpress.data.encode` makes them
dense. It refuses bad input with the row number and the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from recpress.core.errors import unknown
from recpress.data.formats import delimited, lists, reviews
from recpress.data.formats.raw import RawTable

Parser = Callable[[Path], RawTable]

PARSERS: dict[str, Parser] = {
    **{name: partial(delimited.read, layout=layout) for name, layout in delimited.LAYOUTS.items()},
    "user-items": lists.read_lines,
    "user-items-ordered": partial(lists.read_lines, ordered=True),
    "user-items-json": lists.read_json,
    "amazon-reviews": reviews.read,
}


def parse(path: Path, format_name: str) -> RawTable:
    """Parse a raw file.

    Raises
    ------
    UserError
        When no format has this name, or the file is not of that format: the message names the file, the row
        (1-based, as an editor counts) and the reason.
    """
    if format_name not in PARSERS:
        raise unknown("format", format_name, PARSERS)
    return PARSERS[format_name](path)

"""The rows of a text table: how many fields each has, and on which line each begins."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from recpress.data.formats.raw import refuse

BLOCK = 1 << 22


def quoting(separator: str) -> Any:
    """Return how fields are quoted: in csv alone. Elsewhere a quotation mark is a character like any other."""
    return csv.QUOTE_MINIMAL if separator == "," else csv.QUOTE_NONE


def check(path: Path, separator: str, width: int) -> None:
    """Hold every row to the number of fields of the first.

    A row may end in one separator more, as some programs write it: the field behind it is empty, and nobody's.

    Raises
    ------
    UserError
        Naming the first row that has more or fewer.
    """
    if _plainly_even(path, separator, width):
        return
    try:
        for line, fields in records(path, separator):
            if len(fields) != width and not (len(fields) == width + 1 and fields[-1] == ""):
                raise refuse(path, line, f"it has {len(fields)} fields, and the first row has {width}")
    except (csv.Error, OSError, EOFError, UnicodeDecodeError) as error:
        raise refuse(path, None, f"not a table separated by {separator!r} ({error})") from error


def line_of(path: Path, separator: str, row: int) -> int:
    """Return the line of the file, from 1, on which a row begins; a header is row 0."""
    return next(islice(records(path, separator), row, None))[0]


def records(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line and fields of each row; blank lines are none."""
    with _opened(path) as binary:
        lines = (line.decode("utf-8") for line in _lines(binary))
        reader = csv.reader(lines, delimiter=separator, quoting=quoting(separator))
        line = 1
        for fields in reader:
            if fields and not (len(fields) == 1 and fields[0] and not fields[0].strip(" \t")):
                yield line, fields
            line = reader.line_num + 1


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield lines that end in any of the three ways."""
    for line in file:
        yield from line.splitlines(keepends=True)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        yield cast("BinaryIO", file)


def _plainly_even(path: Path, separator: str, width: int) -> bool:
    """Return whether each line has as many separators as it should, and nothing makes lines and rows differ.

    False says nothing: the rows must be looked at one by one, which takes thirty times as long.
    """
    rest = b""
    try:
        with _opened(path) as file:
            while block := file.read(BLOCK):
                end = block.rfind(b"\n") + 1
                if not _is_even(rest + block[:end], separator, width):
                    return False
                rest = block[end:] if end else rest + block
    except (OSError, EOFError):
        return False
    return _is_even(rest + b"\n" if rest else b"", separator, width)


def _is_even(lines: bytes, separator: str, width: int) -> bool:
    if separator == "," and b'"' in lines:
        return False
    if lines.count(b"\r") != lines.count(b"\r\n"):
        return False
    characters = np.frombuffer(lines, np.uint8)
    ends = np.flatnonzero(characters == ord("\n"))
    until = np.searchsorted(np.flatnonzero(characters == ord(separator)), ends)
    return bool((np.diff(until, prepend=0) == width - 1).all())

"""An artefact that a stranger made: copied without following anything, and examined before it answers.

What is copied is two regular files of bounded size. What is examined runs in a sandboxed process: whatever doesn't
hold what it says is refused in one sentence, and what is left decodes, row by row, to finite numbers.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import torch

from recpress.codecs.artefact import MANIFEST, TENSORS, Artefact
from recpress.codecs.base import Codec, blocks
from recpress.core.errors import UserError
from recpress.core.strict_json import parse

# Two files and what goes with them: a licence, a note.
MOST_FILES: Final = 16
MANIFEST_BYTES: Final = 4_000_000
# A row of 16,384 float32 numbers; no backbone of ours has more than 256.
ROW_BYTES: Final = 1 << 16
# What a folder may hold whatever its data set: layers' weights, and codebooks.
SPARE_BYTES: Final = 1 << 26
DEPTH: Final = 24
# Products of two such values, summed over all columns, are still float32 numbers.
LARGEST: Final = 1e12
CHUNK: Final = 1 << 20


def most_bytes(entities: int) -> int:
    """Return the most bytes that an artefact of so many users and items may have, stored or unpacked."""
    return ROW_BYTES * entities + SPARE_BYTES


def copy(folder: Path, into: Path, most: int) -> int:
    """Copy the files of a folder, all of them regular, into a new one; return their bytes.

    Raises
    ------
    UserError
        When one is a link, a pipe, a folder or a device, or there are too many, or more than `most` bytes.
    """
    try:
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise UserError(f"{folder} is not an artefact folder: {error.strerror}.") from error
    try:
        with os.scandir(place) as entries:
            names = sorted(entry.name for entry in islice(entries, MOST_FILES + 1))
        if len(names) > MOST_FILES:
            raise UserError(f"{folder} holds more than {MOST_FILES} files: an artefact is two, with a note or so.")
        into.mkdir()
        copied = 0
        for name in names:
            copied += _copy(folder, place, name, into / name, most - copied)
    finally:
        os.close(place)
    return copied


def _copy(folder: Path, place: int, name: str, target: Path, most: int) -> int:
    try:
        # A pipe would wait for a writer, and a link may lead anywhere.
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place)
    except OSError as error:
        raise UserError(f"{folder / name} is no regular file that can be read: {error.strerror}.") from error
    if not stat.S_ISREG(os.fstat(source).st_mode):
        os.close(source)
        raise UserError(f"{folder / name} is not a regular file: an artefact holds nothing else.")
    with os.fdopen(source, "rb") as reading:
        most = min(most, MANIFEST_BYTES) if name == MANIFEST else most
        copied = 0
        with target.open("xb") as writing:
            while chunk := reading.read(CHUNK):
                copied += len(chunk)
                if copied > most:
                    raise UserError(f"{folder / name} is too large: {most:,} bytes are left for it.")
                writing.write(chunk)
    return copied


def examine(folder: Path, n_users: int, n_items: int) -> Artefact:
    """Load what `copy` copied, and decode all of it once.

    Call it in a process that may end at any time: what it reads was made by a stranger.

    Raises
    ------
    UserError
        When it isn't an artefact of so many users and items, in one sentence.
    MemoryError
    """
    try:
        _bounded(parse((folder / MANIFEST).read_bytes()), most_bytes(n_users + n_items))
        artefact = Artefact.load(folder)
        sizes = artefact.users.shape[0], artefact.items.shape[0]
        if sizes != (n_users, n_items):
            raise ValueError(f"it has {sizes[0]} users and {sizes[1]} items, not {n_users} and {n_items}")
        for name, tensor in artefact.tensors().items():
            if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                raise ValueError(f"{name} holds what is no number")
        for side in (artefact.users, artefact.items):
            _decodes(side)
    except (UserError, MemoryError):
        raise
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is missing: {folder} is not an artefact folder.") from error
    except Exception as error:  # Whatever a codec stumbles over: it was given what it never wrote.
        told = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{MANIFEST} and {TENSORS} don't make an artefact: {told}.") from error
    return artefact


def _decodes(codec: Codec) -> None:
    rows, columns = codec.shape
    if not 0 < columns <= ROW_BYTES // 4:
        raise ValueError(f"a table has {columns} columns")
    for block in blocks(rows):
        table = codec.decode(block)
        # Also false where a value is NaN.
        if tuple(table.shape) != (len(range(rows)[block]), columns) or not (table.abs() <= LARGEST).all():
            raise ValueError("a table decodes to what is no number or too large a one, or to other rows than it has")


def _bounded(manifest: dict[str, Any], most: int) -> None:
    """Raise ValueError where a manifest asks for more than an artefact of this size can be."""
    for spec in _specs(manifest, DEPTH):
        if _number(spec, "rows", 1) * max(_number(spec, "columns", 1), 1) > most:
            raise ValueError("a table has more rows and columns than the data set")
        if _number(spec, "terms", 1) * _number(spec, "rows", 1) > most:
            raise ValueError("a table has more codewords than the data set could use")


def _number(spec: dict[str, Any], name: str, default: int) -> int:
    value = spec.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} is {str(value)[:20]!r}, which is no count")
    return value


def _specs(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    if depth < 0:
        raise ValueError(f"its manifest is nested more than {DEPTH} deep")
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    for each in value if isinstance(value, list) else ():
        yield from _specs(each, depth - 1)

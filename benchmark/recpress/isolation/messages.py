"""What a stage's process and its parent tell each other: lines of JSON through a pipe.

The parent trusts none of it: a line has a limit, and what it says is checked against the type that a function promises.
"""

from __future__ import annotations

import json
import os
import traceback
import typing
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from recpress.isolation import leftovers

LARGEST_ANSWER = 64 << 20
LARGEST_REASON = 400
LARGEST_LOG = 100_000
CHUNK = 1 << 16
# A result that is an array comes as this file.
ARRAY = "result.npy"

T = TypeVar("T")
# How work in a process of its own can fail.
FailureStatus = Literal["failed", "timeout", "out-of-memory"]


def in_a_line(reason: str) -> str:
    """Return a reason as a record holds it: one line, not too long."""
    return " ".join(reason.split())[:LARGEST_REASON]


@dataclass(frozen=True)
class Share:
    """The finished share of a stage's work, in [0, 1]."""

    share: float


@dataclass(frozen=True)
class Note:
    """A line for whoever watches."""

    text: str


@dataclass(frozen=True)
class Answer:
    """What a stage's function returned, as JSON has it."""

    value: Any


@dataclass(frozen=True)
class Failure:
    """What a stage's function raised."""

    status: FailureStatus
    reason: str
    details: str


Message = Share | Note | Answer | Failure


class Reporter:
    """A child's way to tell the finished share of its work, what it sees on the way, and what comes of it."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def send(self, share: float, /) -> None:
        """Tell a share in [0, 1]."""
        self.tell(to_json({"share": float(share)}))

    def note(self, text: str, /) -> None:
        """Tell a line for whoever watches."""
        self.tell(to_json({"note": text}))

    def answer(self, value: Any, scratch: Path) -> bytes:
        """Return the message of what the function returned; an array goes by way of a file in the scratch folder."""
        if isinstance(value, np.ndarray):
            np.save(scratch / ARRAY, value, allow_pickle=False)
            value = ARRAY
        return to_json({"result": value})

    def failure(self, status: FailureStatus, reason: str) -> bytes:
        """Return the message of what the function raised; call it while that is handled."""
        log = traceback.format_exc()[-LARGEST_LOG:]
        return to_json({"failure": [status, reason, log]}, serialize_unknown=True)

    def tell(self, message: bytes, /) -> None:
        """Write a message, a line."""
        left = memoryview(message + b"\n")
        while left:
            left = left[os.write(self._pipe.fileno(), left) :]


class Messages:
    """The parent's end: whole messages of what may come in pieces, or never end."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._read = bytearray()

    def next(self, seconds: float) -> Message | None:
        """Return the next message, or None where it isn't there after so many seconds.

        Raises
        ------
        EOFError
        ValueError
            When a line is longer than `LARGEST_ANSWER`, or of no known kind.
        """
        line = self._line(seconds)
        return None if line is None else parse(line)

    def _line(self, seconds: float) -> bytes | None:
        if b"\n" not in self._read:
            if not self._pipe.poll(max(0.0, seconds)):
                return None
            # It has something to read, so this doesn't wait.
            piece = os.read(self._pipe.fileno(), CHUNK)
            if not piece:
                raise EOFError
            self._read += piece
        line, newline, rest = self._read.partition(b"\n")
        if len(line) > LARGEST_ANSWER:
            raise ValueError("its answer has no end")
        if not newline:
            return None
        self._read = rest
        return bytes(line)


def parse(line: bytes) -> Message:
    """Return what a line says.

    Raises
    ------
    ValueError
        When it is of no known kind.
    """
    match json.loads(line):
        case {"share": float(share)}:
            return Share(min(max(share, 0.0), 1.0))
        case {"note": str(note)}:
            return Note(note[:LARGEST_REASON])
        case {"result": result}:
            return Answer(result)
        case {"failure": ["failed" | "out-of-memory" as status, str(reason), str(details)]}:
            return Failure(status, reason, details)
    raise ValueError("a message of no known kind")


def checked(function: Callable[..., T], answer: Any, scratch: Path) -> T:
    """Make what a function promises out of what came through the pipe.

    Raises
    ------
    ValueError
        Where that can't be done.
    """
    promised = typing.get_type_hints(function)["return"]
    if typing.get_origin(promised) is np.ndarray:
        if answer != ARRAY:
            raise ValueError("it is no array")
        value: Any = leftovers.array(scratch / ARRAY)
    else:
        value = TypeAdapter(promised).validate_python(answer)
    result: T = value
    return result


def said(error: Exception) -> str:
    """Return what an exception says, in words for people."""
    if isinstance(error, ValidationError):
        from recpress.core.cards import validation_message

        return validation_message(error)
    return str(error)

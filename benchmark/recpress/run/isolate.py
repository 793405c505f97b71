"""Work in a fresh process: forked from a server that has imported torch and seen no data."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from recpress.record import Status

# Where raw data lies is not told to those who compress and serve.
HIDDEN = ("RECPRESS_DATA", "RECPRESS_CACHE")
PRELOADED = ["recpress.run.worker"]
PR_SET_PDEATHSIG = 1

T = TypeVar("T")


class WorkFailed(Exception):
    """A child raised, ended without an answer, or took too long.

    Attributes
    ----------
    status : {"failed", "timeout", "out-of-memory"}
    details : str
        The child's traceback, where it left one.
    """

    def __init__(self, status: Status, reason: str, details: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.details = details


@contextmanager
def _scrubbed() -> Iterator[None]:
    hidden = {name: os.environ.pop(name) for name in HIDDEN if name in os.environ}
    # Waiting threads sleep instead of spinning: on shared cores spinning costs a multiple of the work.
    added = {"OMP_WAIT_POLICY": "PASSIVE"} if "OMP_WAIT_POLICY" not in os.environ else {}
    os.environ.update(added)
    try:
        yield
    finally:
        os.environ.update(hidden)
        for name in added:
            del os.environ[name]


def _child(pipe: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent decides, and ends its children.
    if sys.platform == "linux":
        # The server ends when the parent does, however that ends; so do we.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        pipe.send((True, function(*arguments, report=pipe)))
    except MemoryError:
        pipe.send((False, ("out-of-memory", "there was not enough memory", traceback.format_exc())))
    except Exception as error:
        kind = "out-of-memory" if "can't allocate memory" in str(error) else "failed"
        pipe.send((False, (kind, f"{type(error).__name__}: {error}", traceback.format_exc())))


def call(
    function: Callable[..., T],
    *arguments: Any,
    timeout: float,
    progress: Callable[[float], None] | None = None,
) -> T:
    """Run ``function(*arguments, report=pipe)`` in a fresh process and return what it returns.

    Parameters
    ----------
    function : callable
        Importable. Through ``report.send(share)`` it may tell the finished share of its work.
    timeout : float
        Seconds.
    progress : callable, optional
        Is told each share.

    Raises
    ------
    WorkFailed
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    ours, theirs = context.Pipe(duplex=False)
    with _scrubbed():
        process = context.Process(target=_child, args=(theirs, function, arguments), daemon=True)
        process.start()
    theirs.close()
    try:
        deadline = time.monotonic() + timeout
        while True:
            if not ours.poll(max(0.0, deadline - time.monotonic())):
                raise WorkFailed("timeout", f"it took more than {timeout:g} s")
            message = ours.recv()
            if isinstance(message, float):
                if progress:
                    progress(message)
                continue
            done, value = message
            if not done:
                raise WorkFailed(*value)
            result: T = value
            return result
    except EOFError:
        process.join()
        code = process.exitcode or 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        raise WorkFailed("failed", f"its process {how} without an answer") from None
    finally:
        if process.is_alive():
            process.kill()
        process.join()
        ours.close()

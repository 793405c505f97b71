"""Work in a fresh process: forked from a server that has imported torch and seen no data.

A process that ran a method's code is never trusted with a pickle: `recpress.isolation.messages` says what comes back.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import psutil

from recpress.core.paths import cache_dir
from recpress.isolation import leftovers, process_cleanup, sandbox
from recpress.isolation.messages import (
    LARGEST_LOG,
    Answer,
    Failure,
    FailureStatus,
    Messages,
    Note,
    Reporter,
    Share,
    checked,
    in_a_line,
    said,
)
from recpress.isolation.sandbox import Bounds
from recpress.measure.watch import scrubbed_environment

PRELOADED = ["recpress.experiments.preload"]
# How often a process is looked at, in seconds.
TICK = 0.5
# What multiprocessing gives as exit code of a process whose server is gone.
SERVER_GONE = 255
# Ends of a stage that may be a whole run's: a signal to all processes, as batch systems send it, reaches the stages and
# their server too, in any order. So long, in seconds, the run may still be told to stop, also on a slow machine.
STOP_SIGNALS = (-signal.SIGTERM, -signal.SIGHUP, SERVER_GONE)
GRACE = 10.0

T = TypeVar("T")


class WorkFailed(Exception):
    """A child raised, ended without an answer, or took too long.

    Attributes
    ----------
    status : {"failed", "timeout", "out-of-memory"}
    details : str
        The child's traceback, where it left one.
    """

    def __init__(self, status: FailureStatus, reason: str, details: str = "") -> None:
        super().__init__(in_a_line(reason))
        self.status = status
        self.details = details[:LARGEST_LOG]


class Stopped(Exception):
    """The run is being stopped: this work ends without a result and without a record."""


@dataclass(frozen=True)
class Usage:
    """What a stage's process uses now: resident bytes, and cores that are busy with it."""

    resident: int
    cores: float


@dataclass(frozen=True)
class Allowance:
    """What each stage of a run is given.

    Attributes
    ----------
    seconds : float or None
        Wall-clock limit of each stage, where it is shorter than the stage's own.
    memory : int or None
        Bytes that a stage's process may hold, beyond what it starts with.
    cores : tuple of int or None
        Those that it may run on.
    stop : threading.Event
        When set, work in progress raises `Stopped`.
    usage : callable
        Is called every half second with what the process uses.
    scratch : Path or None
        Where its scratch folder is made; default: the system's place for temporary files.
    """

    seconds: float | None = None
    memory: int | None = None
    cores: tuple[int, ...] | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    usage: Callable[[Usage], None] = lambda usage: None
    scratch: Path | None = None

    def check(self) -> None:
        """Raise `Stopped` when the run is being stopped."""
        if self.stop.is_set():
            raise Stopped


def start() -> None:
    """Start the fork server, unless it runs, so that it imports while the caller goes on.

    Call it before threads are started: the server gets its scrubbed environment by way of ours.
    """
    if process_cleanup.server_pid() is not None:
        return
    multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOADED)
    with scrubbed_environment():
        # Waiting threads sleep instead of spinning: on shared cores spinning costs a multiple of the work.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        os.environ["PYTHONSAFEPATH"] = "1"  # Nothing is imported from where the user happens to stand.
        # An interrupt reaches all processes of a terminal, and the program answers it. The server starts with it held
        # back, and ignores it once it can.
        resource_tracker.ensure_running()  # Here, because it lets interrupts through again.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _child(pipe: Connection, bounds: Bounds, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    reporter = Reporter(pipe)
    try:
        process_cleanup.let_server_go()
        sandbox.enter(bounds, pipe.fileno())
        result = function(*arguments, report=reporter)
        message = reporter.answer(result, bounds.scratch)
    except MemoryError:
        message = reporter.failure("out-of-memory", "there was not enough memory")
    except Exception as error:
        short = "can't allocate memory" in str(error) or "Cannot allocate memory" in str(error)
        message = reporter.failure("out-of-memory" if short else "failed", f"{type(error).__name__}: {said(error)}")
    with suppress(OSError):  # The parent has stopped listening: it is about to end us.
        reporter.tell(message)
    # Wait for the parent, which first ends whatever we have started: orphans are ours as long as we live.
    pipe.poll(None)


def call(
    function: Callable[..., T],
    *arguments: Any,
    timeout: float,
    progress: Callable[[float], None] | None = None,
    notes: Callable[[str], None] | None = None,
    writable: tuple[Path, ...] = (),
    allowance: Allowance | None = None,
) -> T:
    """Run ``function(*arguments, report=report)`` in a fresh process and return what it returns.

    The process may write in a scratch folder of its own, which is removed afterwards, and in `writable`. It may read
    there, what its arguments name, programs and code. It has no network, no other process, no data set, and no file of
    ours that is open. Whatever it starts ends with it. See `recpress.isolation.sandbox.isolation` for where that holds.

    Parameters
    ----------
    function : callable
        Importable, with an annotated result: an array, or what JSON can carry. Through ``report.send(share)`` it may
        tell the finished share of its work.
    timeout : float
        Seconds.
    progress : callable, optional
        Is called with each share.
    notes : callable, optional
        Is called with each line that the function gives to ``report.note(text)``.
    writable : tuple of Path
        Folders, made if they aren't there.
    allowance : Allowance, optional

    Raises
    ------
    WorkFailed
    Stopped
    """
    allowance = allowance or Allowance()
    for folder in writable:
        folder.mkdir(parents=True, exist_ok=True)
    start()
    with leftovers.folder("stage-", allowance.scratch) as scratch:
        bounds = Bounds(
            scratch,
            writable,
            _hidden(),
            tuple(_paths(arguments)),
            memory=allowance.memory,
            cores=allowance.cores,
        )
        limit = timeout if allowance.seconds is None else min(timeout, allowance.seconds)
        try:
            with leftovers.checked(scratch, *writable):
                answer = _run(function, arguments, bounds, limit, progress, notes, allowance)
            return checked(function, answer, scratch)
        except WorkFailed as failure:
            if printed := leftovers.tail(scratch / sandbox.PRINTED, LARGEST_LOG):
                failure.details += f"\nIt printed:\n{printed}"
            raise
        except (OSError, ValueError, RecursionError) as error:
            raise WorkFailed("failed", f"its process answered nonsense: {said(error)}") from None


def _run(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    bounds: Bounds,
    limit: float,
    progress: Callable[[float], None] | None,
    notes: Callable[[str], None] | None,
    allowance: Allowance,
) -> Any:
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe()
    process = context.Process(target=_child, args=(theirs, bounds, function, arguments), daemon=True)
    try:
        with process_cleanup.starting, _without_main():
            process.start()
    except (EOFError, ConnectionError):  # The server ended while it started the process.
        ours.close()
        raise _without_an_answer(SERVER_GONE, allowance) from None
    finally:
        theirs.close()
    answered = False
    try:
        answer = _listen(ours, process.pid or 0, limit, progress, notes, allowance)
        answered = True
        return answer
    except (EOFError, ConnectionResetError):
        process.join()
        raise _without_an_answer(process.exitcode or 0, allowance) from None
    finally:
        process_cleanup.end(process, ours, patience=1.0 if answered else 0.0)


@contextmanager
def _without_main() -> Iterator[None]:
    """Hide the program that was started: a child would run it again, and stages need nothing of it."""
    program = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = program


def _paths(arguments: Iterable[Any]) -> Iterator[Path]:
    for argument in arguments:
        if isinstance(argument, Path):
            yield argument
        elif isinstance(argument, functools.partial):
            yield from _paths(argument.args)


def _hidden() -> tuple[Path, ...]:
    """Return where raw data, splits and other runs' results lie: no stage reads there, though code lie around it."""
    data = os.environ.get("RECPRESS_DATA")
    return (cache_dir(), *sandbox.private(), *([Path(data)] if data else []))


def _listen(
    pipe: Connection,
    pid: int,
    limit: float,
    progress: Callable[[float], None] | None,
    notes: Callable[[str], None] | None,
    allowance: Allowance,
) -> Any:
    deadline = time.monotonic() + limit
    look = time.monotonic() + TICK
    seen: psutil.Process | None = None
    messages = Messages(pipe)
    while True:
        now = time.monotonic()
        allowance.check()
        if now >= deadline:
            raise WorkFailed("timeout", f"it took more than {limit:g} s")
        if now >= look:
            seen = _look(pid, seen, allowance)
            look = now + TICK
        match messages.next(min(deadline, look) - now):
            case Share(share) if progress:
                progress(share)
            case Note(text) if notes:
                notes(text)
            case Answer(value):
                return value
            case Failure(status, reason, details):
                raise WorkFailed(status, reason, details)


def _look(pid: int, seen: psutil.Process | None, allowance: Allowance) -> psutil.Process | None:
    try:
        process = seen or psutil.Process(pid)
        allowance.usage(Usage(process.memory_info().rss, process.cpu_percent() / 100))
    except psutil.Error:
        return None  # It has just ended; the pipe will say so.
    return process


def _without_an_answer(code: int, allowance: Allowance) -> Stopped | WorkFailed:
    """Return what the end of a process without an answer means: of the whole run, or of its work alone."""
    if code in STOP_SIGNALS and allowance.stop.wait(GRACE):
        return Stopped()
    return WorkFailed("failed", _how_it_ended(code))


def _how_it_ended(code: int) -> str:
    if code == -signal.SIGKILL:
        return "its process was killed by SIGKILL without an answer (by the system for want of memory, or by hand)"
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    return f"its process {how} without an answer"

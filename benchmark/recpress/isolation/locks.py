"""Locks between the jobs of a run and between runs on one machine: of its cores, and of each record."""

from __future__ import annotations

import getpass
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from recpress.core import locking
from recpress.core.hashing import sha256_json
from recpress.core.locking import OnWait, locked, on_stderr, open_lock, take

Slot = tuple[int, ...] | None


def place() -> Path:
    """Return the folder of this user's locks and scratch folders on this machine; it is made if it isn't there."""
    folder = Path(tempfile.gettempdir()) / f"recpress-{getpass.getuser()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


class Cores:
    """The cores that this run may use: shared by work that isn't timed, and one timing's alone.

    Each core has its locks, so runs that were given other cores (``taskset``) don't wait for each other.

    A timing waits for all work beside it, and new work waits for the timing. So as not to idle over each, timings of
    one run wait for each other, while its other work goes on, and then take turns. Of other runs, a timing that waits
    holds the gate, so that new work waits behind it and it is never starved.

    Parameters
    ----------
    check : callable
        Is called while waiting; it raises to give up.
    slots : sequence of (tuple of int or None)
        For each piece of work that this run does at a time, the cores that it may use; None: all.
    together : int
        Timings that wait for each other, if the run does anything else meanwhile.
    on_wait : callable
        Is called every few seconds with what is waited for, where others than this run hold it.
    """

    def __init__(
        self,
        check: Callable[[], None] = lambda: None,
        slots: Sequence[Slot] = (None,),
        together: int = 1,
        on_wait: OnWait = on_stderr,
    ) -> None:
        self._check, self._on_wait, self._said = check, on_wait, 0.0
        self._gates = [place() / f"gate-{core}.lock" for core in _cores()]
        self._rooms = [place() / f"core-{core}.lock" for core in _cores()]
        self._free, self._slots, self._together = list(slots), len(slots), together
        self._changed = threading.Condition()
        self._to_time, self._timing = 0, False

    @contextmanager
    def shared(self) -> Iterator[Slot]:
        """Use the cores given, beside others that are not timed."""
        with self._changed:
            self._wait(lambda: bool(self._free) and not self._timing)
            slot = self._free.pop(0)
        try:
            check = self._waiting_for("a timing of another run, which has the machine alone")
            with ExitStack() as rooms:
                with _all(self._gates, check):
                    rooms.enter_context(_all(self._rooms, check, shared=True))
                yield slot
        finally:
            with self._changed:
                self._free.append(slot)
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[Slot]:
        """Use all cores while nobody else of this user's runs does."""
        with self._changed:
            self._to_time += 1
        try:
            with self._changed:
                self._wait(self._due)
                self._timing = True
            gate = self._waiting_for("a timing of another run, after which this run's timing has the machine")
            room = self._waiting_for("the end of work under way, beside which nothing is timed")
            with _all(self._gates, gate), _all(self._rooms, room):
                yield None
        finally:
            with self._changed:
                self._to_time -= 1
                self._timing = self._timing and self._to_time > 0
                self._changed.notify_all()

    def _waiting_for(self, what: str) -> Callable[[], None]:
        """Return what to call while waiting: it gives up as the run does, and reports the wait now and then."""
        report = locking.saying(what, self._once)

        def check() -> None:
            self._check()
            report()

        return check

    def _once(self, what: str, seconds: float) -> None:
        """Report a wait, unless another job that waits has just done so."""
        now = time.monotonic()
        if now - self._said >= locking.SAY_SECONDS / 2:
            self._said = now
            self._on_wait(what, seconds)

    def _due(self) -> bool:
        return self._timing or self._to_time >= self._together or len(self._free) == self._slots

    def _wait(self, until: Callable[[], bool]) -> None:
        while not until():
            self._check()
            self._changed.wait(locking.TICK)


def _cores() -> list[int]:
    """Return the cores that this process may use; one stands for all where the system doesn't tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


@contextmanager
def _all(paths: Sequence[Path], check: Callable[[], None], *, shared: bool = False) -> Iterator[None]:
    """Hold several lock files; all runs take them in the same order, so that none waits for one that waits for it."""
    with ExitStack() as held:
        for path in paths:
            held.enter_context(locked(path, check, shared=shared))
        yield


@contextmanager
def claim(results: Path, record: Path) -> Iterator[bool]:
    """Claim the making of a record; tell whether it is ours. Other runs on this machine leave it to us meanwhile.

    Parameters
    ----------
    results : Path
        The results folder.
    record : Path
        The record's place in it.
    """
    name = sha256_json([str(results.resolve()), str(record)])[:32]
    path = place() / f"cell-{name}.lock"
    descriptor = open_lock(path)
    try:
        ours = take(descriptor) and _still_there(path, descriptor)
        yield ours
        if ours:
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _still_there(path: Path, descriptor: int) -> bool:
    """Tell whether the file that we locked is the one that others find: its last holder may have removed it."""
    with suppress(FileNotFoundError):
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    return False

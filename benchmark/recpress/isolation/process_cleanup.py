"""How a stage's process ends: with everything that it has started, whatever became of it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import psutil

# Held while a process is started, so that no new stage is taken for an orphan.
starting = threading.Lock()


def end(process: BaseProcess, pipe: Connection, patience: float) -> None:
    """End a stage's process and everything that it has started and not ended.

    Parameters
    ----------
    patience : float
        Seconds that it has to end by itself.
    """
    pid = process.pid or 0
    _kill(_children_of(pid, recursive=True))  # While it lives, all of them are its children.
    pipe.close()
    process.join(patience)
    if process.is_alive():
        process.kill()
        process.join()
    with suppress(ProcessLookupError, PermissionError):  # Nobody of it is left.
        os.killpg(pid, signal.SIGKILL)
    with starting:
        # A stage that crashed leaves to the server what had left its group.
        stages = {each.pid for each in multiprocessing.active_children()}
        orphans = [each for each in _children_of(server_pid() or 0, recursive=False) if each.pid not in stages]
        _kill([each for orphan in orphans for each in (*_children_of(orphan.pid, recursive=True), orphan)])


def _children_of(pid: int, recursive: bool) -> list[psutil.Process]:
    if pid == 0:
        return []
    try:
        return psutil.Process(pid).children(recursive=recursive)
    except psutil.Error:
        return []  # It has ended.


def _kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.kill()


def server_pid() -> int | None:
    """Return the process id of the fork server, or None while it doesn't run."""
    # The standard library tells this nowhere else.
    pid: int | None = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]  # private: not in the stubs
    return pid


def end_children() -> None:
    """End whatever this process has started and not ended: the fork server's last act, when the run is gone."""
    _kill(_children_of(os.getpid(), recursive=True))


def let_server_go() -> None:
    """Let the fork server of this stage end as soon as the run does, and the stage with it.

    The standard library gives each stage an end of the pipe that keeps the server alive: when a run was killed, its
    stages went on until they had something to report, a training for an epoch, a search for hours.
    """
    held: Any = forkserver._forkserver  # The standard library has no other way, and its stubs none.
    os.close(held._forkserver_alive_fd)
    held._forkserver_alive_fd = None
    # And of the pipe to the run's resource tracker, which removes whatever it is told to.
    tracker: Any = resource_tracker._resource_tracker
    os.close(tracker._fd)
    tracker._fd = None

"""Lock files: alone or shared, between threads and processes, freed by a death, with the wait reported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from recpress.core import locking
from recpress.core.locking import locked, open_lock, saying, take

HOLDER = """
import sys, time
from pathlib import Path
from recpress.core.locking import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


class Enough(Exception): ...


def give_up() -> None:
    raise Enough


def test_a_lock_is_held_alone_or_shared_with_those_who_share_it(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with locked(path):
        for shared in (False, True):
            with pytest.raises(Enough), locked(path, give_up, shared=shared):
                pass
    with locked(path, shared=True), locked(path, give_up, shared=True), pytest.raises(Enough), locked(path, give_up):
        pass
    with locked(path, give_up):
        pass


def test_a_folder_is_locked_without_a_file_and_is_not_made(tmp_path: Path) -> None:
    one, other = open_lock(tmp_path, folder=True), open_lock(tmp_path, folder=True)
    try:
        assert take(one)
        assert not take(other)
    finally:
        os.close(one)
        os.close(other)
    assert not list(tmp_path.iterdir())
    with pytest.raises(FileNotFoundError):
        open_lock(tmp_path / "none", folder=True)
    assert not (tmp_path / "none").exists()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Enough), locked(path, give_up):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with locked(path, give_up):
            pass


def test_a_wait_is_reported_every_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(locking.time, "monotonic", lambda: now[0])
    told: list[tuple[str, float]] = []
    check = saying("another run", lambda what, seconds: told.append((what, seconds)))
    for second in range(13):
        now[0] = 100.0 + second
        check()
    assert told == [("another run", 5.0), ("another run", 10.0)]

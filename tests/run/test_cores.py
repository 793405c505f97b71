"""Who may use the machine's cores when: work side by side, timings alone."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from recpress.core import locking
from recpress.isolation import locks
from recpress.isolation.locks import Cores


@pytest.fixture(autouse=True)
def _own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "place", lambda: tmp_path)


def test_timings_have_the_machine_and_work_its_own_slot() -> None:
    cores, seen, now = Cores(slots=((0,), (1,)), together=3), threading.Lock(), {"work": [], "timing": 0}
    wrong: list[str] = []

    def cell(number: int) -> None:
        with cores.shared() as slot:
            with seen:
                if slot in now["work"] or now["timing"]:
                    wrong.append(f"{number} works on {slot} beside {now}")
                now["work"].append(slot)
            time.sleep(0.002 * (number % 4))
            with seen:
                now["work"].remove(slot)
        with cores.alone() as slot:
            with seen:
                if now["work"] or now["timing"] or slot is not None:
                    wrong.append(f"{number} is timed beside {now}")
                now["timing"] += 1
            time.sleep(0.002)
            with seen:
                now["timing"] -= 1
        with cores.shared():
            pass

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(cell, range(24)))
    assert not wrong


def test_a_timing_waits_for_others_while_work_goes_on_and_no_longer() -> None:
    cores, order = Cores(slots=(None, None), together=2), []
    working, second = threading.Event(), threading.Event()

    def long_work() -> None:
        with cores.shared():
            working.set()
            second.wait(10)
            order.append("work")

    def timing(name: str) -> None:
        with cores.alone():
            order.append(name)

    def more_work() -> None:
        with cores.shared():  # The first timing waits, and holds nobody up.
            order.append("more work")

    with ThreadPoolExecutor(4) as pool:
        pool.submit(long_work)
        working.wait(10)
        pool.submit(timing, "first")
        time.sleep(0.1)
        pool.submit(more_work).result(10)
        assert order == ["more work"]
        last = pool.submit(timing, "second")
        time.sleep(0.1)
        late = pool.submit(more_work)  # Two are due: new work waits for them, and they for the work under way.
        time.sleep(0.1)
        assert order == ["more work"]
        second.set()
        last.result(10)
        late.result(10)
    assert order[:2] == ["more work", "work"]
    assert sorted(order[2:4]) == ["first", "second"]
    assert order[4] == "more work"


def test_a_timing_starts_at_once_where_nothing_else_is_done() -> None:
    with Cores(slots=(None, None), together=4).alone() as slot:
        assert slot is None


def test_who_waits_for_another_run_says_so_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "SAY_SECONDS", 0.1)
    monkeypatch.setattr(locks, "_cores", lambda: [4, 7])
    told: list[tuple[str, float]] = []
    cores, over = Cores(on_wait=lambda what, seconds: told.append((what, seconds))), threading.Event()

    def waits(kind: str) -> None:
        with getattr(cores, kind)():
            over.set()

    for kind, lock, what in (
        ("shared", "gate-7.lock", "a timing of another run"),
        ("alone", "gate-7.lock", "a timing of another run"),
        ("alone", "core-4.lock", "the end of work under way"),
    ):
        told.clear()
        over.clear()
        with ThreadPoolExecutor(1) as pool:
            with locks.locked(tmp_path / lock):
                waiting = pool.submit(waits, kind)
                time.sleep(0.5)
                assert not over.is_set()
            waiting.result(10)
        assert 2 <= len(told) <= 5
        assert all(said.startswith(what) for said, _ in told)
        assert [seconds for _, seconds in told] == sorted(seconds for _, seconds in told)
    told.clear()
    with cores.shared():
        pass
    assert not told


@pytest.mark.parametrize(("others", "waits"), [([0, 1], True), ([1, 2], True), ([2, 3], False)])
@pytest.mark.parametrize("kind", ["shared", "alone"])
def test_runs_with_other_cores_do_not_wait(
    kind: str, others: list[int], waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_cores", lambda: [0, 1])
    ours = Cores()
    monkeypatch.setattr(locks, "_cores", lambda: others)
    theirs, over = Cores(), threading.Event()

    def work() -> None:
        with getattr(theirs, kind)():
            over.set()

    with ThreadPoolExecutor(1) as pool:
        with ours.alone():
            done = pool.submit(work)
            assert over.wait(0.5) is not waits
        done.result(10)
    assert over.is_set()


def test_who_gives_up_leaves_nothing_behind() -> None:
    class Enough(Exception): ...

    def check() -> None:
        if gives_up.is_set():
            raise Enough

    gives_up = threading.Event()
    cores = Cores(check, slots=(None,), together=1)
    with cores.shared():
        gives_up.set()
        with pytest.raises(Enough), cores.alone():
            pass
        with pytest.raises(Enough), cores.shared():
            pass
        gives_up.clear()
    with cores.alone():
        pass
    with cores.shared():
        pass

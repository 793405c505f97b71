"""Methods that would keep the run from ending, cleaning up or going on."""

from __future__ import annotations

import time

import psutil
import pytest
from checkouts import Checkout
from placed import kernel_holds, records, run

from recpress.records.record import Record

pytestmark = pytest.mark.slow

# Seconds; against hanging alone.
PATIENCE = 90
FOLDERS = ("leaves_deep_folders", "leaves_what_can_t_be_removed", "leaves_a_closed_folder")


def record_of(checkout: Checkout, name: str, way: str) -> Record:
    return records(checkout, name)[way, "", ""]


@pytest.mark.parametrize("way", ["answers_half", "answers_slowly"])
def test_an_answer_that_never_ends_ends_in_time(checkout: Checkout, way: str) -> None:
    run(checkout, way, [{"way": way}], timeout="5", patience=PATIENCE)
    assert record_of(checkout, way, way).status == "timeout"


@kernel_holds
def test_nobody_outlives_run_and_server(checkout: Checkout) -> None:
    words = ("--dataset", "synthetic-tiny", "--backbone", "mf", "--timing-seconds", "0", "--method", "attacker")
    below: list[psutil.Process] = []
    process = checkout.start("run", *words, "--param", "way=clears_its_death_signal")
    try:
        deadline = time.monotonic() + PATIENCE
        while not list(checkout.temporary.glob("*/run-*/*/hanging")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        program = psutil.Process(process.pid)
        below = program.children(recursive=True)
        # The server first, so that it can't end its stages.
        for each in (*program.children(), program):
            each.kill()
        process.wait()
        _, alive = psutil.wait_procs(below, timeout=20)
        assert [each for each in alive if each.status() != psutil.STATUS_ZOMBIE] == []
    finally:
        for each in below:
            if each.is_running():
                each.kill()
        with process:
            process.kill()


@pytest.fixture(scope="module")
def cleared(checkout: Checkout) -> str:
    """Run what leaves folders that are hard to remove; return what the run said on stderr.

    After all others: such folders may end every run that follows.
    """
    return run(checkout, "left", [{"way": way} for way in FOLDERS])[1]


def test_folders_that_are_hard_to_remove_are_removed(checkout: Checkout, cleared: str) -> None:
    assert "Traceback" not in cleared
    assert checkout.leftovers() == []


@pytest.mark.parametrize("way", FOLDERS)
def test_who_leaves_them_has_a_record(checkout: Checkout, cleared: str, way: str) -> None:
    made = record_of(checkout, "left", way)
    assert made.status == "failed"
    assert (made.reason or "").startswith(("RuntimeError: GOT", "RuntimeError: refused"))


def test_the_next_run_is_not_hindered(checkout: Checkout, cleared: str) -> None:
    run(checkout, "next", [{}], code=0)
    assert record_of(checkout, "next", "honest").status == "ok"

"""Runs that are killed, stopped or doubled: nothing half written, nothing lost, the same figures in the end."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from recpress.records import record

CELLS = 6
# Seconds; against hanging alone.
PATIENCE = 300
SUITE = (
    'title = "Trivial"\ndatasets = ["synthetic-tiny"]\nbackbones = ["mf"]\ntiming_seconds = 0\n'
    '[[methods]]\nname = "trivial"\nparams = [{}]\n'
)
HANGS = ("run", "--dataset", "synthetic-tiny", "--backbone", "mf", "--timing-seconds", "0", "--method", "faulty")
HANGS += ("--param", "fault=hangs")


@pytest.fixture(scope="module")
def suite(checkout) -> str:
    cells = ", ".join(f"{{ number = {number} }}" for number in range(CELLS))
    (checkout.root / "trivial.toml").write_text(SUITE.format(cells))
    return "trivial.toml"


@pytest.fixture(scope="module")
def whole(checkout, suite) -> dict[str, object]:
    """What a run that nobody disturbs gives."""
    results = checkout.root / "whole"
    checkout.recpress("run", "--suite", suite, "--results", str(results))
    found = figures(results)
    assert len(found) == CELLS
    return found


def figures(results: Path) -> dict[str, object]:
    """Every quality figure and the artefact's hash, by cell; reading fails on a record that isn't whole."""
    return {
        f"{each.identity.backbone} {each.identity.method} {each.identity.variant}": (
            each.status,
            each.quality and each.quality.model_dump(),
            each.bytes and (each.bytes.file, each.bytes.sha256, each.bytes.breakdown),
        )
        for each in record.read_all(results)
    }


def processes_of(root: Path) -> list[psutil.Process]:
    """Living processes of the runs in a checkout: the program, the server, the stages and what they started."""
    found = []
    for process in psutil.process_iter():
        try:
            alive = process.status() != psutil.STATUS_ZOMBIE and process.pid != os.getpid()
            if alive and Path(process.cwd()).is_relative_to(root):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def assert_all_gone(root: Path, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while processes_of(root) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_of(root) == []


def wait_for_record(results: Path, process: subprocess.Popen[str]) -> None:
    wait_for(lambda: list(results.glob("records/**/*.json")), process)


def wait_for(found: Callable[[], Sequence[object]], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not found():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


def kill_at_random(checkout, suite: str, results: Path, rng: random.Random) -> None:
    """Start a run and kill -9 the program, its server or a stage after a random time."""
    process = checkout.start("run", "--suite", suite, "--results", str(results))
    time.sleep(rng.uniform(0.5, 8))
    victims = processes_of(checkout.root)
    if victims:
        rng.choice(victims).send_signal(signal.SIGKILL)
    time.sleep(rng.uniform(0, 1))
    process.kill()
    process.communicate()
    figures(results)
    assert_all_gone(checkout.root)


@pytest.mark.parametrize("repeats", [1, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_random_points_and_run_again(checkout, suite, whole, tmp_path, repeats) -> None:
    rng = random.Random(repeats)
    for repeat in range(repeats):
        results = tmp_path / str(repeat)
        kill_at_random(checkout, suite, results, rng)
        before = figures(results)
        checkout.recpress("run", "--suite", suite, "--results", str(results), "--retry-failed")
        assert figures(results) == whole
        # What was finished has been kept, and not made again.
        assert all(whole[name] == found for name, found in before.items() if found[0] == "ok")
        assert not checkout.leftovers()


def start_hanging(checkout, results: Path) -> subprocess.Popen[str]:
    """Start a run of a method that reports nothing for ever, and wait until it does."""
    for left in checkout.temporary.glob("**/hanging"):
        left.unlink()
    process = checkout.start(*HANGS, "--results", str(results))
    wait_for(lambda: list(checkout.temporary.glob("**/hanging")), process)
    return process


@pytest.mark.slow
def test_a_killed_stage_is_a_record_and_the_others_go_on(checkout, suite, whole, tmp_path) -> None:
    process = start_hanging(checkout, tmp_path)
    for each in processes_of(checkout.temporary):
        with suppress(psutil.NoSuchProcess):
            each.kill()
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, said
    (made,) = record.read_all(tmp_path)
    assert made.status == "failed"
    assert "SIGKILL" in (made.reason or "")


def test_a_stage_that_reports_nothing_ends_with_a_killed_program(checkout, suite, whole, tmp_path) -> None:
    process = start_hanging(checkout, tmp_path)
    process.kill()
    process.communicate(timeout=PATIENCE)
    assert_all_gone(checkout.root)


def test_a_signal_stops_a_training_cleanly(checkout) -> None:
    config = checkout.root / "benchmark" / "configs" / "synthetic-tiny" / "gat.toml"
    config.parent.mkdir(exist_ok=True)
    config.write_text("[config]\nlayers = 1\nepochs = 10_000_000\n")
    before = set(checkout.temporary.glob("stage-*"))
    process = checkout.start("train", "--dataset", "synthetic-tiny", "--backbone", "gat", "--valid")
    wait_for(lambda: processes_of(checkout.temporary), process)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM, said
    assert "Traceback" not in said
    assert_all_gone(checkout.root)
    assert set(checkout.temporary.glob("stage-*")) == before


def test_a_run_under_nohup_outlives_its_terminal(checkout, suite, whole, tmp_path) -> None:
    process = checkout.start("run", "--suite", suite, "--results", str(tmp_path), under=("nohup",))
    wait_for_record(tmp_path, process)
    process.send_signal(signal.SIGHUP)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert figures(tmp_path) == whole


@pytest.mark.parametrize("everyone", [False, True], ids=["program", "everyone"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_run_cleanly(checkout, suite, whole, tmp_path, number, everyone) -> None:
    never = '[[methods]]\nname = "faulty"\nparams = [{ fault = "hangs" }]\n'  # so that there is something to stop
    (checkout.root / "endless.toml").write_text((checkout.root / suite).read_text() + never)
    process = checkout.start("run", "--suite", "endless.toml", "--results", str(tmp_path), "--jobs", "2")
    wait_for_record(tmp_path, process)
    # A batch system sends it to all processes of a job; here the program is the last to get it, and late.
    if everyone:
        for each in processes_of(checkout.root):
            if each.pid != process.pid:
                with suppress(psutil.NoSuchProcess):
                    each.send_signal(number)
        time.sleep(2)
    process.send_signal(number)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number, said
    assert "Traceback" not in said
    assert_all_gone(checkout.root)
    assert not checkout.leftovers()
    assert {name: whole[name] for name in figures(tmp_path)} == figures(tmp_path) != {}


def test_an_interrupt_while_the_server_starts_is_one_sentence(checkout, suite, tmp_path) -> None:
    process = checkout.start("run", "--suite", suite, "--results", str(tmp_path))

    def servers() -> list[psutil.Process]:
        found = psutil.Process(process.pid).children()
        return [each for each in found if "forkserver" in " ".join(each.cmdline())]

    wait_for(servers, process)
    for each in servers():
        each.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGINT, said
    assert "Traceback" not in said
    assert_all_gone(checkout.root)


def test_a_stopped_rerun_goes_on_where_it_was(checkout, suite, whole, tmp_path) -> None:
    results = tmp_path / "results"
    shutil.copytree(checkout.root / "whole", results)
    words = ("results", "reproduce", "--sample", str(CELLS), "--results", str(results))
    process = checkout.start(*words)
    wait_for(lambda: list(results.glob("attestations/**/*.json")), process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert_all_gone(checkout.root)
    assert not checkout.leftovers()
    before = {path: path.read_bytes() for path in results.glob("attestations/**/*.json")}
    said = checkout.recpress(*words)
    assert f"{CELLS} runs, {len(before)} done, {CELLS - len(before)} to run" in said
    assert f"{CELLS} of {CELLS} agree" in said
    assert {path: path.read_bytes() for path in before} == before
    assert figures(results) == whole


def test_two_runs_on_one_folder_share_the_work(checkout, suite, whole, tmp_path) -> None:
    words = ("run", "--suite", suite, "--results", str(tmp_path), "--json-log")
    both = [checkout.start(*words), checkout.start(*words)]
    logs = [process.communicate(timeout=PATIENCE)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], logs
    events = [json.loads(line) for log in logs for line in log.splitlines()]
    finished = [each["label"] for each in events if each["event"] == "finished"]
    assert sorted(finished) == sorted(set(finished))
    assert len(finished) == CELLS
    assert figures(tmp_path) == whole


@pytest.mark.slow
def test_two_jobs_give_what_one_gives(checkout, suite, whole, tmp_path) -> None:
    checkout.recpress("run", "--suite", suite, "--results", str(tmp_path), "--jobs", "2")
    assert figures(tmp_path) == whole


@pytest.mark.slow
def test_a_full_disk_is_one_sentence_and_no_half_record(checkout, suite, whole, tmp_path) -> None:
    """A small file system of our own is full after some records; more room, and the run goes on."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", small], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting needs privileges")
    try:
        said = checkout.recpress("run", "--suite", suite, "--results", str(small), code=2)
        assert "No space left on device" in said
        assert "Traceback" not in said
        assert set(figures(small)) < set(whole)
        subprocess.run(["mount", "-o", "remount,size=10m", small], check=True)
        checkout.recpress("run", "--suite", suite, "--results", str(small))
        assert figures(small) == whole
        assert not list(small.rglob("*.tmp"))
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.slow
def test_a_method_that_fills_the_disk_is_a_failed_cell(checkout, tmp_path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", small], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting needs privileges")
    try:
        checkout.variables["TMPDIR"] = str(small)
        words = ("--dataset", "synthetic-tiny", "--backbone", "mf", "--timing-seconds", "0", "--method", "faulty")
        results = tmp_path / "results"
        checkout.recpress("run", *words, "--param", "fault=fills_the_disk", "--results", str(results), code=1)
        (made,) = record.read_all(results)
        assert made.status == "failed"
        assert "No space left on device" in (made.reason or "")
        assert not list(small.glob("*/run-*"))
    finally:
        checkout.variables.pop("TMPDIR", None)
        subprocess.run(["umount", small], check=True)


@pytest.mark.slow
@pytest.mark.data
def test_the_quick_suite_killed_in_the_middle_ends_as_if_it_had_not_been(original_data, tmp_path) -> None:
    """Issue 2: every quality figure of the quick suite on MovieLens-100K, exactly."""
    environment = os.environ | {
        "RECPRESS_DATA": str(original_data),
        "RECPRESS_CACHE": str(tmp_path / "cache"),
        "TMPDIR": str(tmp_path),
    }

    def start(results: str) -> subprocess.Popen[str]:
        words = ["run", "--suite", "quick", "--timing-seconds", "0.05", "--results", str(tmp_path / results)]
        command = [sys.executable, "-m", "recpress.cli", *words]
        return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def finish(results: str) -> None:
        process = start(results)
        said, _ = process.communicate()
        assert process.returncode == 0, said

    finish("whole")
    expected = figures(tmp_path / "whole")
    rng = random.Random(0)
    # Once while the backbone is trained anew, and then wherever it comes.
    for name in ("backbones", None, None):
        if name:
            (tmp_path / "cache" / name).rename(tmp_path / "first-backbones")
        process = start("killed")
        time.sleep(rng.uniform(3, 30))
        process.kill()
        process.communicate()
        killed = figures(tmp_path / "killed")
        assert {key: expected[key] for key in killed} == killed
    finish("killed")
    assert figures(tmp_path / "killed") == expected

"""The machine, memory, load and provenance, read on whatever this test runs on."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from recpress.measure import load
from recpress.measure.machine import THREADS, environment, fingerprint
from recpress.measure.memory import cuda_peak, growth, peak_resident, reset_peak, resident
from recpress.measure.provenance import Stopwatch, git_state


def test_the_fingerprint_is_the_same_in_another_process_with_other_threads() -> None:
    script = "from recpress.measure.machine import fingerprint; print(fingerprint().fingerprint)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={"OMP_NUM_THREADS": "2"}
    )
    assert done.stdout.strip() == fingerprint().fingerprint
    assert len(fingerprint().fingerprint) == 12


@pytest.mark.parametrize(("name", "value"), [("OPENBLAS_CORETYPE", "Haswell"), ("MKL_CBWR", "AVX2,STRICT")])
def test_provenance_tells_which_kernels_were_chosen(name: str, value: str, monkeypatch) -> None:
    monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert name not in environment()
    monkeypatch.setenv(name, value)
    assert {"OMP_NUM_THREADS": "3", name: value}.items() <= environment().items()
    assert name not in environment(THREADS)


def test_the_fingerprint_changes_with_what_changes_a_timing() -> None:
    here = fingerprint()
    others = [replace(here, cores=99), replace(here, kernel="0.1"), replace(here, flags=()), replace(here, cpu="z")]
    assert len({here.fingerprint, *(each.fingerprint for each in others)}) == 5


def test_the_machine_file_holds_the_label_and_every_field() -> None:
    content = json.loads(fingerprint().json())
    assert content["label"].startswith(content["cpu"])
    assert content["threads"] == psutil.cpu_count()
    assert content["packages"]["numpy"] == np.__version__


def test_peak_memory_follows_an_allocation_and_outlives_it() -> None:
    reset_peak()
    before = resident()
    block = np.ones(200 * 2**20, np.uint8)
    size = block.nbytes
    del block
    # The kernel adds up per thread and may lag by a few pages.
    assert peak_resident() >= before + size - 2**20
    assert peak_resident(psutil.Process().pid) == pytest.approx(peak_resident(), abs=2**20)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is handed to children by getrusage, which Linux avoids")
def test_a_small_child_of_a_large_process_has_a_small_peak() -> None:
    block = np.ones(300 * 2**20, np.uint8)
    script = "from recpress.measure.memory import peak_resident; print(peak_resident())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) < block.nbytes / 2


def test_a_process_that_is_gone_has_no_peak() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with pytest.raises(psutil.NoSuchProcess):
        peak_resident(child.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can start a peak anew")
def test_the_peak_can_start_anew() -> None:
    block = np.ones(200 * 2**20, np.uint8)
    high = peak_resident()
    del block
    if reset_peak():
        assert peak_resident() < high


def test_without_a_gpu_there_is_no_gpu_peak() -> None:
    torch = pytest.importorskip("torch")
    assert (cuda_peak() is None) != torch.cuda.is_available()


def test_the_load_of_others_is_busy_time_less_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"busy": 10.0, "own": 4.0, "wall": 100.0}
    monkeypatch.setattr(load, "_busy_seconds", lambda: clock["busy"])
    monkeypatch.setattr(load, "_own_seconds", lambda: clock["own"])
    monkeypatch.setattr(load.time, "perf_counter", lambda: clock["wall"])
    monkeypatch.setattr(load.psutil, "cpu_count", lambda: 2)
    meter = load.LoadMeter()
    # In two seconds two cores were busy for 3.2 s; 2 s of it were ours.
    clock.update(busy=13.2, own=6.0, wall=102.0)
    assert meter.others() == pytest.approx(1.2 / 4)
    clock.update(own=8.0)
    assert meter.others() == 0.0


def test_a_busy_neighbour_is_seen() -> None:
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.3)
        meter = load.LoadMeter()
        time.sleep(1.0)
        assert meter.others() > 0.2 / (psutil.cpu_count() or 1)
    finally:
        child.kill()
        child.wait()


def test_provenance_says_where_and_when() -> None:
    made = Stopwatch().provenance("recpress run quick")
    assert made.command == "recpress run quick"
    assert made.machine == fingerprint().fingerprint
    assert made.started.endswith("+00:00")
    assert 0 <= made.seconds < 10


def test_git_state_tells_clean_from_dirty_and_nothing_outside_git(tmp_path: Path) -> None:
    assert git_state(None) == (None, None)
    assert git_state(tmp_path) == (None, None)

    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    git("init")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-m", "a")
    commit, dirty = git_state(tmp_path)
    assert commit is not None
    assert (len(commit), dirty) == (40, False)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "r.json").write_text("{}")
    assert git_state(tmp_path)[1] is False
    (tmp_path / "new.py").write_text("")
    assert git_state(tmp_path)[1] is True


def test_growth_is_what_an_action_keeps() -> None:
    kept, gained = growth(lambda: np.ones(150 * 2**20, np.uint8))
    assert kept.nbytes * 0.9 < gained < kept.nbytes * 1.3

"""The runner, end to end on a small set of our own, with its real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from recpress.records import record, timing

CELLS = ["--method", "none", "--method", "uniform", "--method", "svd", "--backbone", "mf", "--budget", "1/4"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    rng = np.random.default_rng(0)
    rows = [f"u{u},i{i}" for u in range(60) for i in rng.choice(80, 15, replace=False)]
    (folder / "likes.csv").write_text("user,item\n" + "\n".join(rows) + "\n")
    return folder


def command(place: Path, results: str) -> list[str]:
    own = ["--data", str(place / "likes.csv"), "--user-col", "user", "--item-col", "item"]
    return [sys.executable, "-m", "recpress.cli", "run", *own, *CELLS, "--timing-seconds", "0.05", "--results", results]


def environment(place: Path) -> dict[str, str]:
    return os.environ | {"RECPRESS_CACHE": str(place / "cache"), "OMP_NUM_THREADS": "1"}


def quality(results: Path) -> dict[str, object]:
    return {
        f"{each.identity.method} {each.identity.variant}": (each.quality.metrics, each.bytes.file)
        for each in record.read_all(results)
        if each.quality and each.bytes
    }


def run(place: Path, results: str) -> str:
    done = subprocess.run(command(place, results), cwd=place, env=environment(place), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_records_resume_and_survive_a_kill(place: Path) -> None:
    assert "3 to run" in run(place, "whole")
    records = record.read_all(place / "whole")
    assert {each.status for each in records} == {"ok", "over-budget"}  # `none` can't reach a quarter
    for each in records:
        if each.status == "ok":
            assert each.bytes is not None
            assert each.bytes.file == sum(each.bytes.breakdown.values())
            assert (each.bytes.users or 0) + (each.bytes.items or 0) == each.bytes.file - each.bytes.breakdown[
                "metadata"
            ]
            assert each.energy[0].grade == "analytic"
    timings = [timing.read(path) for path in (place / "whole" / "timings").rglob("*.json")]
    assert len(timings) == sum(each.status == "ok" for each in records)
    assert {each.scenario for made in timings for each in made.latency} == {"single", "batch", "offline"}
    assert "0 to run" in run(place, "whole")

    # Killed in the middle: nothing half written, and the rest is made by the same command.
    process = subprocess.Popen(command(place, "killed"), cwd=place, env=environment(place), stdout=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not list((place / "killed").rglob("records/**/*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for file in (place / "killed").rglob("records/**/*.json"):
        json.loads(file.read_text())
    run(place, "killed")
    assert quality(place / "killed") == quality(place / "whole") != {}

"""A run that waits for another one says what for, and ends by Ctrl-C; a plan of what nobody knows says so."""

from __future__ import annotations

import getpass
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner

from recpress.cli import cli
from recpress.cli.shared.one_run import Asked
from recpress.cli.shared.progress import Lines
from recpress.core.locking import locked
from recpress.experiments.cache_layout import backbone_path

WORDS = ["run", "--dataset", "synthetic-tiny", "--backbone", "mf", "--method", "none"]


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder for temporary files whose path is short enough for a socket in it."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.parametrize("form", [[], ["--json-log"]], ids=["lines", "json"])
def test_a_waiting_run_says_so_and_ends_by_ctrl_c(form: list[str], short: Path, tmp_path: Path) -> None:
    place = short / f"recpress-{getpass.getuser()}"
    place.mkdir(mode=0o700)
    words = [sys.executable, "-m", "recpress.cli", *WORDS, *form, "--results", str(tmp_path / "results")]
    environment = os.environ | {"TMPDIR": str(short), "RECPRESS_CACHE": str(tmp_path / "cache")}
    with locked(place / f"gate-{max(os.sched_getaffinity(0))}.lock"):
        run = subprocess.Popen(words, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert run.stdout is not None
        try:
            said = next(line for line in run.stdout if "a timing of another run" in line)
            if form:
                event = json.loads(said)
                assert event["event"] == "waiting"
                assert event["seconds"] >= 5
            else:
                assert said.startswith("Waiting for a timing of another run")
            start = time.monotonic()
            run.send_signal(signal.SIGINT)
            rest = run.communicate(timeout=60)[0]
            assert time.monotonic() - start < 30
        finally:
            run.kill()
    assert run.returncode == 130
    assert "Traceback" not in rest
    assert not list((tmp_path / "results").rglob("records/**/*.json"))


def test_a_run_says_that_another_trains_its_backbone(short: Path, tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(short), "RECPRESS_CACHE": str(tmp_path / "cache")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECPRESS_CACHE", str(tmp_path / "cache"))
        planned = Asked(dataset="synthetic-tiny", backbone="mf", method="none").planned()
        lock = backbone_path(planned).with_suffix(".lock")
    lock.parent.mkdir(parents=True)
    words = [sys.executable, "-m", "recpress.cli", *WORDS, "--results", str(tmp_path / "results")]
    with locked(lock):
        run = subprocess.Popen(words, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert run.stdout is not None
        said = next(line for line in run.stdout if line.startswith("Waiting"))
        assert said.startswith("Waiting for another run, which trains mf on synthetic-tiny, for ")
    rest = run.communicate(timeout=120)[0]
    assert "synthetic-tiny mf none default seed 0: training mf\n" in rest
    assert run.returncode == 0


def test_a_log_says_every_few_seconds_what_takes_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    planned = Asked(dataset="synthetic-tiny", backbone="mf", method="none").planned()
    now = iter(range(0, 1000, 8))
    monkeypatch.setattr("recpress.cli.shared.progress.time.monotonic", lambda: next(now))
    lines = Lines(1)
    lines.stage(planned, "train", 0.0)
    for epoch in range(1, 7):
        lines.note(planned, f"epoch {epoch} of 9")
    said = [line.partition("seed 0: ")[2] for line in capsys.readouterr().out.splitlines()]
    assert said == ["training mf", "training, epoch 3 of 9", "training, epoch 6 of 9"]


def test_a_plan_of_what_nobody_knows_says_so(cache: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, [*WORDS, "--dry-run", "--results", str(tmp_path)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "No estimate of time and size" in done.output
    assert "0 min 00 s" not in done.output

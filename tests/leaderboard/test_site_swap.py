"""A site is swapped in whole: whatever ends its building leaves the one that was there."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import synthetic
from click.testing import CliRunner

from recpress.cli.show import command as show
from recpress.leaderboard.site import build
from recpress.leaderboard.site.build import MARKER, _Site

RECORDS = [synthetic.make("synthetic-small", "mf", "low_rank", "svd", variant, 0) for variant in ("1/4", "1/8")]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    synthetic.write_folder(tmp_path / "results", RECORDS)
    return tmp_path / "results"


def state(out: Path) -> dict[str, int]:
    return {path.relative_to(out).as_posix(): path.stat().st_ino for path in out.rglob("*") if path.is_file()}


@pytest.mark.parametrize("after", [0, 1, 20, 40])
def test_a_full_disk_leaves_the_old_site(results: Path, tmp_path: Path, monkeypatch, after: int) -> None:
    out = tmp_path / "site"
    build(results, out)
    before, write, written = state(out), _Site.write, []

    def full(site: _Site, path: str, text: str | bytes) -> None:
        if len(written) >= after:
            raise OSError(28, "No space left on device", path)
        written.append(path)
        write(site, path, text)

    monkeypatch.setattr(_Site, "write", full)
    with pytest.raises(OSError, match="No space"):
        build(results, out)
    assert state(out) == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["results", "site"]


def test_a_new_site_takes_the_old_ones_place_and_leftovers_go(results: Path, tmp_path: Path) -> None:
    out = tmp_path / "site"
    build(results, out)
    left = tmp_path / ".site.killed.swap"
    left.mkdir()
    (left / MARKER).touch()
    before = state(out)
    build(results, out)
    assert set(state(out)) == set(before)
    assert state(out)["index.html"] != before["index.html"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["results", "site"]


def test_killed_at_any_moment_the_old_site_or_the_new_one_is_whole(results: Path, tmp_path: Path) -> None:
    out = tmp_path / "site"
    build(results, out)
    names = set(state(out))
    program = (
        "import sys; from pathlib import Path; from recpress.leaderboard.site import build\n"
        "print('ready', flush=True)\n"
        "while True: build(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    moments = random.Random(0)
    with subprocess.Popen(
        [sys.executable, "-c", program, str(results), str(out)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        for _ in range(8):
            time.sleep(moments.uniform(0, 0.4))
            os.kill(child.pid, signal.SIGSTOP)  # What a kill at this moment would leave.
            assert set(state(out)) == names
            os.kill(child.pid, signal.SIGCONT)
        child.kill()
    assert set(state(out)) == names


def test_one_bad_record_is_named_and_left_out(results: Path) -> None:
    bad = results / "records" / "synthetic-small" / "mf" / "svd" / "1-8.seed0.json"
    bad.write_text(bad.read_text().replace('"file": ', '"file": 1' + 400 * "0"))
    told = CliRunner().invoke(show, ["--all", "--results", str(results)])
    assert told.exit_code == 0
    assert "1-8.seed0.json is left out" in told.stderr
    assert "svd" in told.stdout

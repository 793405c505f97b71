"""The contributor's road in a checkout of its own: new, edit, commit, submit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from recpress.board.folder import check

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("benchmark/recpress", "benchmark/suites", "benchmark/recipes", "methods", "datasets", "pyproject.toml")
SUITE = """
title = "tiny"
datasets = ["synthetic-tiny"]
backbones = ["mf"]
budgets = ["1/4"]
timing_seconds = 0.05

[[methods]]
name = "none"
budgets = []

[[methods]]
name = "uniform"
"""


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("submit")
    for part in PARTS:
        source = ROOT / part
        ignored = shutil.ignore_patterns("__pycache__")
        if source.is_dir():
            shutil.copytree(source, root / part, ignore=ignored)
        else:
            shutil.copy2(source, root / part)
    (root / ".gitignore").write_text("__pycache__/\nbuild/\ncache/\ntmp/\n")
    (root / "tiny.toml").write_text(SUITE)
    (root / "tmp").mkdir()
    git(root, "init", "--quiet")
    commit(root)
    return root


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "-m", "state")


def recpress(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    own = {"PYTHONPATH": str(root / "benchmark"), "RECPRESS_CACHE": str(root / "cache"), "TMPDIR": str(root / "tmp")}
    kept = {name: value for name, value in os.environ.items() if name != "RECPRESS_DATA"}
    return subprocess.run(
        [sys.executable, "-m", "recpress.cli", *words], cwd=root, env=kept | own, capture_output=True, text=True
    )


def test_from_a_new_method_to_a_bundle(place: Path) -> None:
    done = recpress(place, "new", "method", "mine")
    assert done.returncode == 0, done.stderr
    assert "recpress submit mine" in done.stdout
    words = ("submit", "mine", "--suite", "tiny.toml")

    done = recpress(place, *words)
    assert (done.returncode, "uncommitted" in done.stderr) == (2, True), done.stderr
    assert not (place / "build").exists()

    commit(place)
    done = recpress(place, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "checks pass" in done.stdout
    bundle = place / "build" / "submissions" / "mine"
    about = json.loads((bundle / "bundle.json").read_text())
    assert {Path(name).parts[0] for name in about["files"]} == {"methods", "results"}
    text = (bundle / "PULL_REQUEST.md").read_text()
    assert text.strip() in done.stdout
    assert "| uniform" in text
    # The records keep the rules of a results folder, but for the tables, which its maintainers generate.
    assert {found.check for found in check(bundle / "results")} == {"tables-generated"}

    done = recpress(place, *words)
    assert (done.returncode, "there already" in done.stderr) == (2, True)


def test_a_method_that_breaks_the_contract_is_not_run(place: Path) -> None:
    done = recpress(place, "new", "method", "broken")
    assert done.returncode == 0, done.stderr
    code = place / "methods" / "quantization" / "broken" / "method.py"
    assert "largest(" in code.read_text()
    code.write_text(code.read_text().replace("return largest(", "return (lambda candidates, *_: candidates[0])("))
    commit(place)
    done = recpress(place, "submit", "broken", "--suite", "tiny.toml", "--results", "none")
    assert done.returncode == 2
    assert "refuses-one-byte" in done.stdout
    assert "checks fail" in done.stderr
    assert not (place / "none").exists()

"""The contributor's road in a checkout of its own: new, edit, commit, submit."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from recpress.board.folder import check

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
def place(make_checkout):
    """A checkout that is a git repository, with nothing uncommitted."""
    made = make_checkout()
    (made.root / ".gitignore").write_text("__pycache__/\nbuild/\ncache/\ntmp/\n")
    (made.root / "tiny.toml").write_text(SUITE)
    git(made.root, "init", "--quiet")
    commit(made.root)
    return made


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "-m", "state")


def test_from_a_new_method_to_a_bundle(place) -> None:
    assert "recpress submit mine" in place.recpress("new", "method", "mine")
    words = ("submit", "mine", "--suite", "tiny.toml")

    assert "uncommitted" in place.recpress(*words, code=2)
    assert not (place.root / "build").exists()

    commit(place.root)
    said = place.recpress(*words)
    assert "checks pass" in said
    bundle = place.root / "build" / "submissions" / "mine"
    about = json.loads((bundle / "bundle.json").read_text())
    assert {Path(name).parts[0] for name in about["files"]} == {"methods", "results"}
    text = (bundle / "PULL_REQUEST.md").read_text()
    assert text.strip() in said
    assert "| uniform" in text
    # The records keep the rules of a results folder, but for the tables, which its maintainers generate.
    assert {found.check for found in check(bundle / "results")} == {"tables-generated"}

    assert "there already" in place.recpress(*words, code=2)


def test_a_method_that_breaks_the_contract_is_not_run(place) -> None:
    place.recpress("new", "method", "broken")
    code = place.root / "methods" / "quantization" / "broken" / "method.py"
    assert "largest(" in code.read_text()
    code.write_text(code.read_text().replace("return largest(", "return (lambda candidates, *_: candidates[0])("))
    commit(place.root)
    said = place.recpress("submit", "broken", "--suite", "tiny.toml", "--results", "none", code=2)
    assert "refuses-one-byte" in said
    assert "checks fail" in said
    assert not (place.root / "none").exists()

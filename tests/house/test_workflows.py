"""What the workflows run is what runs here: targets of the Makefile and verbs of the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from recpress.cli import VERBS

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_there_are_workflows() -> None:
    assert {"ci", "submission", "nightly", "pages", "release"} <= {file.stem for file in WORKFLOWS}


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_a_workflow_calls_what_there_is(file: Path) -> None:
    text = file.read_text()
    targets = re.findall(r"\bmake (?:--silent )?([\w./-]+)", text)
    verbs = re.findall(r"bin/recpress (\w+)", text)
    assert set(targets) <= TARGETS
    assert set(verbs) <= VERBS.keys()
    assert targets or verbs or ".ci/run" in text


def test_what_runs_a_pull_requests_code_can_not_write() -> None:
    check, comment = (ROOT / ".github" / "workflows" / "submission.yml").read_text().split("  comment:\n")
    assert "make submission" in check
    assert "write" not in check.replace("could write", "")
    assert "checkout" not in comment

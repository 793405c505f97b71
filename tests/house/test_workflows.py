"""What the workflows run is what runs here: targets of the Makefile and verbs of the command line."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

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
    assert targets or verbs or ".ci/run" in text or file.stem == "comment"


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_actions_of_others_are_pinned_by_commit(file: Path) -> None:
    used = [step["uses"] for step in steps(file) if "uses" in step]
    unpinned = [name for name in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name)]
    # Its newest commits couldn't be looked up when the others were.
    assert set(unpinned) <= {"pypa/gh-action-pypi-publish@release/v1"}


def steps(file: Path) -> list[dict[str, Any]]:
    return [step for job in yaml.safe_load(file.read_text())["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("name", ["regress", "submission"])
def test_what_runs_a_pull_requests_code_can_not_write(name: str) -> None:
    told = yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text())
    assert told["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in told["jobs"].values())
    assert "GH_TOKEN" not in (ROOT / ".github" / "workflows" / f"{name}.yml").read_text()


def test_what_comments_runs_nothing_of_a_pull_request() -> None:
    told = yaml.safe_load((ROOT / ".github" / "workflows" / "comment.yml").read_text())
    assert told[True]["workflow_run"]["workflows"] == ["regress", "submission"]  # "on" is a boolean of YAML 1.1.
    assert told["permissions"] == {}
    file = ROOT / ".github" / "workflows" / "comment.yml"
    assert [step["uses"].partition("@")[0] for step in steps(file) if "uses" in step] == ["actions/download-artifact"]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_no_workflow_leaves_credentials_or_pastes_into_its_script(file: Path) -> None:
    for step in steps(file):
        assert "${{" not in step.get("run", ""), "a value goes through env"
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("code", [0, 1, 2])
def test_regress_gives_its_answer_and_then_fails_with_its_code(tmp_path: Path, code: int) -> None:
    tool = tmp_path / ".venv" / "bin" / "recpress"
    tool.parent.mkdir(parents=True)
    tool.write_text(f"#!/bin/sh\necho table\necho sentence >&2\nexit {code}\n")
    tool.chmod(0o755)
    compare, *_, last = [step for step in steps(ROOT / ".github" / "workflows" / "regress.yml") if "run" in step][1:]
    output = tmp_path / "output"
    for step, more in ((compare, {}), (last, {"CODE": str(code)})):
        environment = {"PATH": os.environ["PATH"], "BASE_REF": "main", "GITHUB_OUTPUT": str(output), **more}
        done = subprocess.run(["bash", "-e", "-c", step["run"]], cwd=tmp_path, env=environment, check=False)
        assert done.returncode == (code if step is last else 0)
    assert output.read_text() == f"code={code}\n"
    assert (tmp_path / "build" / "comment" / "comment.md").read_text() == "table\nsentence\n"

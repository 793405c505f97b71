"""The address of the repository, the version and the Pythons are stated once, and told alike elsewhere."""

from __future__ import annotations

import re
import tomllib
from email.message import Message
from pathlib import Path

import pytest
import yaml

import recpress
from recpress.core import project

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_the_citation_names_the_repository_of_the_project() -> None:
    assert CITATION.get("repository-code") == PROJECT.get("urls", {}).get("Repository")


def test_an_installed_address_is_told_and_what_is_no_address_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Message()
    told["Project-URL"] = "Issues, https://example.org/issues"
    monkeypatch.setattr(project, "metadata", lambda _: told)
    assert project.repository() is None
    told["Project-URL"] = "Repository, https://example.org/recpress"
    assert project.repository() == "https://example.org/recpress"
    del told["Project-URL"]
    told["Project-URL"] = "Repository, javascript:alert(1)"
    assert project.repository() is None


def test_the_citation_names_the_version() -> None:
    assert CITATION["version"] == recpress.__version__


def test_the_workflow_tests_every_python_that_is_declared() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    declared = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert workflow["jobs"]["pythons"]["strategy"]["matrix"]["python"] == declared[1:]
    assert PROJECT["requires-python"] == f">={declared[0]}"

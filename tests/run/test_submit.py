"""The contributor's road in a checkout of its own: new, edit, commit, submit."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from recpress.leaderboard.folder import check

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


# Ten lines of the template are changed: every table becomes a few codewords, found by k-means, and each row's number.
K_MEANS = {
    "from recpress.api import Artefact, Dense,": "from sklearn.cluster import KMeans\nimport torch\n"
    "from recpress.api import Artefact, Codebook, Dense,",
    'keep: int = Field(16, ge=1, description="Columns kept.")': "words: int = Field(64, ge=2, description='Each.')",
    "return 4 * shape.entities * params.keep": "return 8 * params.words * shape.dim + 2 * shape.entities",
    "(keep=keep) for keep in range(shape.dim, 0, -1)]": "(words=2**power) for power in range(12, 0, -1)]",
    "users, items = (table[:, : task.params.keep] for table in (task.backbone.users, task.backbone.items))": (
        "return Artefact(*(self.coded(table, task) for table in (task.backbone.users, task.backbone.items)))"
    ),
    "        return Artefact(Dense.encode(users), Dense.encode(items))": "\n"
    "    def coded(self, table, task):\n"
    "        found = KMeans(min(task.params.words, len(table)), n_init=1, random_state=task.seed).fit(table.numpy())\n"
    "        words = torch.from_numpy(found.cluster_centers_)\n"
    "        return Codebook.encode(Dense.encode(words), torch.from_numpy(found.labels_).long()[:, None])",
}
QUARTER_OF_AN_HOUR = 900.0


def test_a_newcomer_gets_there_by_the_printed_hints(place) -> None:
    said = place.recpress("new", "method", "clusters")
    code = place.root / "methods" / "quantization" / "clusters" / "method.py"
    text = code.read_text()
    for written, instead in K_MEANS.items():
        assert text.count(written) == 1, written
        text = text.replace(written, instead)
    code.write_text(text)

    hints = re.findall(r"^  recpress (.+)$", said, re.MULTILINE)
    assert [hint.split()[0] for hint in hints] == ["check", "run", "show"]
    # As printed, but on the small data of this test.
    check_it, run_it, show_it = (hint.replace("ml-100k", "synthetic-tiny").split() for hint in hints)
    assert "failed" not in place.recpress(*check_it, "--no-smoke", timeout=QUARTER_OF_AN_HOUR)
    place.recpress(*run_it, "--timing-seconds", "0.05")
    assert "clusters" in place.recpress(*show_it)
    commit(place.root)
    assert "`recpress submit clusters`" in said
    assert "| clusters" in place.recpress("submit", "clusters", "--suite", "tiny.toml", timeout=QUARTER_OF_AN_HOUR)
    assert (place.root / "build" / "submissions" / "clusters" / "PULL_REQUEST.md").is_file()

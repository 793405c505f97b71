"""What is shown of a stranger's record: no tag reaches Markdown, and nothing that a terminal would obey."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest
import synthetic
from click.testing import CliRunner

from recpress.cli.show import command as show
from recpress.core.printable import markdown, printable
from recpress.leaderboard import regress
from recpress.leaderboard.collect import collect
from recpress.leaderboard.tables import Format

EVIL = "<img src=x>|\x1b[31m\u202e[a](b)`c`\r\u2028"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    made = synthetic.make("synthetic-small", "mf", "low_rank", "svd", "1/4", 0)
    who = made.identity.model_copy(update={"variant": EVIL})
    reason = {"identity": who, "status": "failed", "reason": EVIL}
    synthetic.write_folder(tmp_path, [made.model_copy(update=reason)], [])
    return tmp_path


@pytest.mark.parametrize("form", get_args(Format))
def test_nothing_that_a_terminal_obeys_is_shown(results: Path, form: str) -> None:
    told = CliRunner().invoke(show, ["--results", str(results), "--format", form])
    assert told.exit_code == 0
    for sign in "\x1b\u202e\r\u2028":
        assert sign not in told.stdout
    if form == "json":
        assert json.loads(told.stdout)[0]["variant"] == EVIL
    if form == "markdown":
        assert "<" not in told.stdout
        assert "[a]" not in told.stdout
        rows = told.stdout.strip().splitlines()
        assert len({row.count("|") for row in rows}) == 1


def test_findings_of_regress_are_safe_in_a_comment(results: Path) -> None:
    (run,) = collect(results).runs
    who = run.record.identity
    variant = (who.dataset, who.backbone, who.method, who.variant)
    text = regress.render([regress.Difference(variant, "bytes", 1.0, 2.0, "worse", EVIL)], "github")
    assert not {"<", "\x1b", "`", "\u202e"} & set(text)


def test_our_own_names_stay_as_they_are() -> None:
    for name in ("water_filling", "bits=8,rank=3", "1/4", "Gowalla – 3 × ±", "a.b-c+d"):
        assert markdown(name) == printable(name) == name

"""A backbone that finds nothing is a run like others, with nothing to retain."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from recpress.cli import cli
from recpress.core.errors import UserError
from recpress.records import record


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs on data whose tested users have items that nobody else has, behind many that all others have."""
    folder = tmp_path_factory.mktemp("nothing")
    rng = np.random.default_rng(0)
    many = [f"v{user},p{item}" for user in range(300) for item in rng.choice(60, 3, replace=False)]
    own = [f"t{user},s{user}-{item}" for user in range(20) for item in range(5)]
    (folder / "none.csv").write_text("\n".join(["user,item", *many, *own]) + "\n")
    words = ["run", "--data", str(folder / "none.csv"), "--user-col", "user", "--item-col", "item"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECPRESS_CACHE", str(folder / "cache"))
        for method in (["none"], ["uniform", "--param", "bits=8"]):
            asked = [*words, "--method", *method, "--results", str(folder / "results")]
            done = CliRunner().invoke(cli, asked, catch_exceptions=False)
            assert done.exit_code == 0, done.output
    return folder / "results"


def recpress(results: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, [*words, "--results", str(results)], catch_exceptions=False)


def test_its_runs_are_ok_and_retain_nothing(results: Path) -> None:
    for made in record.read_all(results):
        assert made.status == "ok"
        assert made.quality is not None
        assert made.quality.metrics["ndcg@20"] == 0
        assert made.quality.retention["ndcg@20"] is None
        assert made.quality.retention["recall@100"] is not None
        assert math.isnan(made.quality.retention_of("ndcg@20"))
        assert made.quality.paired is None


def test_a_comparison_with_it_is_refused_in_a_sentence(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECPRESS_CACHE", str(results.parent / "cache"))
    with pytest.raises(UserError, match="none/default finds nothing by ndcg@20"):
        recpress(results, "compare", "none/default", "uniform")
    assert recpress(results, "compare", "none/default", "uniform", "--metric", "recall@100").exit_code == 0


def test_tables_and_site_show_it(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECPRESS_CACHE", str(results.parent / "cache"))
    assert "nan" not in recpress(results, "show").output
    assert "finds nothing" in recpress(results, "show", "--paired").output
    assert recpress(results, "site", "--out", str(tmp_path / "site")).exit_code == 0
    pages = [page.read_text() for page in (tmp_path / "site").rglob("*.html")]
    assert not any("nan %" in page for page in pages)

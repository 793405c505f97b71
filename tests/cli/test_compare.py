"""`recpress compare`: runs found by part of their names, joined over seeds, told apart or not."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from recpress.cli import cli
from recpress.core.errors import UserError
from recpress.evaluation import compare_columns, compare_groups
from recpress.experiments.pairing import Variant, short_names
from recpress.records import record

SUITE = """
title = "three methods"
datasets = ["synthetic-tiny"]
backbones = ["mf"]
seeds = [0, 1]
timing_seconds = 0.05

[[methods]]
name = "none"
budgets = []

[[methods]]
name = "uniform"
budgets = ["1/4"]
params = [{ bits = 1 }]
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare")
    (folder / "suite.toml").write_text(SUITE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECPRESS_CACHE", str(folder / "cache"))
        words = ["run", "--suite", folder / "suite.toml", "--results", folder / "results"]
        done = CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def results(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECPRESS_CACHE", str(place / "cache"))
    return place / "results"


def recpress(results: Path, *words: str) -> str:
    done = CliRunner().invoke(cli, ["compare", *words, "--results", str(results)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_means_are_those_of_the_records_over_both_seeds(results: Path) -> None:
    told = json.loads(recpress(results, "none", "uniform/1/4", "bits=1", "--format", "json", "--slices"))
    assert told["baseline"] == "synthetic-tiny/mf/none/default"
    assert [run["run"] for run in told["runs"]] == [f"synthetic-tiny/mf/uniform/{name}" for name in ("1-4", "bits=1")]
    kept = record.read_all(results)
    for run in told["runs"]:
        assert run["seeds"] == [0, 1]
        variant = run["run"].rpartition("/")[2].replace("-", "/")
        for one in run["metrics"]:
            for side, name in (("baseline", "default"), ("candidate", variant)):
                means = [each.quality.metrics[one["metric"]] for each in kept if each.identity.variant == name]
                assert len(means) == 2
                assert one[side] == pytest.approx(np.mean(means), rel=1e-12)
            assert one["p_adjusted"] >= one["p_value"]
            assert one["low"] <= one["retention"] <= one["high"]
        assert [(each["of"], each["tenth"]) for each in run["slices"]] == [
            (of, tenth) for of in ("items", "users") for tenth in range(1, 11)
        ]
    assert told["runs"][1]["metrics"][0]["margin"] is None  # One bit a value isn't lossless on anything.


def test_one_seed_or_the_path_of_a_record_will_do(results: Path) -> None:
    (path,) = results.glob("records/*/mf/uniform/1-4.seed1.json")
    said = recpress(results, "none", str(path))
    assert "seeds [1]" in said
    assert said == recpress(results, "none", "uniform/1/4.seed1")
    assert "uniform/1-4: ndcg@20: retains" in said
    with tempfile.NamedTemporaryFile("w", suffix=".json") as elsewhere:
        elsewhere.write(path.read_text())
        elsewhere.flush()
        with pytest.raises(UserError, match="has no hits of 1/4, seed 1"):
            recpress(results, "none", elsewhere.name)


def test_of_equals_nothing_is_found_and_what_could_have_been_is_said(results: Path) -> None:
    (one,) = json.loads(recpress(results, "none", "none", "--metric", "recall@20", "--format", "json"))["runs"]
    assert one["metrics"][0]["p_value"] == 1
    assert one["metrics"][0]["equivalent"] == 0.01


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none", "uniform"], "'uniform' may be any of 2 runs: .* such as synthetic-tiny/mf/uniform/1-4"),
        (["none", "unifrom/1/4"], "no run 'unifrom/1/4'"),
        (["none", "uniform/1/4.seed7"], "has the seeds 0, 1, and not 7"),
        (["none.seed0", "uniform/1/4.seed1"], "no seed in common"),
        (["none", "uniform/1/4", "--metric", "ncdg@20"], "did you mean 'ndcg@20'"),
        (["none", "uniform/1/4", "--metric", "ndcg@30"], "ndcg@30 can't be told from .* there are recall, "),
        (["none", "nothing.json"], "There is no record nothing.json"),
        (["none"], "Name one run or more to compare with none"),
    ],
)
def test_a_wrong_request_is_answered_with_its_fix(results: Path, words: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        recpress(results, *words)


def test_in_a_fresh_clone_the_same_is_told(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["none", "uniform/1/4", "bits=1", "--metric", "ndcg@20", "--metric", "recall_capped@7"]
    here = recpress(results, *words)
    clone = tmp_path / "clone"
    shutil.copytree(results, clone)
    monkeypatch.setenv("RECPRESS_CACHE", str(tmp_path / "none"))
    assert recpress(clone, *words) == here


@pytest.mark.parametrize("words", [["--slices"], ["--metric", "ndcg@50"]])
def test_whole_lists_of_another_machine_name_the_command_that_makes_them(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    assert recpress(results, "none", "uniform/1/4", *words)
    monkeypatch.setenv("RECPRESS_CACHE", str(tmp_path))
    said = r"not on this machine: `recpress run --dataset synthetic-tiny .* --force`.* there are recall, .* at 1 to 20"
    with pytest.raises(UserError, match=said):
        recpress(results, "none", "uniform/1/4", *words)


def test_what_the_cache_has_is_filled_in_and_what_no_record_speaks_of_is_removed(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results / "records", tmp_path / "records")
    tool = Path(__file__).parents[2] / "tools" / "per_user.py"

    def fill() -> str:
        return subprocess.run([sys.executable, tool, tmp_path], capture_output=True, text=True, check=True).stdout

    assert fill() == "synthetic-tiny: written: 6\n"
    assert fill() == "synthetic-tiny: there already: 6\n"
    for file in (results / "per-user").rglob("*.parquet"):
        assert (tmp_path / file.relative_to(results)).read_bytes() == file.read_bytes()
    (tmp_path / "records/synthetic-tiny/mf/uniform/1-4.seed0.json").unlink()
    assert fill() == "synthetic-tiny: removed: 1\nsynthetic-tiny: there already: 5\n"


def test_alone_it_lists_what_can_be_compared(results: Path, tmp_path: Path) -> None:
    said = recpress(results)
    assert re.search(r"synthetic-tiny +mf +3 +6 +none", said)
    assert "recpress compare synthetic-tiny/mf/none/default synthetic-tiny/mf/uniform/1-4" in said
    shutil.copytree(results / "records", tmp_path / "records")
    assert "nothing to compare yet" in recpress(tmp_path)


def test_hits_that_are_not_the_records_own_are_not_used(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "records/synthetic-tiny/mf/uniform/1-4.seed0.json"
    told = json.loads(path.read_text())
    for where, value, said in (
        (("quality", "topk_sha256"), "0" * 64, "are of another run: `recpress run .* --force`"),
        (("quality", "metrics"), told["quality"]["metrics"] | {"recall@20": 0.5}, "don't have the means of its record"),
    ):
        part, name = where
        path.write_text(json.dumps(told | {part: told[part] | {name: value}}))
        with pytest.raises(UserError, match=said):
            recpress(tmp_path, "none", "uniform/1/4")
    path.write_text(json.dumps(told))
    (tmp_path / "per-user/synthetic-tiny/mf/uniform.parquet").write_bytes(b"not parquet")
    with pytest.raises(UserError, match="not a readable parquet file"):
        recpress(tmp_path, "none", "uniform/1/4")
    (tmp_path / "per-user/synthetic-tiny/mf/uniform.parquet").unlink()
    with pytest.raises(UserError, match=r"has no hits of 1/4, seed 0: `recpress run .* --force` writes them"):
        recpress(tmp_path, "none", "uniform/1/4")


@pytest.mark.parametrize("form", ["table", "markdown", "latex", "csv", "json"])
def test_show_pairs_each_row_with_fp32_of_its_backbone(results: Path, form: str) -> None:
    words = ["show", "--results", str(results), "--paired", "--format", form]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0
    assert "adjusted (Holm) over the 2 rows" in done.stderr
    told = json.loads(recpress(results, "none", "bits=1", "uniform/1/4", "--format", "json", "--metric", "ndcg@20"))
    one, four = (run["metrics"][0] for run in told["runs"])
    if form == "json":
        rows = {row["variant"]: row for row in json.loads(done.stdout)}
        assert rows["default"]["paired_p"] is None
        assert rows["bits=1"]["paired_seeds"] == 2
        for variant, expected in (("bits=1", one), ("1/4", four)):
            for name in ("low", "high", "p"):
                key = {"p": "p_adjusted"}.get(name, name)
                got = rows[variant][{"p": "paired_p_holm"}.get(name, f"paired_{name}")]
                assert got == pytest.approx(expected[key], rel=1e-6)
            assert rows[variant]["paired_loss_below"] == expected["margin"]
    elif form != "csv":
        kept, low, high = (f"{100 * one[name]:.1f}" for name in ("retention", "low", "high"))
        assert f"{kept} ({low}–{high})" in done.stdout


def test_show_says_which_rows_could_not_be_paired(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results / "records", tmp_path / "records")
    done = CliRunner().invoke(cli, ["show", "--results", str(tmp_path), "--paired"], catch_exceptions=False)
    assert "2 rows could not be tested; the first because " in done.stderr
    assert "has no hits of default, seed 0: `recpress run" in done.stderr


def test_what_differs_from_the_baseline_is_in_the_name() -> None:
    baseline, near, other, far = (
        Variant(name, {}, Path()) for name in ("a/mf/none/x", "a/mf/svd/y", "a/gcn/svd/y", "b/mf/svd/y")
    )
    assert short_names(baseline, [near]) == ["svd/y"]
    assert short_names(baseline, [near, other]) == ["mf/svd/y", "gcn/svd/y"]
    assert short_names(baseline, [near, far]) == ["a/mf/svd/y", "b/mf/svd/y"]


def test_slices_take_seeds_as_the_whole_does() -> None:
    rng = np.random.default_rng(0)
    before = rng.random((3, 40, 2))
    after = before * rng.random((3, 40, 1))
    before[:, ::2, 1] = after[:, ::2, 1] = np.nan
    columns = compare_columns(before, after, "m")
    by_users = compare_groups(before[..., 0], after[..., 0], np.zeros(40, int), "m")
    assert columns[0] is not None
    assert by_users[0] is not None
    assert columns[0].retention == by_users[0].retention
    assert columns[1] is not None
    assert (columns[0].n_users, columns[1].n_users, columns[1].n_seeds) == (40, 20, 3)

"""What can be done with a results folder afterwards: status, retry, rescore, the cache."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recpress.experiments import per_user_hits
from recpress.experiments.suite import RunSpec, spec_of_command
from recpress.leaderboard.collect import collect
from recpress.leaderboard.tiers import Standing, standings
from recpress.records import record

WORDS = ("--dataset", "synthetic-tiny", "--backbone", "mf", "--timing-seconds", "0")


@pytest.fixture(scope="module")
def results(checkout) -> Path:
    folder = checkout.root / "redo"
    checkout.recpress("run", *WORDS, "--method", "trivial", "--param", "number=1", "--results", str(folder))
    checkout.recpress("run", *WORDS, "--method", "faulty", "--param", "fault=raises", "--results", str(folder), code=1)
    return folder


def test_status_says_what_failed_and_where_its_log_is(checkout, results) -> None:
    said = checkout.recpress("results", "status", "--results", str(results))
    assert "ValueError: this is what went wrong" in said
    (log,) = (line.split("log: ")[1] for line in said.splitlines() if "log: " in line)
    assert "Traceback" in Path(log).read_text()


def test_retry_runs_what_failed_and_nothing_else(checkout, results) -> None:
    (failed,) = results.rglob("fault=raises*.json")
    (sound,) = results.rglob("number=1*.json")
    before = failed.stat().st_mtime_ns, sound.stat().st_mtime_ns
    said = checkout.recpress("run", "--retry-failed", "--results", str(results), code=1)
    assert "1 to run" in said
    after = failed.stat().st_mtime_ns
    assert after > before[0]
    cells = ("--method", "faulty", "--param", "fault=raises", "--retry-failed")
    assert "1 failed" in checkout.recpress("run", *WORDS, *cells, "--results", str(results), code=1)
    assert failed.stat().st_mtime_ns > after
    assert sound.stat().st_mtime_ns == before[1]


def test_rescore_mends_figures_without_running(checkout, results) -> None:
    (path,) = results.rglob("number=1*.json")
    right = path.read_text()
    raw = json.loads(right)
    raw["quality"]["metrics"]["ndcg@20"] = 0.9
    raw["identity"]["key"] = "0" * 64
    path.write_text(json.dumps(raw))
    shutil.rmtree(results / "per-user")
    assert "1 scored again" in checkout.recpress("results", "rescore", "--results", str(results))
    assert path.read_text() == right
    assert per_user_hits.Store(results).hits(record.read(path))
    assert standing_of(results, path).tier == "re-scored"
    raw["quality"]["topk_sha256"] = "0" * 64
    path.write_text(json.dumps(raw))
    assert "is not what it served" in checkout.recpress("results", "rescore", "--results", str(results))
    path.write_text(right)


def standing_of(results: Path, path: Path) -> Standing:
    """What the board makes of a record, were its data set's split pinned and its code committed."""
    found = collect(results)
    (run,) = (run for run in found.runs if results / run.file == path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recpress.leaderboard.tiers.of_records", lambda found: [])
        return standings(found)[run.id]


def test_drawn_cells_run_again_and_what_differs_is_said(checkout, results) -> None:
    (path,) = results.rglob("number=1*.json")
    right = path.read_text()
    words = ("results", "reproduce", "--sample", "1", "--seed", "5", "--results", str(results))
    backbones = sorted((checkout.cache / "backbones").iterdir())
    said = checkout.recpress(*words)
    assert "synthetic-tiny mf trivial number=1 seed 0" in said
    assert "1 of 1 agree" in said
    assert path.read_text() == right
    assert sorted((checkout.cache / "backbones").iterdir()) == backbones
    (repeated,) = (each for each in standing_of(results, path).repetitions if each.reproduction.event == "rerun")
    assert repeated.reproduction.trained
    assert standing_of(results, path).tier == "re-run"
    for again, todo in (((), 0), (("--reuse-backbones",), 0), (("--reuse-backbones", "--force"), 1), ((), 1)):
        said = checkout.recpress(*words, *again)
        assert f"1 runs, {1 - todo} done, {todo} to run" in said
        assert "1 of 1 agree" in said
    raw = json.loads(right)
    raw["quality"]["metrics"]["ndcg@20"] += 1e-12
    raw["bytes"]["file"] += 1
    path.write_text(json.dumps(raw))
    assert standing_of(results, path).tier == "checked"
    said = checkout.recpress(*words, "--reuse-backbones", code=1)
    assert "ndcg@20" in said
    assert "0 of 1 agree" in said
    assert standing_of(results, path).tier == "checked"
    path.write_text(right)


def test_a_draw_is_that_of_its_seed(checkout, results) -> None:
    words = ("results", "reproduce", "--sample", "1", "--dry-run", "--results", str(results))
    assert checkout.recpress(*words, "--seed", "3") == checkout.recpress(*words, "--seed", "3")
    verb, nowhere = words[:2], str(results / "nowhere")
    assert "holds 1 records" in checkout.recpress(*verb, "--sample", "9", "--results", str(results), code=2)
    assert "holds no records" in checkout.recpress(*verb, "--results", nowhere, code=2)


def test_the_cache_is_listed_verified_and_cleared(checkout, results) -> None:
    said = checkout.recpress("doctor", "cache", "ls")
    assert all(kind in said for kind in ("parsed", "backbones", "per-user", "logs"))
    assert " 0 damaged" in checkout.recpress("doctor", "cache", "verify")
    (checkpoint, *_) = sorted((checkout.cache / "backbones").glob("*/backbone.safetensors"))
    right = checkpoint.read_bytes()
    checkpoint.write_bytes(right[:-4] + b"\0\0\0\x40")
    assert "1 damaged" in checkout.recpress("doctor", "cache", "verify", code=1)
    checkpoint.write_bytes(right)
    assert checkout.recpress("doctor", "cache", "gc", "--older-than", "1").startswith("0 entries")
    assert "would go" in checkout.recpress("doctor", "cache", "gc", "--older-than", "0", "--dry-run")
    assert checkpoint.is_file()


VALUES = st.one_of(st.integers(), st.booleans(), st.none(), st.text(), st.floats(allow_nan=False, allow_infinity=False))


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), VALUES, max_size=3), st.integers(0, 2**40))
def test_a_cells_command_is_the_cell(params, seed) -> None:
    cell = RunSpec(
        dataset="ml-100k", backbone="mf", method="uniform", budget=None, params=params, seed=seed, timing_seconds=0.4
    )
    assert spec_of_command(cell.command) == cell


@given(st.one_of(st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_parameter_typed_as_the_board_shows_it_is_the_same_cell(value) -> None:
    command = "recpress run --dataset ml-100k --backbone mf --method uniform --seed 0 --param"
    written, shown = (spec_of_command(f"{command} x={text}") for text in (json.dumps(value), value))
    assert shown == written
    assert shown.variant == f"x={value}"


def test_commands_of_no_cell_are_refused() -> None:
    for command in ("recpress demo", "recpress run --suite quick", "recpress run --dataset x --method y", "rm -rf /"):
        with pytest.raises(ValueError, match="is no single run"):
            spec_of_command(command)


def test_historic_records_name_their_cells() -> None:
    for path in (Path(__file__).parent / "historic").glob("*/*.json"):
        made = record.read(path)
        cell = spec_of_command(made.provenance.command)
        assert (cell.dataset, cell.method, cell.variant) == (
            made.identity.dataset,
            made.identity.method,
            made.identity.variant,
        )


def test_of_what_a_submission_changed_a_drawn_share_runs_again(checkout, results, tmp_path) -> None:
    folder, summary = tmp_path / "results", tmp_path / "comment.md"
    (path,) = results.rglob("number=1*.json")
    copy = folder / path.relative_to(results)
    copy.parent.mkdir(parents=True)
    shutil.copy(path, copy)
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "base"]):
        subprocess.run([*git, *words], check=True)
    verb = ("results", "reproduce")
    options = ("--seed", "5", "--results", str(folder), "--summary", str(summary))
    words = (*verb, "--changed", "HEAD", *options)
    assert "No record that can be run again differs from HEAD." in checkout.recpress(*words)
    assert "git can't compare with 'nosuch'" in checkout.recpress(*verb, "--changed", "nosuch", *options, code=2)
    raw = json.loads(copy.read_text())
    raw["quality"]["metrics"]["ndcg@20"] = 0.9
    copy.write_text(json.dumps(raw))
    said = checkout.recpress(*words, code=1)
    assert "0 of 1 agree" in said
    told = summary.read_text()
    assert "0 of 1 records, drawn with seed 5, agree when run again." in told
    assert "ndcg@20 0.9" in told

"""Each rule of the results folder finds what it is for, and names it; a folder in order has no findings."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import synthetic

from recpress.data.card import dataset_card
from recpress.leaderboard.commits import shallow, unknown
from recpress.leaderboard.folder import Finding, check, tables
from recpress.records.timing import place

SETTINGS = ("1/4", "1/8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    split = dataset_card("ml-100k").split.sha256
    made = []
    for variant in SETTINGS:
        record = synthetic.make("synthetic-small", "mf", "quantization", "uniform", variant, 0)
        identity = record.identity.model_copy(update={"dataset": "ml-100k", "split": split})
        made.append(synthetic.with_hits(record.model_copy(update={"identity": identity}))[0])
    synthetic.write_folder(tmp_path, made)
    synthetic.write_hits(tmp_path, made)
    for name, text in tables(tmp_path).items():
        (tmp_path / "tables").mkdir(exist_ok=True)
        (tmp_path / "tables" / name).write_text(text, encoding="utf-8")
    return tmp_path


def record(folder: Path, variant: str = "1-4") -> Path:
    return folder / "records" / "ml-100k" / "mf" / "uniform" / f"{variant}.seed0.json"


def edit(path: Path, part: str, **fields: object) -> None:
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw[part] |= fields
    path.write_text(json.dumps(raw), encoding="utf-8")


def only(found: list[Finding], name: str) -> Finding:
    assert [each.check for each in found] == [name]
    return found[0]


def test_a_folder_in_order_has_no_findings(folder: Path) -> None:
    assert check(folder) == []
    assert set(tables(folder)) == {"ml-100k.md"}


def test_what_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "records" / "stray.json").write_text("{", encoding="utf-8")
    assert only(check(folder), "readable").file == "records/stray.json"


def test_a_record_needs_its_machine(folder: Path) -> None:
    next((folder / "machines").iterdir()).unlink()
    assert {each.check for each in check(folder)} == {"machine-described", "timed"}


@pytest.mark.parametrize("fields", [{"dirty": True}, {"commit": None}])
def test_code_must_be_committed(folder: Path, fields: dict[str, object]) -> None:
    edit(record(folder), "provenance", **fields)
    found = only(check(folder), "committed-code")
    assert found.file == "records/ml-100k/mf/uniform/1-4.seed0.json"


def test_the_split_must_be_the_pinned_one(folder: Path) -> None:
    edit(record(folder), "identity", split="0" * 64)
    assert {each.check for each in check(folder)} >= {"split-pinned"}


def test_a_machine_that_was_slowed_down_is_seen(tmp_path: Path) -> None:
    cell = ("synthetic-small", "mf", "quantization", "uniform", "1/4")
    made = [synthetic.make(*cell, seed) for seed in range(6)]
    synthetic.write_folder(tmp_path, made)
    timed = synthetic.timings(made)[0]

    def found() -> list[Finding]:
        return [each for each in check(tmp_path) if each.check == "reference-as-usual"]

    assert found() == []
    for factor, seen in ((4, 0), (20, 2)):
        slow = [each.model_copy(update={"reference_p50_ms": factor * each.reference_p50_ms}) for each in timed.latency]
        slowed = timed.model_copy(update={"latency": tuple(slow)})
        synthetic.write_folder(tmp_path, [], [slowed])
        assert len(found()) == seen
    assert re.search("(19|20) times as long", found()[0].fix)
    assert {each.file for each in found()} == {place(timed.machine, timed.run).as_posix()}
    synthetic.write_folder(tmp_path / "few", made[:4], [*synthetic.timings(made[1:4]), slowed])
    assert not any(each.check == "reference-as-usual" for each in check(tmp_path / "few"))


def test_every_run_has_its_hits(folder: Path) -> None:
    rows, users = (folder / "per-user" / "ml-100k" / name for name in ("mf/uniform.parquet", "users.parquet"))
    whole = json.loads(record(folder).read_text(encoding="utf-8"))
    metrics = whole["quality"]["metrics"] | {"recall@10": 0.5}
    edit(record(folder), "quality", metrics=metrics)
    assert {each.check for each in check(folder)} == set()
    edit(record(folder), "quality", metrics=metrics | {"recall@20": metrics["recall@20"] + 1e-9})
    found = only(check(folder), "per-user")
    assert found.file == "records/ml-100k/mf/uniform/1-4.seed0.json"
    assert "don't have the means of its record" in found.fix
    edit(record(folder), "quality", metrics=metrics, topk_sha256="0" * 64)
    assert "are of another run" in only(check(folder), "per-user").fix
    record(folder).write_text(json.dumps(whole), encoding="utf-8")
    users.write_bytes(b"")
    assert only(check(folder), "per-user").file == "per-user/ml-100k/users.parquet"
    users.unlink()
    rows.write_bytes(b"")
    assert [each.check for each in check(folder)] == ["per-user", "per-user"]
    shutil.rmtree(folder / "per-user")
    assert only(check(folder), "per-user").file == "per-user/ml-100k/"


def test_hits_without_a_record_are_seen(folder: Path) -> None:
    record(folder).unlink()
    found = [each for each in check(folder) if each.check == "per-user"]
    assert [each.file for each in found] == ["per-user/ml-100k/mf/uniform.parquet"]
    assert "no record is there for its rows 1/4 seed 0" in found[0].fix


def test_tables_must_be_those_of_the_records(folder: Path) -> None:
    (folder / "tables" / "ml-100k.md").write_text("edited", encoding="utf-8")
    assert "--write-tables" in only(check(folder), "tables-generated").fix


def test_nothing_is_lost_without_a_word(folder: Path) -> None:
    name = record(folder).relative_to(folder).as_posix()
    earlier = {name: json.loads(record(folder).read_text(encoding="utf-8")), "records/a/b/c/d.seed0.json": {}}
    assert "removed" in only(check(folder, earlier), "nothing-lost").fix
    for named in (
        "records/a/b/c/: the method was withdrawn.",
        "- `records/a/`: run again.",
        "records/a/b/c/d.seed0.json",
    ):
        (folder / "CHANGES.md").write_text(f"# Changes\n\n{named}\n", encoding="utf-8")
        assert check(folder, earlier) == []
    (folder / "CHANGES.md").write_text("records/a/b/c/e.seed0.json: another one.\n", encoding="utf-8")
    assert "removed" in only(check(folder, earlier), "nothing-lost").fix
    (folder / "CHANGES.md").write_text("records/a/b/: the method was withdrawn.\n", encoding="utf-8")
    earlier[name] = {"other": 1}
    assert "changed" in only(check(folder, earlier), "nothing-lost").fix


def test_the_committed_results_are_in_order() -> None:
    results = Path(__file__).parents[2] / "results"
    found = check(results)
    # Hits that no cache has come when the run is made again; those that are here must be the run's.
    absent = ("has no hits of", "the hits of its runs aren't here")
    found = [each for each in found if each.check != "per-user" or not any(text in each.fix for text in absent)]
    assert found == []


def forged(folder: Path, change: str) -> None:
    """Change one figure of a record, as its maker would like it to be."""
    path = record(folder)
    raw = json.loads(path.read_text(encoding="utf-8"))
    part, *names, value = change.split(" ")
    at = raw[part]
    for name in names[:-1]:
        at = at[int(name) if name.isdigit() else name]
    at[names[-1]] = json.loads(value)
    path.write_text(json.dumps(raw), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "check_name"),
    [
        ("quality metrics ndcg@20 1e308", "readable"),
        ("quality metrics ndcg@20 1.2", "readable"),
        ("quality retention ndcg@20 -0.1", "readable"),
        ("bytes file 0", "readable"),
        ("bytes file 1", "adds-up"),
        ("bytes reference 10000", "adds-up"),
        ("bytes per_entity 0.1", "adds-up"),
        ("bytes users 100000000", "adds-up"),
        ("bytes touched_per_query 12", "adds-up"),
        ("energy 0 joules 1e-12", "readable"),
        ("energy 0 low -1", "readable"),
        ("energy 0 table \"../v1\"", "adds-up"),
        ("quality users_left_out 7", "adds-up"),
        ("identity family \"pruning\"", "named-right"),
        ("identity division \"open\"", "named-right"),
        ("identity serve_form \"graph\"", "named-right"),
        ("identity family \"external\"", "named-right"),
        ("provenance commit \"the-best\"", "readable"),
    ],
)  # fmt: skip
def test_a_forged_figure_is_found(folder: Path, change: str, check_name: str) -> None:
    forged(folder, change)
    assert ("records/ml-100k/mf/uniform/1-4.seed0.json", check_name) in {
        (each.file, each.check) for each in check(folder)
    }


def test_an_energy_of_next_to_nothing_is_found(folder: Path) -> None:
    raw = json.loads(record(folder).read_text(encoding="utf-8"))
    raw["energy"][0] |= {"joules": 1e-12, "low": 1e-12, "high": 1e-12, "parts": {"memory": 1e-12}}
    record(folder).write_text(json.dumps(raw), encoding="utf-8")
    assert "adds-up" in {each.check for each in check(folder)}


def test_a_file_too_small_for_its_tensors_is_found(folder: Path) -> None:
    raw = json.loads(record(folder).read_text(encoding="utf-8"))
    size = raw["bytes"]
    raw["bytes"] |= {"file": 1, "breakdown": {"values": 1}, "per_entity": size["per_entity"] / size["file"]}
    record(folder).write_text(json.dumps(raw), encoding="utf-8")
    assert "don't fit" in next(each.fix for each in check(folder) if each.check == "adds-up")


def test_metrics_are_what_is_retained_of_fp32(folder: Path) -> None:
    whole = synthetic.make("synthetic-small", "mf", "reference", "none", "default", 0)
    made = [whole, synthetic.make("synthetic-small", "mf", "quantization", "uniform", "1/4", 0)]
    for name in (whole.identity.dataset, "again"):
        results = folder / name
        synthetic.write_folder(results, made)
        path = results / "records" / "synthetic-small" / "mf" / "uniform" / "1-4.seed0.json"
        if name == "again":
            raw = json.loads(path.read_text(encoding="utf-8"))
            raw["quality"]["metrics"]["ndcg@20"] *= 1.2
            path.write_text(json.dumps(raw), encoding="utf-8")
        told = [each.fix for each in check(results) if each.check == "adds-up"]
        assert [("retains" in each) for each in told] == [True] * (name == "again")


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({"ratio": 0.001, "ratio_low": 0.0009, "ratio_high": 0.0011}, "ratio of single"),
        ({"ratio_low": 0.01}, "ratio of single"),
        ({"p99_ms": 0.001}, "percentiles of single"),
        ({"p90_ms": 0.001}, "percentiles of single"),
        ({"queries": 31}, "can't be read"),
        ({"block": 7}, "can't be read"),
    ],
)
def test_a_timing_is_held_to_its_raw_times(folder: Path, figures: dict[str, float], said: str) -> None:
    path = next((folder / "timings").rglob("1-4.seed0.json"))
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["latency"][0] |= figures
    path.write_text(json.dumps(raw), encoding="utf-8")
    assert said in next(each.fix for each in check(folder) if each.check == "timed")


def test_an_invented_commit_is_found_where_git_has_all_of_its_history(folder: Path) -> None:
    def git(*words: str, at: Path = folder) -> str:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        return subprocess.run(["git", *who, *words], cwd=at, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", "code")
    git("commit", "--quiet", "--allow-empty", "--message", "more code")
    known = git("rev-parse", "HEAD")
    for path in [*folder.rglob("records/**/*.json"), *folder.rglob("timings/**/*.json")]:
        edit(path, "provenance", commit=known)
    assert {each.check for each in check(folder)} <= {"tables-generated"}
    edit(record(folder), "provenance", commit="0" * 39 + "1")
    found = [each for each in check(folder) if each.check == "known-commit"]
    assert [each.file for each in found] == ["records/ml-100k/mf/uniform/1-4.seed0.json"]
    git("clone", "--quiet", "--depth=1", f"file://{folder}", "part")
    assert shallow(folder / "part")
    assert unknown(folder / "part", ["0" * 39 + "1"]) == set()

"""What a person is to look at, figures that are too good and runs that nothing held, is shown and fails nothing."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import synthetic
from click.testing import CliRunner, Result

from recpress.cli import cli
from recpress.leaderboard.collect import collect
from recpress.leaderboard.flags import flags
from recpress.leaderboard.folder import check
from recpress.leaderboard.site import build
from recpress.leaderboard.submission import Submission, text
from recpress.leaderboard.tables import aggregate, frame, render, texts
from recpress.records.plausible import References, doubts
from recpress.records.record import Record
from recpress.registry import method

# A method that had trained on test kept so much of ml-100k, and passed every other check.
LEAKED = 2.06
CELL = ("synthetic-small", "mf", "low_rank", "svd", "1/4", 0)
FILE = "records/synthetic-small/mf/svd/1-4.seed0.json"


def keeping(
    kept: float, *cell: Any, metrics: tuple[str, ...] = ("ndcg@20", "recall@20"), isolated: bool | None = True
) -> Record:
    """Return a made-up record that retains so much of these metrics, and says nothing of it."""
    made = synthetic.make(*(cell or CELL))
    assert made.quality
    share = made.quality.retention | dict.fromkeys(metrics, kept)
    provenance = made.provenance.model_copy(update={"isolated": isolated})
    quality = made.quality.model_copy(update={"retention": share})
    return made.model_copy(update={"quality": quality, "provenance": provenance})


def ranking(ndcg: float, family: str, name: str, variant: str = "1/4", backbone: str = "mf") -> Record:
    """Return a made-up record of such an NDCG@20."""
    made = synthetic.make("synthetic-small", backbone, family, name, variant, 0)
    assert made.quality
    return made.model_copy(
        update={"quality": made.quality.model_copy(update={"metrics": made.quality.metrics | {"ndcg@20": ndcg}})}
    )


@pytest.mark.parametrize(
    ("retained", "metrics", "said"),
    [
        (LEAKED, ("ndcg@20", "recall@20"), ["206.0% of its backbone's ndcg@20", "206.0% of its backbone's recall@20"]),
        (1.0501, ("recall@20",), ["105.0% of its backbone's recall@20"]),
        (1.051, ("ndcg@20",), ["105.1% of its backbone's ndcg@20"]),
        (1.05, ("ndcg@20", "recall@20"), []),
        (1.049, ("ndcg@20", "recall@20"), []),
        (LEAKED, ("ndcg@10",), []),
    ],
)
def test_a_closed_method_retains_at_most_105_percent(
    retained: float, metrics: tuple[str, ...], said: list[str]
) -> None:
    told = [str(each) for each in doubts("closed", keeping(retained, metrics=metrics).quality)]
    assert len(told) == len(said)
    assert all(part in each for part, each in zip(said, told, strict=True))


def test_other_divisions_may_gain_on_their_own_backbone() -> None:
    quality = keeping(LEAKED).quality
    assert doubts("open", quality) == doubts("reference", quality) == doubts("closed", None) == ()


@pytest.mark.parametrize(("ndcg", "share"), [(0.42, None), (0.4199, None), (0.4201, 0.4201 / 0.4), (0.8, 2.0)])
def test_no_method_ranks_far_above_the_best_reference(ndcg: float, share: float | None) -> None:
    beside = [
        ranking(0.3, "reference", "none", "default"),
        ranking(0.4, "reference", "none", "default", backbone="lightgcn"),
        ranking(0.35, "reference", "ease", "default"),
        ranking(0.9, "distillation", "distill"),
    ]
    mine = ranking(ndcg, "distillation", "ranking-distill")
    told = References([*beside, mine]).doubts(mine)
    assert [each.share for each in told] == ([] if share is None else [pytest.approx(share)])
    assert all("of the best uncompressed model's and reference's" in str(each) for each in told)


def test_a_reference_is_held_beside_the_others_and_a_backbone_beside_none() -> None:
    ease, fp32 = ranking(0.8, "reference", "ease", "default"), ranking(0.4, "reference", "none", "default")
    known = References([ease, fp32])
    assert [each.beside for each in known.doubts(ease)] == ["best"]
    assert known.doubts(fp32) == ()
    elsewhere = fp32.identity.model_copy(update={"split": "0" * 64, "method": "svd"})
    assert known.best(elsewhere) is None


def folder(tmp_path: Path, *made: Record) -> Path:
    return synthetic.write_folder(tmp_path / "results", made)


def test_flags_name_the_record_and_the_figures(tmp_path: Path) -> None:
    held = keeping(1.049, "synthetic-small", "mf", "low_rank", "svd", "1/8", 0)
    loose = keeping(1.0, "synthetic-small", "mf", "low_rank", "svd", "1/2", 0, isolated=False)
    older = keeping(1.0, "synthetic-small", "mf", "low_rank", "svd", "1/16", 0, isolated=None)
    found = collect(folder(tmp_path, keeping(LEAKED, metrics=("ndcg@20",)), held, loose, older))
    assert [(each.file, each.check) for each in flags(found)] == [
        ("records/synthetic-small/mf/svd/1-2.seed0.json", "isolated"),
        (FILE, "plausible"),
    ]
    assert "206.0%" in flags(found)[1].fix
    # A submission says that it was isolated; what lay there before needn't.
    assert flags(found, []) == []
    (told,) = flags(found, ["records/synthetic-small/mf/svd/1-16.seed0.json"])
    assert "doesn't say whether it was isolated" in told.fix
    assert [each.check for each in flags(found, [FILE])] == ["plausible"]


def stating(made: Record, doubtful: tuple[str, ...] | None) -> Record:
    assert made.quality
    return made.model_copy(update={"quality": made.quality.model_copy(update={"doubtful": doubtful})})


@pytest.mark.parametrize(
    ("retained", "stated", "found"),
    [
        (LEAKED, ("ndcg@20", "recall@20"), False),
        (LEAKED, (), True),
        (LEAKED, ("recall@20",), True),
        (1.0, (), False),
        (1.0, ("ndcg@20",), True),
        (1.0, None, False),
        (LEAKED, None, False),
    ],
)
def test_what_a_record_states_is_judged_again(tmp_path: Path, retained: float, stated: Any, found: bool) -> None:
    results = folder(tmp_path, stating(keeping(retained), stated))
    assert [each.file for each in check(results) if each.check == "doubts-stated"] == [FILE] * found
    assert [each.file for each in flags(collect(results)) if each.check == "plausible"] == [FILE, FILE] * (
        retained > 1.05
    )


def test_a_new_record_that_leaves_its_doubts_out_is_found(tmp_path: Path) -> None:
    removed = stating(keeping(LEAKED), None)
    harmless = stating(keeping(1.0, "synthetic-small", "mf", "low_rank", "svd", "1/8", 0), None)
    results = folder(tmp_path, removed, harmless)
    there_already = {FILE: json.loads((results / FILE).read_text())}
    for earlier, files in (({"records/other.json": {}}, [FILE]), (there_already, [])):
        assert [each.file for each in check(results, earlier) if each.check == "doubts-stated"] == files


def test_a_record_that_leaves_out_what_it_retains_is_found(tmp_path: Path) -> None:
    made = keeping(LEAKED)
    assert made.quality
    left = {name: None if name == "ndcg@20" else kept for name, kept in made.quality.retention.items()}
    hiding = made.model_copy(update={"quality": made.quality.model_copy(update={"retention": left})})
    fp32 = synthetic.make("synthetic-small", "mf", "reference", "none", "default", 0)
    told = [each.fix for each in check(folder(tmp_path, hiding, fp32)) if each.check == "adds-up"]
    assert ["doesn't say what it retains of the ndcg@20" in each for each in told] == [True]


def test_rows_are_marked_and_say_why(tmp_path: Path) -> None:
    calm = synthetic.make("synthetic-small", "mf", "low_rank", "svd", "1/8", 0)
    made = [
        keeping(LEAKED),
        keeping(1.0, "synthetic-small", "mf", "low_rank", "svd", "1/4", 1, isolated=None),
        keeping(1.0, "synthetic-small", "mf", "low_rank", "svd", "1/2", 0, isolated=False),
        keeping(1.0, "synthetic-small", "mf", "low_rank", "svd", "1/2", 1),
        calm,
    ]
    rows = aggregate(frame(synthetic.runs(made)))
    _, cells = texts(rows, ("method", "variant"), ())
    assert [cell[:2] for cell in cells] == [["svd (not isolated)", "1/2"], ["svd ‡", "1/4"], ["svd", "1/8"]]
    assert rows["isolated"].tolist() == ["no", "", ""]
    assert "| svd ‡ " in render(rows, "markdown")
    told = CliRunner().invoke(cli, ["show", "--all", "--results", str(folder(tmp_path, *made))])
    assert "svd ‡" in told.stdout
    assert "svd (not isolated)" in told.stdout
    assert "‡ svd 1/4 of mf on synthetic-small is flagged for review: it retains 206.0%" in told.stderr
    assert "not isolated means that nothing kept the method from reading test" in told.stderr
    told = CliRunner().invoke(cli, ["show", "--all", "--results", str(folder(tmp_path / "calm", calm))])
    assert (told.stderr, "‡" in told.stdout, "isolated" in told.stdout) == ("", False, False)


def test_pages_mark_rows_and_runs(tmp_path: Path) -> None:
    made = [keeping(LEAKED), keeping(1.0, "synthetic-small", "mf", "low_rank", "svd", "1/2", 0, isolated=False)]
    site = build(folder(tmp_path, *made), tmp_path / "site").index.parent
    page = (site / "dataset" / "synthetic-small.html").read_text(encoding="utf-8")
    assert ">svd ‡</a>" in page
    assert 'title="Flagged for review: it retains 206.0% of its backbone&#39;s ndcg@20' in page
    assert ">svd (not isolated)</a>" in page
    assert "svd ‡ 1/4" in (site / "index.html").read_text(encoding="utf-8")
    assert 'id="isolated"' in (site / "rules.html").read_text(encoding="utf-8")
    given = (site / "data" / "runs" / "synthetic-small" / "mf" / "svd.js").read_text(encoding="utf-8")
    _, runs, _ = json.loads(f"[{given.partition('(')[2].removesuffix(f');{chr(10)}')}]")
    assert [len(run["doubts"]) for run in runs] == [0, 2]
    assert [run["record"]["provenance"]["isolated"] for run in runs] == [False, True]


def test_a_submission_s_text_says_it(tmp_path: Path) -> None:
    made = [keeping(LEAKED), keeping(1.0, "synthetic-small", "mf", "low_rank", "svd", "1/2", 0, isolated=False)]
    runs = collect(folder(tmp_path, *made)).runs
    told = text(Submission(method("svd"), runs, (), tmp_path))
    assert "‡ svd 1/4 of mf on synthetic-small is flagged for review: it retains 206.0%" in told
    assert "1 records were not isolated" in told
    calm = tuple(synthetic.runs([keeping(1.0)]))
    assert "isolated" not in text(Submission(method("svd"), calm, (), tmp_path))


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, words, catch_exceptions=False)


def test_check_results_tells_flags_and_they_fail_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = folder(tmp_path, keeping(LEAKED))
    monkeypatch.setattr("recpress.leaderboard.folder.check", lambda *_: [])
    comment = tmp_path / "comment.md"
    words = ("results", "check", "--results", str(results), "--summary", str(comment))
    told = run(*words)
    assert told.exit_code == 0
    assert "FOR A PERSON TO LOOK AT:\n" in told.stdout
    assert f"{results / FILE}: plausible: it retains 206.0% of its backbone's ndcg@20" in told.stdout
    assert told.stdout.endswith(f"0 findings in {results}, 2 flagged for review.\n")
    assert comment.read_text().startswith("> [!WARNING]\n> **Flagged for review")
    assert "it retains 206.0% of its backbone's ndcg@20" in comment.read_text()
    told = run(*words, "--format", "github")
    assert told.exit_code == 0
    assert f"::warning file={results / FILE},line=1,title=for a person%3A plausible::it retains 206.0%25" in told.stdout
    told = run(*words, "--format", "json")
    assert {(each["file"], each["check"], each["state"]) for each in json.loads(told.stdout)} == {
        (FILE, "plausible", "flagged")
    }
    told = run(*words[:4], "--base", str(results))
    assert told.stdout == f"0 findings in {results}.\n"
    told = run("results", "check", "--results", str(folder(tmp_path / "calm", keeping(1.049))))
    assert "flagged" not in told.stdout


def test_the_comment_on_a_pull_request_names_its_doubtful_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*words: str) -> None:
        who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True)

    older = keeping(LEAKED, "synthetic-small", "mf", "low_rank", "svd", "1/8", 0)
    results = folder(tmp_path, older)
    git("init", "--quiet", "--initial-branch", "main")
    git("add", "--all")
    git("commit", "--quiet", "-m", "base")
    git("checkout", "--quiet", "-b", "mine")
    more = [keeping(1.0, "synthetic-small", "mf", "low_rank", "svd", f"1/{n}", 0, isolated=False) for n in (2, 16)]
    folder(tmp_path, keeping(LEAKED), *more)
    git("add", "--all")
    git("commit", "--quiet", "-m", "records")
    monkeypatch.setattr("recpress.cli.shared.revision.checkout_root", lambda: tmp_path)
    comment = tmp_path / "comment.md"
    told = run("check", "--changed", "main", "--results", str(results), "--format", "github", "--summary", str(comment))
    assert told.exit_code == 0
    assert told.stdout.endswith("0 checks pass, 0 fail, 4 flagged for review.\n")
    lines = comment.read_text().splitlines()
    assert lines[0] == "> [!WARNING]"
    assert f"{results / FILE}: it retains 206.0% of its backbone's ndcg@20" in lines[3]
    # Alike ones are one line.
    assert lines[5].startswith(f"> - {results}/records/synthetic-small/mf/svd/1-16.seed0.json and 1 more: not isolated")
    assert "1-8.seed0" not in comment.read_text()

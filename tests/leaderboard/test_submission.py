"""A submission: what is none is told why, and a bundle holds what its list says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import synthetic

from recpress import registry
from recpress.core.errors import UserError
from recpress.core.hashing import sha256_file
from recpress.leaderboard.collect import collect
from recpress.leaderboard.submission import TEXT, Submission, bundle, lacks, neighbours
from recpress.leaderboard.tables import aggregate, frame


@pytest.fixture
def submission(tmp_path: Path) -> Submission:
    made = [each for each in synthetic.records() if each.identity.dataset == "synthetic-small"]
    # The made-up code hashes differ from record to record.
    of_one_code = [
        each.model_copy(update={"provenance": each.provenance.model_copy(update={"code": "c" * 64})}) for each in made
    ]
    found = collect(synthetic.write_folder(tmp_path / "results", of_one_code)).runs
    mine = tuple(run for run in found if run.record.identity.method == "uniform" and run.record.status == "ok")
    beside = tuple(run for run in found if run.record.identity.method != "uniform")
    return Submission(registry.method("uniform"), mine, beside, tmp_path / "results")


def changed(submission: Submission, **update: object) -> Submission:
    first, *rest = submission.runs
    return replace(submission, runs=(replace(first, record=first.record.model_copy(update=update)), *rest))


def test_a_bundle_holds_what_its_list_says(submission: Submission, tmp_path: Path) -> None:
    bundle(submission, tmp_path / "bundle")
    about = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    listed = {name: sha256_file(tmp_path / "bundle" / name) for name in about["files"]}
    assert listed == about["files"]
    there = {path.relative_to(tmp_path / "bundle").as_posix() for path in (tmp_path / "bundle").rglob("*.*")}
    assert there == {*about["files"], "bundle.json", TEXT}
    assert len([name for name in about["files"] if name.startswith("results/records/")]) == len(submission.runs)
    assert "methods/quantization/uniform/card.toml" in about["files"]
    assert f"results/machines/{synthetic.MACHINE}.json" in about["files"]
    timed = {name for name in about["files"] if name.startswith(f"results/timings/{synthetic.MACHINE}/")}
    assert len(timed) == len(submission.runs)
    with pytest.raises(UserError, match="there already"):
        bundle(submission, tmp_path / "bundle")


def test_the_text_shows_its_rows_beside_the_nearest_in_bytes(submission: Submission) -> None:
    rows = aggregate(frame((*submission.runs, *submission.beside)))
    shown = neighbours(rows, "uniform")
    mine = shown[shown["method"] == "uniform"]
    assert len(mine) == len(rows[rows["method"] == "uniform"])
    for _, row in mine.iterrows():
        others = rows[(rows["method"] != "uniform") & (rows["backbone"] == row["backbone"]) & (rows["status"] == "ok")]
        nearest = min(others["mb"], key=lambda mb: abs(mb / row["mb"] - 1) if mb > row["mb"] else row["mb"] / mb - 1)
        assert nearest in shown["mb"].to_numpy()


@pytest.mark.parametrize(
    ("update", "said"),
    [
        ({"status": "failed", "reason": "it broke"}, "failed: it broke"),
        ({"provenance": {"dirty": True}}, "uncommitted code"),
        ({"provenance": {"commit": None}}, "uncommitted code"),
        ({"provenance": {"code": "d" * 64}}, "several versions of the method's code"),
    ],
)
def test_what_is_no_submission_is_told_why(submission: Submission, tmp_path: Path, update, said) -> None:
    record = submission.runs[0].record
    fields = {
        name: getattr(record, name).model_copy(update=value) if isinstance(value, dict) else value
        for name, value in update.items()
    }
    broken = changed(submission, **fields)
    assert any(said in each for each in lacks(broken))
    with pytest.raises(UserError, match="no submission yet"):
        bundle(broken, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_without_records_or_within_no_budget_there_is_no_submission(submission: Submission) -> None:
    assert "no record" in lacks(replace(submission, runs=()))[0]
    none_ok = tuple(
        replace(run, record=run.record.model_copy(update={"status": "over-budget"})) for run in submission.runs
    )
    assert lacks(replace(submission, runs=none_ok)) == ["uniform meets none of the budgets."]

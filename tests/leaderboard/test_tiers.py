"""A tier rests on what reproductions hold, weighed against the record as it is now."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import synthetic

from recpress.data.card import dataset_card
from recpress.leaderboard.collect import Run, collect
from recpress.leaderboard.folder import check
from recpress.leaderboard.tables import aggregate, frame
from recpress.leaderboard.tiers import standings
from recpress.reproduce.report import ReportedRatio, ReproductionReport

CELL = ("synthetic-small", "mf", "quantization", "uniform", "1/4")
ELSEWHERE = synthetic.ELSEWHERE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    split = dataset_card("ml-100k").split.sha256
    made = []
    for seed in (0, 1):
        record = synthetic.make(*CELL, seed)
        identity = record.identity.model_copy(update={"dataset": "ml-100k", "split": split})
        made.append(record.model_copy(update={"identity": identity}))
    synthetic.write_folder(tmp_path, made)
    (tmp_path / "machines" / f"{ELSEWHERE}.json").write_text("{}", encoding="utf-8")
    return tmp_path


def first(folder: Path) -> Run:
    return collect(folder).runs[0]


def repeated(run: Run, **update: object) -> ReproductionReport:
    return synthetic.repeated(run.record, run.sha256, **update)


def tier(folder: Path) -> str:
    return standings(collect(folder))[first(folder).id].tier


def slower(run: Run, noisy: bool = False) -> dict[str, ReportedRatio]:
    return synthetic.ratios(run.timing, 9, noisy=noisy)


def test_a_record_alone_is_what_its_checks_make_it(folder: Path) -> None:
    assert tier(folder) == "checked"
    next((folder / "machines").glob("0*.json")).unlink()
    assert tier(folder) == "self-reported"
    synthetic.put(folder, repeated(first(folder)))
    assert tier(folder) == "self-reported"


def test_each_repetition_lifts_as_far_as_it_goes(folder: Path) -> None:
    run = first(folder)
    synthetic.put(folder, repeated(run, event="rescored", bytes=None, latency={}))
    assert tier(folder) == "re-scored"
    synthetic.put(folder, repeated(run))
    assert tier(folder) == "re-run"
    synthetic.put(folder, repeated(run, machine=ELSEWHERE, latency=slower(run)))
    assert tier(folder) == "re-run elsewhere"
    assert [each for each in check(folder) if each.check == "reproduced"] == []


def test_a_repetition_that_differs_lifts_nothing_and_says_in_what(folder: Path) -> None:
    run = first(folder)
    assert run.record.quality
    metrics = run.record.quality.metrics
    for update, said in (
        ({"metrics": metrics | {"ndcg@20": metrics["ndcg@20"] + 1e-12}}, "ndcg@20"),
        ({"metrics": {}}, "ndcg@20"),
        ({"retention": {}}, "retained"),
        ({"bytes": None}, "bytes"),
        ({"latency": slower(run)}, "single / fp32"),
        ({"status": "failed"}, "status"),
    ):
        synthetic.put(folder, repeated(run, **update))
        standing = standings(collect(folder))[run.id]
        assert standing.tier == "checked"
        assert any(said in each for each in standing.repetitions[0].differs), said
    for latency in (slower(run, noisy=True), {}):
        synthetic.put(folder, repeated(run, latency=latency))
        assert tier(folder) == "re-run"


def test_an_attestation_of_what_a_record_was_counts_for_nothing(folder: Path) -> None:
    run = first(folder)
    synthetic.put(folder, repeated(run))
    assert tier(folder) == "re-run"
    path = folder / run.file
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert tier(folder) == "checked"


def test_broken_attestations_are_refused_by_name(folder: Path) -> None:
    run = first(folder)
    path = synthetic.put(folder, repeated(run))
    good = path.read_text(encoding="utf-8")

    def findings() -> set[tuple[str, str]]:
        return {(each.file, each.check) for each in check(folder) if each.check in ("readable", "reproduced")}

    file = path.relative_to(folder).as_posix()
    assert findings() == set()
    for bad in ("{", "[]", json.dumps(json.loads(good) | {"tier": "re-run"}), good.replace("rerun", "rescored", 1)):
        path.write_text(bad, encoding="utf-8")
        assert findings() == {(file, "readable")}
        assert tier(folder) == "checked"
    path.unlink()
    stranger = synthetic.put(folder, repeated(run, machine="unknown"))
    assert findings() == {(stranger.relative_to(folder).as_posix(), "reproduced")}
    stranger.unlink()
    orphan = synthetic.put(folder, repeated(run, record="records/ml-100k/mf/uniform/1-2.seed0.json"))
    assert findings() == {(orphan.relative_to(folder).as_posix(), "reproduced")}


def test_a_row_has_the_tier_of_its_least_repeated_seed(folder: Path) -> None:
    synthetic.put(folder, repeated(first(folder)))
    found = collect(folder)
    tiers = standings(found)
    rows = aggregate(frame(found.runs, (tiers[run.id].tier for run in found.runs)))
    assert rows["tier"].tolist() == ["checked"]
    one = [run for run in found.runs if tiers[run.id].tier == "re-run"]
    assert aggregate(frame(one, ["re-run"]))["tier"].tolist() == ["re-run"]


def test_figures_must_be_those_of_the_records_own_parts(folder: Path) -> None:
    run = first(folder)
    assert run.record.bytes
    wrong = run.record.model_copy(
        update={"bytes": run.record.bytes.model_copy(update={"file": run.record.bytes.file - 1})}
    )
    (folder / run.file).write_text(wrong.model_dump_json(), encoding="utf-8")
    assert {each.check for each in check(folder)} >= {"adds-up"}
    assert tier(folder) == "self-reported"


def test_a_timing_must_be_of_its_raw_times_and_of_a_run(folder: Path) -> None:
    timing = first(folder).timing
    assert timing
    single, *others = timing.latency
    wrong = timing.model_copy(update={"latency": (single.model_copy(update={"p50_ms": 0.9 * single.p50_ms}), *others)})
    for each, said in (
        (wrong, "percentiles of single"),
        (timing.model_copy(update={"signature": "0" * 64}), "no run has"),
    ):
        synthetic.write_folder(folder, [], [each])
        assert any(said in finding.fix for finding in check(folder) if finding.check == "timed")

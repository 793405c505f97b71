import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import synthetic
from click.testing import CliRunner

from recpress.cli.show import command
from recpress.core.errors import UserError
from recpress.leaderboard.collect import collect
from recpress.leaderboard.columns import COLUMNS, INTERVALS, NOISY
from recpress.leaderboard.tables import aggregate, choose, frame, render, sort
from recpress.measure.machine import named
from recpress.measure.repeats import between_runs, interval

MADE = synthetic.records()
CELL = ("synthetic-small", "mf", "low_rank", "svd")


def test_one_row_a_record_with_units() -> None:
    record = next(r for r in MADE if r.status == "ok" and r.identity.method == "uniform")
    (run,) = synthetic.runs([record])
    row = frame([run]).iloc[0]
    assert record.quality is not None
    assert record.bytes is not None
    assert row["retained"] == pytest.approx(100 * record.quality.retention["ndcg@20"])
    assert row["mb"] == pytest.approx(record.bytes.file / 1e6)
    assert row["smaller"] == pytest.approx(record.bytes.reference / record.bytes.file)
    assert row["analytic_mj"] == pytest.approx(1e3 * record.energy[0].joules)
    assert row["single_ms"] == run.latency[0].p50_ms
    assert math.isnan(row["measured_mj"])


def test_seeds_become_mean_and_spread() -> None:
    three = [synthetic.make("synthetic-small", "mf", "low_rank", "svd", "1/4", seed) for seed in (0, 1, 2)]
    assert {r.status for r in three} == {"ok"}
    values = pd.Series([r.quality.metrics["ndcg@20"] for r in three if r.quality])
    rows = aggregate(frame(synthetic.runs(three)))
    assert len(rows) == 1
    assert rows.loc[0, "seeds"] == 3
    assert rows.loc[0, "ndcg20"] == pytest.approx(values.mean())
    assert rows.loc[0, "ndcg20_sd"] == pytest.approx(values.std(ddof=1))
    # The widest of the seeds' own intervals, each with what lies between runs, as the three of them show it.
    timed = synthetic.timings(three)
    spread = between_runs(timed)
    assert spread.of(synthetic.MACHINE, "single", "synthetic-small") > 0
    assert rows.loc[0, "single_low"] == min(interval(each.latency[0], each, spread)[0] for each in timed)
    assert rows.loc[0, "single_low"] < min(each.latency[0].ratio_low for each in timed)
    assert f"{values.mean():.4f} ± {values.std(ddof=1):.4f}" in render(rows, "table")


def test_a_disturbed_timing_is_marked() -> None:
    calm = synthetic.make("synthetic-small", "mf", "low_rank", "svd", "1/4", 0)
    (timing,) = synthetic.timings([calm])
    first = timing.latency[0].model_copy(update={"noisy": True})
    noisy = timing.model_copy(update={"latency": (first, *timing.latency[1:])})
    assert "~" not in render(aggregate(frame(synthetic.runs([calm]))), "markdown")
    assert render(aggregate(frame(synthetic.runs([calm], [noisy]))), "markdown").count("~") == 2  # ms, ratio of single


@pytest.fixture
def two_machines(tmp_path: Path) -> Path:
    """Three variants: both machines timed the first two, one of them the third."""
    made = [synthetic.make(*CELL, variant, 0) for variant in ("1/2", "1/4", "1/8")]
    elsewhere = synthetic.timings(made[:2], synthetic.ELSEWHERE)
    return synthetic.write_folder(tmp_path, made, [*synthetic.timings(made), *elsewhere])


def test_columns_of_two_machines_never_mix(two_machines: Path) -> None:
    found = collect(two_machines)
    tables = {name: aggregate(frame(found.on(name).runs)) for name in found.timings}
    assert set(tables) == {synthetic.MACHINE, synthetic.ELSEWHERE}
    timed = [key for key, column in COLUMNS.items() if column.timed]
    spread = [f"{key}_sd" for key in timed if key != "machine"]
    ends = [end for key in INTERVALS if key in timed for end in INTERVALS[key]]
    here, there = (
        tables[name].drop(columns=[*timed, *spread, *ends, *NOISY]) for name in (synthetic.MACHINE, synthetic.ELSEWHERE)
    )
    pd.testing.assert_frame_equal(here, there)
    for name, rows in tables.items():
        assert set(rows["machine"]) - {""} == {name}
    assert tables[synthetic.ELSEWHERE]["single_ms"].isna().tolist() == [False, False, True]
    slower = tables[synthetic.ELSEWHERE]["single_ms"] / tables[synthetic.MACHINE]["single_ms"]
    assert slower[:2].min() > 2


def test_the_newest_of_the_most_complete_machines_is_shown(two_machines: Path) -> None:
    assert collect(two_machines).machine == synthetic.MACHINE
    (path,) = (two_machines / "timings" / synthetic.MACHINE).rglob("1-8.seed0.json")
    (_, _, third) = synthetic.timings(run.record for run in collect(two_machines).runs)
    path.unlink()
    newer = third.provenance.model_copy(update={"machine": synthetic.ELSEWHERE, "started": "2027-01-01T00:00:00Z"})
    synthetic.write_folder(two_machines, [], [third.model_copy(update={"provenance": newer})])
    assert collect(two_machines).machine == synthetic.ELSEWHERE


def test_show_says_whose_times_they_are(two_machines: Path) -> None:
    told = CliRunner().invoke(command, ["--results", str(two_machines), "--machine", synthetic.ELSEWHERE])
    whose = f"a made-up CPU without avx512_vnni, 2 threads, {synthetic.ELSEWHERE}"
    assert told.stderr == f"recpress: times are those of {whose}; --machine shows {synthetic.MACHINE}.\n"
    told = CliRunner().invoke(command, ["--results", str(two_machines), "--machine", "unknown"])
    assert "recpress time" in str(told.exception)


@pytest.mark.parametrize(
    ("about", "label"),
    [
        ({}, "a machine that is not described, abc"),
        ({"cpu": "X"}, "X, abc"),
        (
            {"cpu": "X", "threads": 2, "flags": ["popcnt", "avx512_vnni"], "caches": {"L1d": 49152}},
            "X with avx512_vnni (L1d 48 KiB), 2 threads, abc",
        ),
        ({"cpu": "X", "flags": ["popcnt"], "gpus": ["H"]}, "X without avx512_vnni, H, abc"),
        ({"cpu": "Arm", "flags": ["asimd"], "caches": [], "gpus": {}, "threads": "many"}, "Arm, abc"),
    ],
)
def test_a_machine_is_named_by_what_sets_it_apart(about: dict[str, Any], label: str) -> None:
    assert named("abc", about) == label


def test_a_failed_seed_is_a_row_of_its_own_with_its_reason() -> None:
    ok = synthetic.make("synthetic-small", "mf", "low_rank", "svd", "1/4", 0)
    failed = ok.model_copy(
        update={
            "status": "failed",
            "reason": "ran out of luck",
            "quality": None,
            "bytes": None,
            "serving": None,
            "energy": (),
            "cost": None,
            "identity": ok.identity.model_copy(update={"seed": 1}),
        }
    )
    rows = aggregate(frame(synthetic.runs([ok, failed])))
    assert rows["status"].tolist() == ["ok", "failed"]
    assert rows["seeds"].tolist() == [1, 1]
    assert "ran out of luck" in render(rows, "table")


def test_sorting_puts_the_best_first_and_the_unknown_last() -> None:
    rows = aggregate(frame(synthetic.runs(MADE)))
    ndcg = sort(rows, "ndcg20")["ndcg20"]
    assert ndcg.dropna().is_monotonic_decreasing
    assert ndcg.iloc[: ndcg.notna().sum()].notna().all()
    assert sort(rows, "mb")["mb"].dropna().is_monotonic_increasing
    with pytest.raises(UserError, match="did you mean 'ndcg20'"):
        sort(rows, "ndcg2")


def test_choosing_by_an_unknown_name_suggests_one() -> None:
    rows = aggregate(frame(synthetic.runs(MADE)))
    assert set(choose(rows, method="svd", backbone=None)["method"]) == {"svd"}
    with pytest.raises(UserError, match="did you mean 'uniform'"):
        choose(rows, method="unifrom")


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [("mb", 0.0123456, "0.0123"), ("mb", 1234.5, "1,234"), ("mb", 0.0, "0.00"), ("ndcg20", 0.25, "0.2500")],
)
def test_figures_are_written_with_their_precision(key: str, value: float, text: str) -> None:
    assert COLUMNS[key].text(value) == text


def test_exports_carry_unrounded_figures() -> None:
    rows = aggregate(frame(synthetic.runs(MADE[:20])))
    listed = json.loads(render(rows, "json"))
    assert [row["method"] for row in listed] == rows["method"].tolist()
    assert render(rows, "csv").splitlines()[0].startswith("dataset,split,backbone")
    assert render(rows, "markdown").startswith("| Dataset")
    assert "\\toprule" in render(rows, "latex")


def test_show_reads_a_folder_and_names_what_it_refuses(tmp_path: Path) -> None:
    synthetic.write_folder(tmp_path, MADE[:30])
    bad = tmp_path / "records" / "broken.json"
    bad.write_text("{")
    result = CliRunner().invoke(command, ["--results", str(tmp_path), "--sort", "mb"])
    assert result.exit_code == 0
    assert "records/broken.json is left out" in result.stderr
    assert "NDCG@20" in result.stdout


def test_show_alone_is_a_summary_and_all_has_every_row(tmp_path: Path) -> None:
    synthetic.write_folder(tmp_path, MADE)
    rows = aggregate(frame(collect(tmp_path).runs))
    alone = CliRunner().invoke(command, ["--results", str(tmp_path)]).stdout
    for dataset, of_set in rows.groupby("dataset"):
        (line,) = [each for each in alone.splitlines() if each.startswith(f"{dataset} ")]
        assert line.split()[1:4] == [
            str(of_set["backbone"].nunique()),
            str(of_set["method"].nunique()),
            str(len(of_set)),
        ]
    everything = CliRunner().invoke(command, ["--results", str(tmp_path), "--all"]).stdout
    assert len(everything.splitlines()) > len(rows) > len(alone.splitlines())


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    assert "recpress demo" in CliRunner().invoke(command, ["--results", str(tmp_path)]).output
    with pytest.raises(UserError, match="no results folder"):
        CliRunner().invoke(command, ["--results", str(tmp_path / "none")], catch_exceptions=False)


def test_showing_does_not_import_torch() -> None:
    code = "import sys, recpress.cli.show, recpress.cli.site; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", code], check=False).returncode == 0

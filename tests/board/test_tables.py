import json
import math
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import synthetic
from click.testing import CliRunner

from recpress.board.columns import COLUMNS
from recpress.board.tables import aggregate, choose, frame, render, sort, timed_on
from recpress.cli.show import command
from recpress.errors import UserError
from recpress.measure.repeats import between_runs, interval

MADE = synthetic.records()


def test_one_row_a_record_with_units() -> None:
    record = next(r for r in MADE if r.status == "ok" and r.identity.method == "uniform")
    row = frame([record]).iloc[0]
    assert record.quality is not None
    assert record.bytes is not None
    assert row["kept"] == pytest.approx(100 * record.quality.retention["ndcg@20"])
    assert row["mb"] == pytest.approx(record.bytes.file / 1e6)
    assert row["smaller"] == pytest.approx(record.bytes.reference / record.bytes.file)
    assert row["analytic_mj"] == pytest.approx(1e3 * record.energy[0].joules)
    assert row["single_ms"] == record.latency[0].p50_ms
    assert math.isnan(row["measured_mj"])


def test_seeds_become_mean_and_spread() -> None:
    three = [synthetic.make("synthetic-small", "mf", "low_rank", "svd", "1/4", seed) for seed in (0, 1, 2)]
    assert {r.status for r in three} == {"ok"}
    values = pd.Series([r.quality.metrics["ndcg@20"] for r in three if r.quality])
    rows = aggregate(frame(three))
    assert len(rows) == 1
    assert rows.loc[0, "seeds"] == 3
    assert rows.loc[0, "ndcg20"] == pytest.approx(values.mean())
    assert rows.loc[0, "ndcg20_sd"] == pytest.approx(values.std(ddof=1))
    # The widest of the seeds' own intervals, each with what lies between runs, as the three of them show it.
    spread = between_runs(three)
    assert spread.of(synthetic.MACHINE, "single", "synthetic-small") > 0
    assert rows.loc[0, "single_low"] == min(interval(r.latency[0], r, spread)[0] for r in three)
    assert rows.loc[0, "single_low"] < min(r.latency[0].ratio_low for r in three)
    assert f"{values.mean():.4f} ± {values.std(ddof=1):.4f}" in render(rows, "table")


def test_a_disturbed_timing_is_marked() -> None:
    calm = synthetic.make("synthetic-small", "mf", "low_rank", "svd", "1/4", 0)
    first = calm.latency[0].model_copy(update={"noisy": True})
    noisy = calm.model_copy(update={"latency": (first, *calm.latency[1:])})
    assert "~" not in render(aggregate(frame([calm])), "markdown")
    assert render(aggregate(frame([noisy])), "markdown").count("~") == 2  # ms and ratio of single


def test_machines_of_seeds_are_named_and_several_are_told(tmp_path: Path) -> None:
    two = [synthetic.make("synthetic-small", "mf", "low_rank", "svd", "1/4", seed) for seed in (0, 1)]
    rows = aggregate(frame(two))
    assert timed_on(rows) == [synthetic.MACHINE]
    two[1] = synthetic.on_machine(two[1], "another")
    rows = aggregate(frame(two))
    assert rows["machine"].tolist() == [f"{synthetic.MACHINE}, another"]
    assert timed_on(rows) == [synthetic.MACHINE, "another"]
    synthetic.write_folder(tmp_path, two)
    result = CliRunner().invoke(command, ["--results", str(tmp_path)])
    assert result.stderr == (
        f"recpress: timed on 2 machines ({synthetic.MACHINE}, another), whose milliseconds can't be compared.\n"
    )


def test_a_failed_seed_is_a_row_of_its_own_with_its_reason() -> None:
    ok = synthetic.make("synthetic-small", "mf", "low_rank", "svd", "1/4", 0)
    failed = ok.model_copy(
        update={
            "status": "failed",
            "reason": "ran out of luck",
            "quality": None,
            "bytes": None,
            "latency": (),
            "energy": (),
            "cost": None,
            "identity": ok.identity.model_copy(update={"seed": 1}),
        }
    )
    rows = aggregate(frame([ok, failed]))
    assert rows["status"].tolist() == ["ok", "failed"]
    assert rows["seeds"].tolist() == [1, 1]
    assert "ran out of luck" in render(rows, "table")


def test_sorting_puts_the_best_first_and_the_unknown_last() -> None:
    rows = aggregate(frame(MADE))
    ndcg = sort(rows, "ndcg20")["ndcg20"]
    assert ndcg.dropna().is_monotonic_decreasing
    assert ndcg.iloc[: ndcg.notna().sum()].notna().all()
    assert sort(rows, "mb")["mb"].dropna().is_monotonic_increasing
    with pytest.raises(UserError, match="did you mean 'ndcg20'"):
        sort(rows, "ndcg2")


def test_choosing_by_an_unknown_name_suggests_one() -> None:
    rows = aggregate(frame(MADE))
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
    rows = aggregate(frame(MADE[:20]))
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


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    assert "recpress demo" in CliRunner().invoke(command, ["--results", str(tmp_path)]).output
    with pytest.raises(UserError, match="no results folder"):
        CliRunner().invoke(command, ["--results", str(tmp_path / "none")], catch_exceptions=False)


def test_showing_does_not_import_torch() -> None:
    code = "import sys, recpress.cli.show, recpress.cli.site; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", code], check=False).returncode == 0

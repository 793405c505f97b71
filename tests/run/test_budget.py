"""One budget however it is written, its 2 % of tolerance, and how much of a run is timed."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from recpress.cli import cli
from recpress.core.budget import Budget
from recpress.measure.profile import TimingProfile


@pytest.mark.parametrize("written", ["1/8", "0.125", "2/16", "12.5e-2", " 1/8 "])
def test_equal_budgets_are_one(written: str) -> None:
    assert Budget.parse(written) == Budget("1/8", 0.125)
    assert str(Budget.parse(written)) == "1/8"


@pytest.mark.parametrize("written", ["0", "-1/8", "9/8", "1/0", "8", "one", "", "nan", "inf", "1e-400"])
def test_what_is_no_fraction_of_the_tables_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is not a budget: write a fraction of the fp32 bytes, such as 1/8"):
        Budget.parse(written)


def test_a_budget_allows_two_percent_more_and_no_byte_beyond() -> None:
    # An eighth of 800,000 bytes are 100,000; with 2 %, 102,000.
    eighth = Budget.parse("1/8")
    assert eighth.bytes_of(800_000) == 100_000
    assert eighth.excess(102_000, 800_000) == 0.0
    assert eighth.excess(102_001, 800_000) == pytest.approx(0.02001)
    assert eighth.excess(1, 800_000) == 0.0


def test_the_command_line_plans_equal_budgets_as_one_run(cache) -> None:
    words = ["run", "--dataset", "synthetic-tiny", "--method", "uniform", "--dry-run"]
    done = CliRunner().invoke(cli, [*words, "--budget", "0.125", "--budget", "1/8", "--budget", "1/4"])
    assert [line for line in done.output.splitlines() if "seed" in line] == [
        "synthetic-tiny lightgcn uniform 1/8 seed 0",
        "synthetic-tiny lightgcn uniform 1/4 seed 0",
    ]


@pytest.mark.parametrize(
    ("seconds", "name", "serving", "compressing"),
    [(0.0, "none", False, False), (0.2, "short", True, False), (4.99, "short", True, False), (5.0, "long", True, True)],
)
def test_seconds_decide_what_is_timed(seconds: float, name: str, serving: bool, compressing: bool) -> None:
    profile = TimingProfile(seconds)
    assert (profile.name, profile.times_serving, profile.times_compressing) == (name, serving, compressing)

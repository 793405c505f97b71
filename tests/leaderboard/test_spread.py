"""How far ratios lie apart from run to run is told from the records, and widens what a repetition is held to."""

from __future__ import annotations

from math import exp, isclose, sqrt
from pathlib import Path

import pytest
import synthetic
from hypothesis import given
from hypothesis import strategies as st

from recpress.core.errors import UserError
from recpress.measure.repeats import UNREPEATED, Spread, between_runs
from recpress.records.timing import Timing
from recpress.reproduce.report import ReportedRatio, differences
from table_spread import DOCUMENT, markdown, written

ROOT = Path(__file__).resolve().parents[2]
CELL = ("synthetic-small", "mf", "quantization", "uniform", "1/4")


def timed(seed: int, ratio: float, *, noisy: bool = False, machine: str = synthetic.MACHINE) -> Timing:
    """A timing of what takes so many times as long as fp32, give or take 1 %."""
    made = synthetic.time(synthetic.make(*CELL, seed), machine)
    assert made
    update = {"ratio": ratio, "ratio_low": ratio / 1.01, "ratio_high": ratio * 1.01, "noisy": noisy}
    latency = tuple(each.model_copy(update=update) for each in made.latency)
    return made.model_copy(update={"latency": latency})


def test_the_page_shows_the_committed_records() -> None:
    text = (ROOT / DOCUMENT).read_text(encoding="utf-8")
    assert text == written(text, ROOT / "results"), "run: python tools/table_spread.py"


@given(st.floats(0.1, 10), st.floats(0, 0.5))
def test_it_is_the_standard_deviation_of_the_logarithm(ratio: float, apart: float) -> None:
    found = between_runs([timed(0, ratio), timed(1, ratio * exp(apart))]).found
    assert found.keys() == {(synthetic.MACHINE, scenario, "synthetic-small") for scenario in ("single", "batch")}
    assert all(isclose(sd, apart / sqrt(2), abs_tol=1e-9) for sd in found.values())


def test_disturbed_timings_other_machines_and_single_seeds_say_nothing() -> None:
    assert between_runs([timed(0, 0.5)]).found == {}
    assert between_runs([timed(0, 0.5), timed(1, 0.9, noisy=True)]).found == {}
    assert between_runs([timed(0, 0.5), timed(1, 0.9, machine="fedcba9876543210")]).found == {}
    # Nor do two folders, between which code may have changed.
    assert between_runs([timed(0, 0.5)], [timed(1, 0.9)]).found == {}


def test_a_data_set_without_repeats_is_given_the_largest_of_its_machine() -> None:
    spread = Spread({("here", "single", "one"): 0.01, ("here", "single", "two"): 0.03, ("here", "batch", "two"): 0.2})
    assert [spread.of("here", "single", name) for name in ("one", "two", "three")] == [0.01, 0.03, 0.03]
    assert spread.of("there", "single", "one") == UNREPEATED


@pytest.mark.parametrize(("apart", "agrees"), [(1.01, True), (1.1, True), (1.5, False)])
def test_a_repetition_is_held_to_what_lies_between_runs(apart: float, agrees: bool) -> None:
    record, timing = synthetic.make(*CELL, 0), timed(0, 0.5)
    latency = {
        each.scenario: ReportedRatio(ratio=apart * 0.5, low=apart * 0.499, high=apart * 0.501, noisy=False)
        for each in timing.latency
    }
    again = synthetic.repeated(record, "0" * 64, latency=latency)
    assert (differences(record, timing, again, between_runs([timed(1, 0.5), timed(2, 0.54)])) == []) is agrees
    # A machine without repeats is no machine without noise.
    assert (differences(record, timing, again, Spread({})) == []) is agrees
    assert (differences(record, timing, again, between_runs([timed(1, 0.5), timed(2, 0.5)])) == []) is (apart < 1.02)


def test_a_table_line_is_a_data_set_and_a_scenario(tmp_path: Path) -> None:
    made = [synthetic.make(*CELL, seed) for seed in (0, 1)]
    synthetic.write_folder(tmp_path, made, [timed(0, 0.5)])
    with pytest.raises(UserError, match="with several seeds"):
        markdown(tmp_path)
    elsewhere = [timed(seed, 0.5, machine=synthetic.ELSEWHERE) for seed in (0, 1)]
    synthetic.write_folder(tmp_path, [], [timed(1, 0.5 * exp(0.1)), *elsewhere])
    lines = markdown(tmp_path).splitlines()[2:]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    # An interval of 1 % to either side is 0.5 % of standard deviation.
    assert cells == [
        [machine, "synthetic-small", scenario, "1", "0.5", between, meet, "100.0", between]
        for machine, between, meet in ((synthetic.MACHINE, "7.1", "0.0"), (synthetic.ELSEWHERE, "0.0", "100.0"))
        for scenario in ("batch", "single")
    ]

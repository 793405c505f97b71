"""`recpress time kernels`: methods on a synthetic catalogue, small here."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from recpress.cli import cli
from recpress.core.errors import UserError

SMALL = ["--rows", "3000", "--columns", "16", "--seconds", "0.05"]


def measure(*words: str) -> Result:
    done = CliRunner().invoke(cli, ["time", "kernels", *words, *SMALL], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def test_bytes_read_are_those_of_the_items_and_timings_have_intervals() -> None:
    eight, two = json.loads(measure("uniform", "--budget", "1/2", "--budget", "1/8", "--format", "json").stdout)
    assert eight["reference_bytes"] == 4 * (256 + 3000) * 16
    assert eight["touched_per_query"] >= 3000 * 16
    assert two["touched_per_query"] < eight["touched_per_query"] / 3
    assert two["file_bytes"] <= 1.02 * two["reference_bytes"] / 8
    for each in (eight, two):
        assert [timing["scenario"] for timing in each["latency"]] == ["single", "batch"]
        for timing in each["latency"]:
            assert timing["ratio_low"] <= timing["ratio"] <= timing["ratio_high"]
        assert each["energy"]["grade"] == "analytic"
    assert two["energy"]["joules"] < eight["energy"]["joules"]


def test_a_budget_out_of_reach_is_said_and_the_others_go_on() -> None:
    done = measure("none", "uniform", "--budget", "1/4")
    assert "none can't reach 1/4" in done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[2:3]] == ["uniform"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["distill"], "distill trains"),
        (["uniform", "--param", "bits=99"], "uniform: bits: input should be less than"),
        (["uniform", "--param", "bits=4", "--budget", "1/4"], "not both"),
        (["unifrom"], "did you mean 'uniform'"),
    ],
)
def test_a_wrong_request_is_answered_with_its_fix(words: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        measure(*words)

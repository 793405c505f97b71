"""Planted regressions are reported, each by its rule; an unchanged tree reports none."""

from dataclasses import replace
from pathlib import Path

import pytest
import synthetic
from click.testing import CliRunner

from recpress.cli.results.diff import command
from recpress.leaderboard.collect import Run, collect
from recpress.leaderboard.regress import Difference, compare, missing, on_one_machine, render
from recpress.records.record import Record
from recpress.records.timing import Timing

CELL = ("synthetic-small", "mf", "quantization", "uniform", "1/4")


def made(seeds: int = 3) -> list[Record]:
    records = [synthetic.make(*CELL, seed) for seed in range(seeds)]
    assert all(record.status == "ok" for record in records)
    return records


def worse(head: list[Run], base: list[Run] | None = None) -> dict[str, Difference]:
    before = base or synthetic.runs(made(len(head)))
    return {each.figure: each for each in compare(before, head) if each.direction == "worse"}


def test_an_unchanged_tree_reports_nothing() -> None:
    assert {each.direction for each in compare(synthetic.runs(made()), synthetic.runs(made()))} == {"same"}


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_loss_of_one_percent_is_worse(seeds: int) -> None:
    head = made(seeds)
    for record in head:
        record.quality.metrics["ndcg@20"] *= 0.99
    found = worse(synthetic.runs(head))
    assert set(found) == {"ndcg@20"}
    assert found["ndcg@20"].change == pytest.approx(-0.01)
    assert bool(found["ndcg@20"].why) == (seeds == 1)


def test_a_loss_within_the_spread_of_the_seeds_is_not() -> None:
    head = made()
    for record, factor in zip(head, (0.97, 1.03, 0.985), strict=True):
        record.quality.metrics["ndcg@20"] *= factor
    assert not worse(synthetic.runs(head))


def test_bytes_and_energy_are_exact() -> None:
    head = [
        record.model_copy(
            update={
                "bytes": record.bytes.model_copy(update={"file": record.bytes.file + record.bytes.file // 100}),
                "energy": (record.energy[0].model_copy(update={"joules": 1.01 * record.energy[0].joules}),),
            }
        )
        for record in made()
    ]
    assert set(worse(synthetic.runs(head))) == {"bytes", "analytic energy"}


def slower(run: Run, factor: float, noisy: bool = False) -> Run:
    assert run.timing
    timed = tuple(
        each.model_copy(
            update={
                "noisy": noisy,
                **{key: factor * getattr(each, key) for key in ("ratio", "ratio_low", "ratio_high")},
            }
        )
        for each in run.latency
    )
    return replace(run, timing=run.timing.model_copy(update={"latency": timed}))


def test_latency_is_worse_where_the_intervals_are_apart() -> None:
    base = synthetic.runs(made(1))
    assert set(worse([slower(base[0], 1.3)], base)) == {"single / fp32", "batch / fp32"}
    assert not worse([slower(base[0], 1.05)], base)
    noisy = compare(base, [slower(base[0], 1.3, noisy=True)])
    assert [each.direction for each in noisy if "fp32" in each.figure] == ["can't tell"] * 2


@pytest.mark.parametrize(("apart", "found"), [(1.25, {"single / fp32", "batch / fp32"}), (1.08, set())])
def test_latency_within_what_lies_between_runs_is_the_same(apart: float, found: set[str]) -> None:
    """One seed, so nothing is known of this machine's runs, and the intervals of the two are far apart."""
    (base,) = synthetic.runs(made(1))
    assert base.timing
    narrow = tuple(
        each.model_copy(update={"ratio_low": 0.999 * each.ratio, "ratio_high": 1.001 * each.ratio})
        for each in base.latency
    )
    base = replace(base, timing=base.timing.model_copy(update={"latency": narrow}))
    assert set(worse([slower(base, apart)], [base])) == found


def test_only_times_of_one_machine_are_compared(tmp_path: Path) -> None:
    here, there = (synthetic.timings(made(), name) for name in (synthetic.MACHINE, synthetic.ELSEWHERE))

    def compared(*sides: list[Timing]) -> tuple[set[str], set[str]]:
        base, head = (
            collect(synthetic.write_folder(tmp_path / f"{len(list(tmp_path.iterdir()))}", made(), side))
            for side in sides
        )
        before, after = on_one_machine(base, head)
        machines = {run.timing.machine for run in (*before, *after) if run.timing}
        return machines, {each.figure for each in compare(before, after)}

    untimed = {"ndcg@20", "recall@20", "bytes", "analytic energy"}
    every = untimed | {"single / fp32", "batch / fp32"}
    assert compared(here, there) == (set(), untimed)
    assert compared(here, [*here, *there]) == ({synthetic.MACHINE}, every)
    assert compared([*here, *there], there) == ({synthetic.ELSEWHERE}, every)
    # Both have both: the one that the head's board shows.
    assert compared([*here, *there], [*here, *there[:1]]) == ({synthetic.MACHINE}, every)


def test_a_run_that_fails_now_is_worse_and_says_why() -> None:
    base = made()
    head = [
        *base[:2],
        Record(status="failed", reason="broke", identity=base[2].identity, provenance=base[2].provenance),
    ]
    assert worse(synthetic.runs(head), synthetic.runs(base))["runs that work"].why == "broke"
    assert missing(synthetic.runs(base), []) == [("synthetic-small", "mf", "uniform", "1/4")]


def test_the_verb_ends_with_what_it_found(tmp_path: Path) -> None:
    head = made()
    for record in head:
        record.quality.metrics["ndcg@20"] *= 0.99
    before, after = (str(synthetic.write_folder(tmp_path / name, side)) for name, side in (("a", made()), ("b", head)))
    run = CliRunner().invoke(command, ["--base", before, "--head", before])
    assert (run.exit_code, run.output) == (0, "0 worse, 0 better, 6 same, 0 can't tell.\n")
    run = CliRunner().invoke(command, ["--base", before, "--head", after, "--format", "markdown"])
    assert run.exit_code == 1
    assert "| uniform  | 1/4       | ndcg@20  |" in run.output


def test_from_nothing_to_something_is_better_and_of_energy_worse() -> None:
    base, head = made(), made()
    for record in base:
        record.quality.metrics.update({"ndcg@20": 0.0, "recall@20": 0.0})
    base = [
        record.model_copy(update={"energy": (record.energy[0].model_copy(update={"joules": 0.0}),)}) for record in base
    ]
    found = {each.figure: each.direction for each in compare(synthetic.runs(base), synthetic.runs(head))}
    assert found["ndcg@20"] == found["recall@20"] == "better"
    assert found["analytic energy"] == "worse"
    assert found["bytes"] == "same"
    assert {each.direction for each in compare(synthetic.runs(base), synthetic.runs(base))} == {"same"}
    assert "nan" not in render(compare(synthetic.runs(base), synthetic.runs(head)), "simple")

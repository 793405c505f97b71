"""Tiers: how far a record has been repeated, by evidence that the board can weigh, never by what the record says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from recpress.leaderboard.collect import Collection, Run
from recpress.leaderboard.columns import SELF_REPORTED, TIERS
from recpress.leaderboard.folder import of_records
from recpress.measure.repeats import Spread, between_runs
from recpress.reproduce.report import ReproductionReport, differences


@dataclass(frozen=True)
class Reproduced:
    """A reproduction report of the record as it is, and in what it differs."""

    reproduction: ReproductionReport
    differs: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """The tier of a record and what it rests on."""

    tier: str
    repetitions: tuple[Reproduced, ...] = ()


def standings(found: Collection) -> dict[str, Standing]:
    """Return the standing of each record by its run's id.

    A reproduction report of a record that has changed since counts for nothing, and one that differs lifts no record.
    A record that fails a check stays self-reported, whoever has repeated it.
    """
    faulty = {finding.file for finding in of_records(found)}
    told: dict[str, list[ReproductionReport]] = defaultdict(list)
    for each in found.reproductions:
        told[each.record].append(each)
    machines = {each.machine for each in found.reproductions if each.latency}
    spread = between_runs(*(found.timings[name].all for name in machines if name in found.timings))
    return {run.id: _standing(run, told[run.file], run.file in faulty, found, spread) for run in found.runs}


def _standing(
    run: Run, told: Sequence[ReproductionReport], faulty: bool, found: Collection, spread: Spread
) -> Standing:
    repetitions = []
    for each in told:
        if each.sha256 == run.sha256:
            timings = found.timings.get(each.machine)
            timing = timings.own(run.record) if timings else None
            repetitions.append(Reproduced(each, tuple(differences(run.record, timing, each, spread))))
    earned = [_earned(run, each.reproduction) for each in repetitions if not each.differs]
    tier = SELF_REPORTED if faulty else max(["checked", *earned], key=list(TIERS).index)
    return Standing(tier, tuple(repetitions))


def _earned(run: Run, reproduction: ReproductionReport) -> str:
    if reproduction.event == "rescored":
        return "re-scored"
    return "re-run" if reproduction.machine == run.record.provenance.machine else "re-run elsewhere"

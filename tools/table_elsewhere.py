"""The table of runs that another machine repeated: what stayed, and how far their ratios to fp32 went."""

from __future__ import annotations

from pathlib import Path

from tabulate import tabulate

from documents import generated, rewrite
from recpress.core.errors import UserError
from recpress.core.paths import checkout_root
from recpress.leaderboard.collect import collect
from recpress.leaderboard.tiers import standings
from recpress.measure.repeats import Repetition, between_runs
from recpress.records.record import Scenario
from recpress.reproduce.report import brief, repetition_of

DOCUMENT = Path("benchmark") / "docs" / "notebook" / "other-machines.md"
SCENARIOS: tuple[Scenario, ...] = ("single", "batch")


def markdown(results: Path) -> str:
    """Return the table, a line a run: its ratios on the record's machine, and on the other.

    Where the two intervals, each with what lies between two runs, don't meet, the other's is bold.

    Raises
    ------
    UserError
        When no run was repeated on another machine.
    """
    found = collect(results)
    standing, spread = standings(found), between_runs(*(timings.all for timings in found.timings.values()))
    lines = []
    for run in found.runs:
        timings = found.timings.get(run.record.provenance.machine)
        timing = timings.own(run.record) if timings else None
        for each in standing[run.id].repetitions:
            again = each.reproduction
            if again.event == "rerun" and timing and again.machine != timing.machine:
                pairs = {timed.scenario: repetition_of(timing, timed, again, spread) for timed in timing.latency}
                stayed = brief(each.differs) or "equal"
                lines.append((run.id, stayed, *(_went(pairs.get(name)) for name in SCENARIOS)))
    if not lines:
        raise UserError(f"No other machine has repeated a run of {results}: `recpress results reproduce` there does.")
    headings = ("Run", "Quality and bytes", *(f"{name} / fp32" for name in SCENARIOS))
    align = ("left", "left", "right", "right")
    return tabulate(lines, headings, tablefmt="pipe", disable_numparse=True, colalign=align)


def _went(pair: Repetition | None) -> str:
    if pair is None:
        return "–"
    bold = "" if pair.meet else "**"
    return f"{pair.before:.2f} → {bold}{pair.after:.2f}{bold}"


def written(page: str, results: Path) -> str:
    """Return a page with its table from a results folder."""
    return generated(page, "tools/table_elsewhere.py", lambda _: markdown(results))


if __name__ == "__main__":
    rewrite(checkout_root(), DOCUMENT, lambda page, root: written(page, root / "results"))

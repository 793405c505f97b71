"""``recpress results status``: how far a results folder, or a suite in it, has come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
from tabulate import tabulate

from recpress.cli.shared.output import command_line, nothing_there
from recpress.records.record import WENT_WRONG, Record, read_all, relative_path


@click.command("status")
@click.option(
    "--results", type=click.Path(path_type=Path), default="results", show_default=True, help="Results folder."
)
@click.option("--suite", help="Also count the runs of this suite, done and to do.")
def command(results: Path, suite: str | None) -> None:
    """Count runs by status. For each failed run, show the reason and where its log is.

    \b
    Examples:
      recpress results status
      recpress results status --suite quick
    """
    records = read_all(results)
    if suite:
        _of_suite(suite, results, records)
    if not (results / "records").is_dir():
        raise nothing_there(results)
    counts = Counter((each.identity.dataset, each.identity.backbone, each.status) for each in records)
    statuses = sorted({status for *_, status in counts})
    rows = [
        [*place, *(counts[(*place, status)] or "" for status in statuses)]
        for place in sorted({(dataset, backbone) for dataset, backbone, _ in counts})
    ]
    click.echo(tabulate(rows, headers=["dataset", "backbone", *statuses]))
    failed = [each for each in records if each.status in WENT_WRONG]
    for each in failed:
        click.echo(_failure(each))
    if failed:
        click.echo(f"`{command_line('run', '--retry-failed', '--results', results)}` runs them again.")


def _of_suite(suite: str, results: Path, records: Sequence[Record]) -> None:
    from recpress.experiments.plan import make, place_of, timed_here, unfinished
    from recpress.experiments.suite import expand, read_suite

    planned = make([spec.model_copy(update={"timing_seconds": 0.0}) for spec in expand(read_suite(suite))])
    todo = unfinished(planned, results)
    click.echo(f"{suite}: {len(planned)} runs, {len(planned) - len(todo)} done, {len(todo)} to run.")
    places, timings = {place_of(each.spec) for each in planned}, timed_here(results)
    ended_well = (each for each in records if each.status == "ok")
    signatures = {each.signature for each in ended_well if relative_path(each.identity) in places}
    timed = sum(signature in timings for signature in signatures)
    click.echo(f"On this machine: {timed} of their {len(signatures)} serving signatures timed.\n")


def _failure(made: Record) -> str:
    from recpress.experiments.cache_layout import log_of

    who = made.identity
    log = log_of(who.key)
    where = f"\n    log: {log}" if log.is_file() else ""
    label = f"{who.dataset} {who.backbone} {who.method} {who.variant} seed {who.seed}"
    return f"\n{label}: {made.status}: {made.reason}{where}"

"""``recpress show``: the results, summed up or row by row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from recpress.cli.shared.output import paged
from recpress.cli.shared.overview import overview
from recpress.core.io import write_atomic
from recpress.core.printable import printable
from recpress.headline import COLUMN
from recpress.leaderboard.collect import collect
from recpress.leaderboard.folder import TABLES, tables
from recpress.leaderboard.tables import Format, aggregate, choose, doubts, frame, render, sort
from recpress.leaderboard.tiers import standings
from recpress.measure.machine import named

if TYPE_CHECKING:
    from pandas import DataFrame

    from recpress.leaderboard.collect import Collection


@click.command("show")
@click.option(
    "--results", type=click.Path(path_type=Path), default="results", show_default=True, help="Results folder."
)
@click.option("--dataset", help="Only this data set.")
@click.option("--backbone", help="Only this backbone.")
@click.option("--method", help="Only this method.")
@click.option("--machine", help="Machine whose times are shown; default: the newest of those that have timed most.")
@click.option("--sort", "key", help=f"Column to sort by, best first: {COLUMN}, retained, mb, smaller, single_ms, …")
@click.option("--format", "form", type=click.Choice(get_args(Format)), default="table", show_default=True)
@click.option(
    "--paired", is_flag=True, help="Compare each row with its backbone's fp32, paired by user: retention, p and margin."
)
@click.option("--all", "everything", is_flag=True, help="All rows, not the summary.")
@click.option("--write-tables", is_flag=True, help="Write the results folder's own tables/, and print nothing.")
def command(
    results: Path,
    dataset: str | None,
    backbone: str | None,
    method: str | None,
    machine: str | None,
    key: str | None,
    form: Format,
    paired: bool,
    everything: bool,
    write_tables: bool,
) -> None:
    """Print the results: a summary, or their rows with a filter, --sort, --paired or --all.

    Several seeds of one variant appear as mean ± standard deviation. In a terminal, a long table opens in the pager.
    Formats other than table always print all rows that match the filter.

    \b
    Examples:
      recpress show
      recpress show --sort ndcg20
      recpress show --dataset ml-100k --method uniform --format markdown
      recpress show --dataset ml-100k --backbone lightgcn --paired
    """
    if write_tables:
        for name, text in tables(results).items():
            write_atomic(results / TABLES / name, text)
        return
    found = collect(results, machine)
    for refusal in found.refused:
        click.echo(f"recpress: {printable(f'{refusal.path} is left out: {refusal.reason}')}.", err=True)
    tiers = standings(found)
    rows = aggregate(frame(found.runs, (tiers[run.id].tier for run in found.runs)))
    rows = choose(rows, dataset=dataset, backbone=backbone, method=method)
    if key:
        rows = sort(rows, key)
    if rows.empty and form == "table":
        click.echo(f"There are no results in {results} yet: `recpress demo` makes the first ones.")
        return
    asked = dataset or backbone or method or machine or key or paired or everything
    if form == "table" and not asked:
        click.echo(overview(rows))
        click.echo("\n`recpress show --dataset NAME` shows the rows of a data set, `recpress show --all` shows all.")
        return
    if paired:
        _show_paired(rows, found, results, form)
        _note(rows)
        return
    if len(found.timings) > 1:
        whose = named(found.machine or "none", found.machines.get(found.machine or "", {}))
        others = ", ".join(name for name in found.timings if name != found.machine)
        click.echo(f"recpress: times are those of {whose}; --machine shows {others}.", err=True)
    _print(render(rows, form), form)
    _note(rows)


def _print(text: str, form: Format) -> None:
    if form == "table":
        paged(text)
    else:
        click.echo(text)


def _note(rows: DataFrame) -> None:
    """Explain the marks of rows on standard error."""
    for each in doubts(rows):
        click.echo(f"recpress: {printable(each)}", err=True)
    if (rows["isolated"] == "no").any():
        click.echo(
            "recpress: not isolated means that nothing kept the method from reading test "
            "(benchmark/docs/explanation/fair-measurement.md).",
            err=True,
        )


def _show_paired(rows: DataFrame, found: Collection, results: Path, form: Format) -> None:
    from recpress.leaderboard.paired import against_fp32, render

    told, reasons = against_fp32(rows, (run.record for run in found.runs), results)
    _print(render(rows, told, form), form)
    tested = sum(each is not None for each in told)
    notes = [f"p is adjusted (Holm) over the {tested} rows that were tested against their backbone's fp32"]
    if reasons:
        notes.append(f"{len(reasons)} rows could not be tested; the first because {reasons[0].rstrip('.')}")
    for note in notes:
        click.echo(f"recpress: {printable(note)}.", err=True)

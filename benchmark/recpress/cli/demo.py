"""``recpress demo``: the whole path once, on real data."""

from __future__ import annotations

from pathlib import Path

import click

from recpress.cli.shared.output import command_line


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="build/demo",
    show_default=True,
    help="Folder for the records and the site.",
)
def command(out: Path) -> None:
    """Fetch MovieLens-100K, run the quick suite, print the table, build the site.

    \b
    Example:
      recpress demo
    """
    from recpress.cli.run import run_suite
    from recpress.experiments.suite import read_suite
    from recpress.leaderboard.collect import collect
    from recpress.leaderboard.site import build
    from recpress.leaderboard.tables import aggregate, frame, render

    results = out / "results"
    run_suite(read_suite("quick"), results)
    click.echo(render(aggregate(frame(collect(results).runs)), "table"))
    built = build(results, out / "site")
    click.echo(
        f"\nThe page: {built.index}\n"
        f"Next: `{command_line('show', '--results', results, '--all')}`, `recpress list methods`,\n"
        "      or your own file: `recpress run --data likes.csv --user-col user --item-col item --method uniform`"
    )

"""``recpress demo``: the whole path once, on real data."""

from __future__ import annotations

from pathlib import Path

import click

from recpress.cli.shared.output import command_line


@click.command("demo")
@click.option("--out", type=click.Path(path_type=Path), default="build/demo", show_default=True, help="Folder.")
def command(out: Path) -> None:
    """Fetch MovieLens-100K, run the quick suite, print the table, build the site.

    \b
    Example:
      recpress demo
    """
    from recpress.board.collect import collect
    from recpress.board.site import build
    from recpress.board.tables import aggregate, frame, render
    from recpress.cli.run import run_suite
    from recpress.run.suite import read_suite

    results = out / "results"
    run_suite(read_suite("quick"), results)
    click.echo(render(aggregate(frame(collect(results).runs)), "table"))
    built = build(results, out / "site")
    click.echo(
        f"\nThe page: {built.index}\n"
        f"Next: `{command_line('show', '--results', results, '--all')}`, `recpress list methods`,\n"
        "      or your own file: `recpress run --data likes.csv --user-col user --item-col item --method uniform`"
    )

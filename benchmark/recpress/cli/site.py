"""``recpress site``: build the leaderboard."""

from __future__ import annotations

import functools
import http.server
from pathlib import Path

import click

from recpress.cli.shared.revision import before_last_change, results_of
from recpress.leaderboard.perf import read
from recpress.leaderboard.site import build
from recpress.leaderboard.site.history import Earlier


@click.command("site")
@click.option(
    "--results", type=click.Path(path_type=Path), default="results", show_default=True, help="Results folder."
)
@click.option(
    "--out", type=click.Path(path_type=Path), default="build/site", show_default=True, help="Folder for the pages."
)
@click.option(
    "--base", help="Results folder or git revision to compare with; default: before the last change of the records."
)
@click.option(
    "--perf",
    type=click.Path(path_type=Path),
    default=".asv",
    show_default=True,
    help="Folder of asv, with the speed of earlier commits.",
)
@click.option(
    "--docs", type=click.Path(path_type=Path), help="Folder of built documents; it becomes docs/ of the site."
)
@click.option("--serve", is_flag=True, help="Then serve it on this machine alone, until Ctrl-C.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="For --serve.")
def command(results: Path, out: Path, base: str | None, perf: Path, docs: Path | None, serve: bool, port: int) -> None:
    """Build the leaderboard as static pages; open index.html, no server is needed.

    \b
    Examples:
      recpress site
      recpress site --out public --serve
      recpress site --base v0.1.0
    """
    base = base or before_last_change(results)
    earlier = Earlier(base, results_of(base, results)) if base else None
    built = build(results, out, earlier=earlier, speeds=read(perf), docs=docs)
    left_out = f"; {built.refused} files were left out, the pages' foot names them" if built.refused else ""
    click.echo(f"{built.index}: {built.runs} runs as {built.rows} rows{left_out}.")
    if serve:
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(out))
        with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
            click.echo(f"http://127.0.0.1:{server.server_port}/ (Ctrl-C stops)")
            server.serve_forever()

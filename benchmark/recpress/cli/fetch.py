"""``recpress fetch``: bring raw files to this machine."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("fetch")
@click.argument("dataset", required=False)
@click.option("--all", "all_", is_flag=True, help="Every registered data set.")
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to fill instead of the cache, laid out so that RECPRESS_DATA can name it.",
)
def command(dataset: str | None, all_: bool, to: Path | None) -> None:
    """Fetch raw files and check them; files that are there and intact stay.

    \b
    Example:
      recpress fetch ml-100k
      recpress fetch --all --to raw-data
    """
    from recpress import registry
    from recpress.core.errors import UserError
    from recpress.data.fetch import fetch_dataset

    if (dataset is None) != all_:
        raise UserError("Say which data set to fetch, or --all: `recpress fetch ml-100k`.")
    failures = []
    for name in registry.dataset_folders() if all_ else [str(dataset)]:
        try:
            for obtained in fetch_dataset(name, to):
                click.echo(f"{name}: {obtained.path} ({obtained.origin})")
        except UserError as error:
            if not all_:
                raise
            failures.append(name)
            click.echo(f"{name}: {error}", err=True)
    if failures:
        raise UserError(f"{len(failures)} data sets could not be fetched: {', '.join(failures)}.")

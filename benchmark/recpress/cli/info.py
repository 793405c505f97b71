"""``recpress info``: a data set's card and statistics."""

from __future__ import annotations

from pathlib import Path

import click

from recpress.cli.shared.output import as_json


@click.command("info")
@click.argument("dataset")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="RECPRESS_DATA",
    help="Folder of raw files laid out as <dataset>/<file>.  [env: RECPRESS_DATA]",
)
def command(dataset: str, format_: str, data_dir: Path | None) -> None:
    """Show a data set's card, statistics and split hashes; fetch the set if it isn't here.

    \b
    Example:
      recpress info ml-100k
      recpress info ml-100k --format json
    """
    from recpress import data
    from recpress.data.describe import describe

    loaded = data.load(dataset, data_dir)
    numbers = describe(loaded).as_dict()
    card = loaded.card.model_dump(mode="json", exclude_none=True)
    if format_ == "json":
        click.echo(as_json({"name": dataset, "statistics": numbers, "card": card}))
        return
    click.echo(f"{card['title']} ({dataset}): {card['domain']}, {card['task']}")
    click.echo(card["description"])
    rows = {
        "licence": card["license"],
        "redistribution": "allowed" if card["redistribution"] else "not allowed",
        "homepage": card.get("homepage", "none"),
        "split": card["split"]["protocol"],
    }
    for name, value in (rows | numbers).items():
        click.echo(f"  {name.replace('_', ' '):<25} {_shown(value)}")


def _shown(value: float | str) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) else value

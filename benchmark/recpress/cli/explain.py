"""``recpress explain``: which items of a user's history a score comes from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich.console import Console
from tabulate import tabulate

from recpress.cli.cells import Asked, cell_options, stage_printer

if TYPE_CHECKING:
    from recpress.run.explaining import Explained


@click.command("explain")
@click.option("--user", required=True, help="An id as the data has it.")
@click.option("--item", help="An id as the data has it; default: the user's first recommendation.")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="History items to show.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@cell_options(method="none")
def command(user: str, item: str | None, top: int, form: str, **asked: Any) -> None:
    """Take a score apart: what each item of the user's history gives to it, exactly, and what compressing changed.

    For backbones that propagate linearly (LightGCN, XSimGCL), and for methods that score histories (EASE, ItemKNN,
    GF-CF). The parts and the rest add up to the score. The rest is what comes from no history item: the user's own
    base vector, and what compressing changed in the user's vector.

    \b
    Examples:
      recpress explain --dataset ml-100k --user 196
      recpress explain --dataset ml-100k --method uniform --budget 1/8 --user 196 --item 286
      recpress explain --dataset ml-100k --method ease --budget 1/2 --user 196
    """
    from recpress.run.explaining import explain

    planned = Asked(**asked).planned()
    found = explain(planned, user, item, stage_printer(Console(stderr=True)))
    rows = _rows(found)
    if form == "json":
        click.echo(json.dumps(_summary(found) | {"history": rows}, indent=1, default=np.generic.item))
        return
    place = f"rank {found.rank}" if found.rank else "in the history"
    name = f"{planned.cell.method} {planned.cell.setting}"
    click.echo(f"User {user}, item {found.fitted.items.values[found.item]}: {place} in {name}.\n")
    sides = [side for side in ("before", "after") if side in rows[0]] if rows else []
    titles = {"before": "Backbone", "after": name}
    cells = [[row["item"], *(f"{row[side]:+.4f}" for side in sides)] for row in rows[:top]]
    parts = {"before": found.before, "after": found.after}
    kept = [part for side in sides if (part := parts[side])]
    left = [
        part.contributions.sum() - sum(row[side] for row in rows[:top]) for side, part in zip(sides, kept, strict=True)
    ]
    if len(rows) > top:
        cells.append([f"{len(rows) - top} others", *(f"{each:+.4f}" for each in left)])
    cells.append(["rest", *(f"{part.rest:+.4f}" for part in kept)])
    cells.append(["score", *(f"{part.score:+.4f}" for part in kept)])
    align = ["left", *["right"] * len(sides)]
    headers = ["History item", *(titles[side] for side in sides)]
    click.echo(tabulate(cells, headers=headers, disable_numparse=True, colalign=align))
    if found.drift and found.before is not found.after:
        click.echo(
            f"\nDrift: {found.drift.jaccard:.0%} of the ten largest parts shared (Jaccard), rank correlation "
            f"{found.drift.spearman:.3f}, {found.drift.sign_flips:.1%} changed sign."
        )


def _rows(found: Explained) -> list[dict[str, Any]]:
    """Return the history with its parts, the largest of the artefact's first."""
    ids, after, before = found.fitted.items.values, found.after, found.before
    order = np.argsort(-after.contributions, kind="stable").tolist()
    sides = {"after": after} if before is None else {"before": before, "after": after}
    return [
        {"item": ids[after.items[at]], **{name: float(side.contributions[at]) for name, side in sides.items()}}
        for at in order
    ]


def _summary(found: Explained) -> dict[str, Any]:
    sides = {"after": found.after} if found.before is None else {"before": found.before, "after": found.after}
    summary: dict[str, Any] = {
        "user": found.fitted.users.values[found.user],
        "item": found.fitted.items.values[found.item],
        "rank": found.rank,
    }
    summary |= {name: {"score": side.score, "rest": side.rest} for name, side in sides.items()}
    if found.drift:
        summary["drift"] = vars(found.drift)
    return summary

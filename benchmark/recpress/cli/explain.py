"""``recpress explain``: which items of a user's history a score comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich.console import Console
from tabulate import tabulate

from recpress.cli.shared.one_run import Asked, run_options, stage_printer
from recpress.cli.shared.output import as_json

if TYPE_CHECKING:
    from recpress.evaluation.explain import Drift, Explanation
    from recpress.export.explaining import Explained, How

EXACT = ("parts", "deletion")
HOW = {
    "parts": "Exact parts, in",
    "deletion": "Exact: what the score loses without each item alone. This doesn't add up to the score. Took",
    "integrated-gradients": "An approximation, by integrated gradients over the messages of the history (PyG's "
    "Explainer), in",
    "gnnexplainer": "An approximation, by PyG's GNNExplainer: how much of each message a learned mask keeps, from 0 to "
    "1, negative where the history lowers the score. This doesn't add up to the score. Took",
}


@click.command("explain")
@click.option("--user", required=True, help="An id as the data has it.")
@click.option("--item", help="An id as the data has it; default: the user's first recommendation.")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="History items to show.")
@click.option(
    "--explainer",
    type=click.Choice(["parts", "gnnexplainer", "deletion"]),
    default="parts",
    show_default=True,
    help="parts: what each item gives; gnnexplainer: importances by a learned mask (sage, gat, ngcf); deletion: what "
    "the backbone's score loses without each item alone.",
)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@run_options(method="none")
def command(user: str, item: str | None, top: int, explainer: How, form: str, **asked: Any) -> None:
    """Take a score apart: what each item of the user's history gives to it, and what compressing changed.

    The parts are exact for backbones that propagate linearly (LightGCN, XSimGCL) and for methods that score histories
    (EASE, ItemKNN, GF-CF). For GraphSAGE, GAT and NGCF they are approximate, and the output says so. The parts and the
    rest add up to the score. The rest comes from no history item, but from the user's own base vector and from what
    compressing changed in the user's vector.

    \b
    Examples:
      recpress explain --dataset ml-100k --user 196
      recpress explain --dataset ml-100k --method uniform --budget 1/8 --user 196 --item 286
      recpress explain --dataset ml-100k --method ease --budget 1/2 --user 196
      recpress explain --dataset ml-100k --backbone sage --user 196 --explainer gnnexplainer
    """
    from recpress.export.explaining import explain

    planned = Asked(**asked).planned()
    found = explain(planned, user, item, stage_printer(Console(stderr=True)), explainer)
    rows = _rows(found)
    if form == "json":
        click.echo(as_json(_summary(found) | {"history": rows}, default=np.generic.item))
        return
    place = f"rank {found.rank}" if found.rank else "in the history"
    name = f"{planned.spec.method} {planned.spec.variant}"
    click.echo(f"User {user}, item {found.fitted.items.values[found.item]}: {place} in {name}.")
    click.echo(f"{HOW[found.after.by]} {found.seconds:.1f} s.\n")
    sides = {"Backbone": found.before, name: found.after} if found.before else {name: found.after}
    click.echo(_table(rows, list(sides.values()), list(sides), top))
    if found.drift and found.before is not found.after:
        click.echo(f"\n{_drift(found.drift)}")
    if found.deleted:
        (before, after), (score, less) = found.deleted.ranks, found.deleted.scores
        click.echo(
            f"\nWithout the five items that give most, the backbone's score goes from {score:.4f} to {less:.4f} and "
            f"its rank from {before} to {after}."
        )


def _table(rows: list[dict[str, Any]], sides: list[Explanation], titles: list[str], top: int) -> str:
    names = ("before", "after") if len(sides) == 2 else ("after",)
    cells = [[row["item"], *(f"{row[name]:+.4f}" for name in names)] for row in rows[:top]]
    if sides[0].additive:
        shown = [sum(row[name] for row in rows[:top]) for name in names]
        if len(rows) > top:
            others = [side.contributions.sum() - part for side, part in zip(sides, shown, strict=True)]
            cells.append([f"{len(rows) - top} others", *(f"{each:+.4f}" for each in others)])
        cells.append(["rest", *(f"{side.rest:+.4f}" for side in sides)])
    cells.append(["score", *(f"{side.score:+.4f}" for side in sides)])
    align = ["left", *["right"] * len(sides)]
    return tabulate(cells, headers=["History item", *titles], disable_numparse=True, colalign=align)


def _drift(drift: Drift) -> str:
    faithful = ""
    if drift.deletion is not None:
        faithful = (
            f"\nDeleting the artefact's five largest costs the backbone {drift.deletion:.0%} of what its own cost it."
        )
    return (
        f"Drift: {drift.jaccard:.0%} of the ten largest parts shared (Jaccard), rank correlation {drift.spearman:.3f}, "
        f"{drift.sign_flips:.1%} changed sign.{faithful}"
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
    by = found.after
    summary |= {"by": by.by, "exact": by.by in EXACT, "additive": by.additive, "seconds": found.seconds}
    for name, side in sides.items():
        summary[name] = {"score": side.score} | ({"rest": side.rest} if side.additive else {})
    if found.drift:
        summary["drift"] = vars(found.drift)
    if found.deleted:
        summary["deleted"] = vars(found.deleted)
    return summary

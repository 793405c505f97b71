"""``recpress compare``: runs against a baseline, paired by user."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tabulate import tabulate

from recpress.cli.shared.output import as_json, command_line
from recpress.core.errors import UserError
from recpress.headline import BOTH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recpress.evaluation import Comparison
    from recpress.experiments.pairing import Slice, Variant

# Names of methods in one line of the list of what can be compared.
SHOWN = 6
HEADINGS = {
    "run": "Run",
    "metric": "Metric",
    "baseline": "Baseline",
    "candidate": "Run",
    "retained": "Retained %",
    "ci": "95 % CI",
    "p": "p",
    "holm": "p (Holm)",
    "loss": "Loss below",
    "equal": "Equal within",
    "detectable": "Detectable",
}


@click.command("compare")
@click.argument("baseline", required=False)
@click.argument("runs", nargs=-1)
@click.option(
    "--results", type=click.Path(path_type=Path), default="results", show_default=True, help="Results folder."
)
@click.option("--metric", "metrics", multiple=True, default=BOTH, show_default=True, help="May be repeated.")
@click.option("--slices", is_flag=True, help="Also by tenths of the items and of the users; needs the runs' lists.")
@click.option("--format", "form", type=click.Choice(["table", "markdown", "json"]), default="table", show_default=True)
def command(
    baseline: str | None, runs: tuple[str, ...], results: Path, metrics: tuple[str, ...], slices: bool, form: str
) -> None:
    """Compare runs with a baseline: what they retain, how sure that is, and the least difference that would show.

    Name a run as `recpress show` does, by as much of dataset/backbone/method/variant as is needed, or by the path of
    its record. All seeds that both runs have are joined; .seed0 at the end names one. Any runs of one data set can be
    compared, also of different backbones. Without arguments, the command lists what there is to compare.

    The results folder holds which of each user's first 20 items were right. All metrics up to @20 come from that. Other
    metrics and --slices need the whole lists, which stay in the cache of the machine that ran it.

    \b
    Examples:
      recpress compare ml-100k/lightgcn/uniform/1-4 ml-100k/lightgcn/svd/1-4
      recpress compare ml-100k/mf/none ml-100k/mf/uniform/1/8 ml-100k/lightgcn/svd/1/8 --metric recall@10
    """
    from recpress.experiments.pairing import compare_all, compare_slices, find, pair, read_variants, short_names

    known = read_variants(results)
    if not (baseline and runs):
        if baseline:
            raise UserError(f"Name one run or more to compare with {baseline}; `recpress compare` alone lists them.")
        click.echo(_listed(known))
        return
    first, *others = (find(name, known) for name in (baseline, *runs))
    shown = short_names(first, others)
    pairs = [pair(first, other) for other in others]
    told = compare_all(pairs, metrics)
    dataset = next(iter(first.records.values())).identity.dataset
    parts = [compare_slices(each, dataset, metrics[0]) if slices else [] for each in pairs]
    if form == "json":
        found = [
            {"run": other.name, "seeds": each.seeds, "metrics": [*map(_json, row)], "slices": [*map(_slice_json, part)]}
            for other, each, row, part in zip(others, pairs, told, parts, strict=True)
        ]
        click.echo(as_json({"baseline": first.name, "runs": found}))
        return
    style = "github" if form == "markdown" else "simple"
    users, seeds = told[0][0].n_users, ", ".join(sorted({str(list(each.seeds)) for each in pairs}))
    click.echo(f"Baseline {first.name}: {users:,} users, seeds {seeds}.\n")
    rows = [
        [name if place == 0 else "", *_cells(one)]
        for name, row in zip(shown, told, strict=True)
        for place, one in enumerate(row)
    ]
    align = ["left", "left", *["right"] * (len(HEADINGS) - 2)]
    click.echo(tabulate(rows, headers=[*HEADINGS.values()], tablefmt=style, disable_numparse=True, colalign=align))
    for name, row in zip(shown, told, strict=True):
        click.echo(f"\n{name}: {row[0].summary()}.")
    for name, part in zip(shown, parts, strict=True):
        if part:
            click.echo(f"\nWho pays, {name}:\n\n{_slice_table(part, style)}")


def _listed(known: Mapping[str, Variant]) -> str:
    from recpress.evaluation import hit_masks
    from recpress.experiments.pairing import comparable

    found = comparable(known.values())
    if not found:
        return "There is nothing to compare yet: `recpress run` writes what it needs of each run to per-user/."
    rows = []
    for dataset, variants in found.items():
        of_backbone: dict[str, list[Variant]] = defaultdict(list)
        for each in variants:
            of_backbone[each.name.split("/")[1]].append(each)
        for backbone, its in sorted(of_backbone.items()):
            methods = sorted({each.name.split("/")[2] for each in its})
            runs = sum(len(each.records) for each in its)
            rows.append([dataset, backbone, len(its), runs, _some(methods)])
    names = next((variants for variants in found.values() if len(variants) > 1), [*known.values()])
    table = tabulate(rows, headers=["Data set", "Backbone", "Variants", "Runs", "Methods"], tablefmt="simple")
    return (
        "Any two runs of one data set can be compared, each named DATASET/BACKBONE/METHOD/VARIANT. "
        f"`recpress show --dataset NAME` lists them.\n\n{table}\n\n"
        f"Metrics: {hit_masks.can_give()}.\n"
        f"For example: {command_line('compare', *(each.name for each in names[:2]))}"
    )


def _some(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _cells(one: Comparison) -> list[str]:
    return [
        one.metric,
        f"{one.baseline:.4f}",
        f"{one.candidate:.4f}",
        f"{one.retention:.1%}"[:-1],
        f"{one.low:.1%}"[:-1] + " – " + f"{one.high:.1%}"[:-1],
        f"{one.p_value:.2g}",
        f"{one.p_adjusted:.2g}",
        "–" if one.margin is None else f"{one.margin:.0%}",
        "–" if one.equivalent is None else f"{one.equivalent:.0%}",
        f"{one.detectable:.1%}",
    ]


def _json(one: Comparison) -> dict[str, Any]:
    from dataclasses import asdict

    derived = {name: getattr(one, name) for name in ("different", "lossless", "margin", "equivalent")}
    return asdict(one) | derived | {"summary": one.summary()}


def _slice_json(part: Slice) -> dict[str, Any]:
    return {"of": part.of, "tenth": part.tenth, "comparison": part.comparison and _json(part.comparison)}


def _slice_table(parts: list[Slice], style: str) -> str:
    rows = []
    for part in parts:
        one = part.comparison
        name = f"{part.of}, tenth {part.tenth}"
        if one is None:
            rows.append([name, "", "–", "", "", "nothing to retain"])
            continue
        said = ("better" if one.retention > 1 else "worse") if one.different else "no difference found"
        interval = f"{one.low:.1%}"[:-1] + " – " + f"{one.high:.1%}"[:-1]
        rows.append([name, one.metric, f"{one.retention:.1%}"[:-1], interval, f"{one.p_adjusted:.2g}", said])
    headings = ["Slice", "Metric", "Retained %", "95 % CI", "p (Holm)", "At the 5 % level"]
    align = ["left", "left", "right", "right", "right", "left"]
    return tabulate(rows, headers=headings, tablefmt=style, disable_numparse=True, colalign=align)

"""Contexts of the pages: what the templates are filled with."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

import pandas as pd
from pydantic import BaseModel

from recpress import registry
from recpress.core.errors import UserError
from recpress.data.card import dataset_card
from recpress.headline import COLUMN, SECOND_COLUMN
from recpress.leaderboard.collect import Run
from recpress.leaderboard.columns import COLUMNS, NUMBERS, PAGE, TEXT, TIERS
from recpress.leaderboard.pareto import front
from recpress.leaderboard.tables import marked, sort, texts
from recpress.metrics import LABEL
from recpress.records.record import in_a_name

Context = dict[str, Any]

# Pages of the header, which the documents have too: name, file.
NAVIGATION = (
    ("Overview", "index"),
    ("Findings", "findings"),
    ("Compare", "compare"),
    ("History", "history"),
    ("Rules", "rules"),
    ("Submit", "submit"),
)
# Without JavaScript a page lists this many rows; a data set's CSV has them all.
STATIC_ROWS = 200
SIZES = (1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64)
LINKED = ["dataset", "backbone", "method", "variant", "status", "tier", "doubtful"]
GLOSSARY = [column for column in (*TEXT, *NUMBERS) if column.key != "reason"]


def run_link(row: Mapping[Hashable, Any], root: str) -> str:
    """Return the link to a variant's page."""
    words = (row["dataset"], row["backbone"], row["method"], in_a_name(str(row["variant"])))
    return f"{root}run.html#run=" + "/".join(quote(str(word), safe="") for word in words)


def static_table(
    rows: pd.DataFrame, root: str, leave_out: tuple[str, ...] = (), figures: tuple[str, ...] = PAGE
) -> Context:
    """Return a table for reading without JavaScript; its first cell is the link to the run."""
    order = ["method", "variant", "dataset", "backbone", "status"]
    text = [column for column in TEXT if column.headline and column.key not in leave_out]
    text.sort(key=lambda column: order.index(column.key))
    numbers = [COLUMNS[key] for key in figures]
    shown = rows.head(STATIC_ROWS)
    _, cells = texts(shown, [column.key for column in text], figures)
    return {
        "root": root,
        "timed": any(column.timed for column in numbers),
        "columns": [
            *({"label": c.label, "unit": "", "help": c.help, "number": False} for c in text),
            *({"label": c.label, "unit": c.unit, "help": c.help, "number": True} for c in numbers),
            {"label": "Seeds", "unit": "", "help": "Runs that the row is the mean of.", "number": True},
            {"label": "Tier", "unit": "", "help": COLUMNS["tier"].help, "number": False},
        ],
        "rows": [
            {
                "status": row["status"],
                "href": run_link(row, root),
                "note": row["doubtful"],
                "method": row["method"],
                "cells": [*line[: len(text) + len(numbers) + 1], row["tier"]],
            }
            for line, row in zip(cells, shown[LINKED].to_dict("records"), strict=True)
        ],
    }


def words(rows: pd.DataFrame, timed: Iterable[pd.DataFrame] = ()) -> dict[str, list[str]]:
    """Return the values to choose from; data sets with most figures first.

    Parameters
    ----------
    rows : DataFrame
    timed : iterable of DataFrame
        The same rows with the times of each machine: which grades of energy there are.
    """
    ok = rows[rows["status"] == "ok"]
    by_size = ok["dataset"].value_counts()
    found = {
        key: sorted(rows[key].unique())
        for key in ("backbone", "family", "division", "serve_form", "protocol", "status")
    }
    found["tier"] = [tier for tier in TIERS if (rows["tier"] == tier).any()]
    found["dataset"] = [*by_size.index, *sorted(set(rows["dataset"]) - set(by_size.index))]
    every = [rows, *timed]
    grades = ("analytic", "modelled", "measured")
    found["grade"] = [grade for grade in grades if any(each[f"{grade}_mj"].notna().any() for each in every)]
    return found


def best_under_each_size(rows: pd.DataFrame, dataset: str, root: str) -> Context:
    """Return the most accurate variant under each fraction of the dense fp32 size, a column a backbone."""
    ok = rows[(rows["dataset"] == dataset) & (rows["status"] == "ok")]
    backbones = sorted(ok["backbone"].unique())
    lines = []
    for size in SIZES:
        cells = [f"1/{round(1 / size)} of fp32"]
        href = f"{root}dataset/{dataset}.html"
        for backbone in backbones:
            # The manifest's few bytes are let pass, as the rules let 2 % pass.
            small = ok[(ok["backbone"] == backbone) & (ok["smaller"] * 1.02 >= 1 / size) & ok[COLUMN].notna()]
            if small.empty:
                cells.append("–")
                continue
            row = small.loc[small[COLUMN].idxmax()]
            kept = "" if math.isnan(row["retained"]) else f" ({row['retained']:.1f} % kept)"
            cells.append(f"{marked(row)} {row['variant']}: {row[COLUMN]:.4f}{kept}")
        lines.append({"status": "ok", "href": href, "note": "", "cells": cells})
    labels = ["Size at most", *backbones]
    return {
        "timed": False,
        "caption": f"Best {LABEL} on {dataset}",
        "columns": [{"label": label, "unit": "", "help": "", "number": False} for label in labels],
        "rows": lines,
    }


def _card(read: Any, name: str) -> BaseModel | None:
    """Read a card; results of something that this installation doesn't have are shown without one."""
    try:
        card: BaseModel = read(name)
    except UserError:
        return None
    return card


def dataset_cards(names: Iterable[str]) -> dict[str, Any]:
    """Return the data sets' cards by name."""
    return {name: _card(dataset_card, name) for name in names}


def method_cards(names: Iterable[str]) -> dict[str, Any]:
    """Return the methods' cards by name."""
    return {name: _card(lambda known: registry.method(known).card, name) for name in names}


def dataset_page(rows: pd.DataFrame, name: str, card: Any, root: str) -> Context:
    """Return what a data set's page shows."""
    mine = sort(rows[rows["dataset"] == name], COLUMN)
    return {
        "name": name,
        "title": card.title if card else name,
        "card": card,
        "splits": sorted(mine["split"].unique()),
        "backbones": sorted(mine["backbone"].unique()),
        "total": len(mine),
        "published": published_figures(rows, name, card, root),
        "table": static_table(mine, root, ("dataset",)),
    }


def published_figures(rows: pd.DataFrame, name: str, card: Any, root: str) -> list[Context]:
    """Return the figures that others print for a data set, each with the board's own of the same model beside it."""
    found = []
    for figure in card.published if card else ():
        mine = rows[(rows["dataset"] == name) & (rows["method"] == figure.method) & (rows["variant"] == figure.variant)]
        mine = mine[mine["status"] == "ok"]
        if figure.backbone is not None:
            mine = mine[mine["backbone"] == figure.backbone]
        own = None if mine.empty else mine.iloc[0]
        found.append(
            {
                "model": figure.backbone or figure.method,
                "by": figure.by,
                "url": figure.url,
                "note": figure.note,
                "href": None if own is None else run_link(own, root),
                "figures": [
                    (printed, None if own is None else own[key])
                    for key, printed in ((SECOND_COLUMN, figure.recall), (COLUMN, figure.ndcg))
                ],
            }
        )
    return found


def backbone_page(rows: pd.DataFrame, name: str, root: str) -> Context:
    """Return what a backbone's page shows."""
    mine = rows[rows["backbone"] == name]
    return {
        "name": name,
        "total": len(mine),
        "reference": static_table(mine[mine["method"] == "none"], root, ("backbone",)),
        "table": static_table(sort(mine, "retained"), root, ("backbone",)),
    }


def who_pays(runs: Iterable[Run]) -> list[Context]:
    """Return what each tenth of the items keeps, a line a variant, as the mean over its seeds."""
    grouped: dict[tuple[str, str, float, str], list[tuple[float | None, ...]]] = defaultdict(list)
    for run in runs:
        who, quality = run.record.identity, run.record.quality
        if quality and quality.item_deciles:
            grouped[who.dataset, who.backbone, -(who.budget or 1), who.variant].append(quality.item_deciles)
    lines = []
    for (dataset, backbone, _, variant), seeds in sorted(grouped.items()):
        cells = []
        for tenth in zip(*seeds, strict=False):
            known = [kept for kept in tenth if kept is not None]
            kept = sum(known) / len(known) if known else math.nan
            # Shaded from nothing lost to a fifth lost or more.
            shade = 0 if math.isnan(kept) else round(100 * min(max(2 * (1 - kept), 0), 0.4))
            cells.append({"text": "–" if math.isnan(kept) else f"{100 * kept:.0f}", "shade": shade})
        lines.append({"name": f"{dataset}, {backbone}, {variant}", "cells": cells})
    return lines[:60]


def method_page(rows: pd.DataFrame, name: str, card: Any, runs: list[Run], root: str) -> Context:
    """Return what a method's page shows."""
    mine = rows[rows["method"] == name]
    used: dict[str, set[str]] = defaultdict(set)
    for run in runs:
        for key, value in run.record.identity.params.items():
            used[key].add(str(value)[:60])
    return {
        "name": name,
        "title": card.title if card else name,
        "family": mine["family"].iloc[0],
        "card": card,
        "params": [(key, ", ".join(sorted(values)[:12])) for key, values in sorted(used.items())],
        "total": len(mine),
        "who_pays": who_pays(runs),
        "table": static_table(mine, root, ("method",), figures=(*PAGE, "compress_s")),
    }


def chart_rows(rows: pd.DataFrame) -> list[Context]:
    """Return one data set's rows for the picture of the Pareto chart."""
    ok = rows[(rows["status"] == "ok") & rows[COLUMN].notna() & (rows["mb"] > 0)]
    marks = front(ok["mb"], ok[COLUMN])
    drawn = []
    for (_, row), mark in zip(ok.iterrows(), marks, strict=True):
        sd = row[f"{COLUMN}_sd"]
        known = not math.isnan(sd)
        drawn.append(
            {
                "x": row["mb"],
                "y": row[COLUMN],
                "low": row[COLUMN] - sd if known else None,
                "high": row[COLUMN] + sd if known else None,
                "family": row["family"],
                "front": bool(mark),
                "label": None,
            }
        )
    return drawn

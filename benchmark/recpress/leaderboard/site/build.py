"""Write the site: pages, scripts, styles, data. Its pages load nothing from the network."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup, escape

from recpress import __version__, registry
from recpress.core.errors import UserError
from recpress.core.io import swapping
from recpress.core.project import repository
from recpress.experiments.per_user_hits import Store
from recpress.headline import COLUMN, HEADLINE, SECOND_COLUMN
from recpress.leaderboard.collect import Collection, collect
from recpress.leaderboard.columns import TIERS
from recpress.leaderboard.perf import Series
from recpress.leaderboard.prose import named
from recpress.leaderboard.site import charts, findings, history, machines, pages, payload
from recpress.leaderboard.site.history import Earlier
from recpress.leaderboard.tables import aggregate, frame, render, sort
from recpress.leaderboard.tiers import Standing, standings
from recpress.metrics import LABEL, SECOND_LABEL

HERE = Path(__file__).parent
MARKER = "recpress-site"


@dataclass(frozen=True)
class Built:
    """The written site."""

    index: Path
    rows: int
    runs: int
    refused: int


def _figure(cell: str) -> Markup:
    """Set the spread or interval of a figure smaller than the figure."""
    figure, *spread = re.split(r"(?= ± | \()", cell, maxsplit=1)
    return Markup("{}<small>{}</small>").format(figure, spread[0]) if spread else escape(figure)


class _Site:
    """The folder that is written to, and the templates."""

    def __init__(self, out: Path, shared: dict[str, Any]) -> None:
        self.out = out
        self.templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.filters["figure"] = _figure
        self.templates.globals.update(shared)

    def write(self, path: str, text: str | bytes) -> None:
        target = self.out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode() if isinstance(text, str) else text)

    def page(self, path: str, template: str, context: dict[str, Any]) -> None:
        root = "../" * path.count("/")
        filled = self.templates.get_template(template).render(root=root, page=path.removesuffix(".html"), **context)
        self.write(path, filled)


def _refuse_others(out: Path) -> None:
    """Refuse a folder with files that aren't ours."""
    if (out.exists() and not out.is_dir()) or (out.is_dir() and any(out.iterdir()) and not (out / MARKER).is_file()):
        raise UserError(f"{out} holds something that isn't a site of ours: name an empty or new folder with --out.")


def build(
    results: Path,
    out: Path,
    *,
    earlier: Earlier | None = None,
    speeds: Sequence[Series] = (),
    docs: Path | None = None,
) -> Built:
    """Build the site from a results folder.

    Parameters
    ----------
    results : Path
        Folder with ``records/``, ``timings/`` and ``machines/``; a ``findings.md`` in it becomes a page.
    out : Path
        Folder to write; an earlier site in it is replaced, whole or not at all. Anything else is left alone with an
        error.
    earlier : Earlier, optional
        A state of the results that the history page compares with.
    speeds : sequence of Series
        What asv measured of the code.
    docs : Path, optional
        Folder of the built documents: they become the site's ``docs/``.

    Raises
    ------
    UserError
        When there are no results, `docs` holds no pages, or `out` holds something else. Single bad records are left out
        and named on the site.
    """
    found = collect(results)
    if not found.runs:
        raise UserError(f"There are no records in {results} yet: `recpress demo` makes the first ones.")
    if docs is not None and not (docs / "index.html").is_file():
        raise UserError(f"{docs} holds no built documents: `make docs` writes them.")
    _refuse_others(out)
    with swapping(out) as folder:
        (folder / MARKER).write_text("Written by `recpress site`, which may delete this folder.\n", encoding="utf-8")
        rows = _write(results, found, folder, earlier, speeds, docs)
    return Built(out / "index.html", rows, len(found.runs), len(found.refused))


def _write(
    results: Path,
    found: Collection,
    out: Path,
    earlier: Earlier | None,
    speeds: Sequence[Series],
    docs: Path | None,
) -> int:
    """Write all of the site into an empty folder; return how many rows it has."""
    standing = standings(found)
    rows = _rows(found, standing)
    # The same rows, in the same order, with the times of each machine.
    timed = {name: _rows(found.on(name), standing) for name in found.timings}
    families = {name: charts.look(name) for name in charts.in_order(rows["family"].unique())}
    specs = charts.compiled(list(families))
    cards = {
        "dataset": pages.dataset_cards(rows["dataset"].unique()),
        "method": pages.method_cards(rows["method"].unique()),
    }
    written = findings.read(results, lambda: named(rows), docs=docs is not None)
    site = _Site(
        out,
        {
            "version": __version__,
            "navigation": pages.NAVIGATION,
            "docs": docs is not None,
            "repository": repository(),
            "words": pages.words(rows, timed.values()),
            "columns": pages.GLOSSARY,
            "tiers": TIERS,
            "families": families,
            # Of methods that are installed; of others a record has the id alone.
            "titles": registry.titles(),
            "headline": {
                "metric": HEADLINE,
                "column": COLUMN,
                "label": LABEL,
                "second": SECOND_LABEL,
                "second_column": SECOND_COLUMN,
            },
            "machines": machines.machines(found),
            "refused": found.refused,
            "findings": written,
            "counts": {
                "runs": f"{len(found.runs):,}",
                "methods": rows["method"].nunique(),
                "datasets": rows["dataset"].nunique(),
            },
        },
    )
    _write_assets(site, specs, families)
    _write_data(site, rows, found, standing, results)
    _write_machines(site, timed, found)
    _write_pages(site, rows, found, cards)
    _write_history(site, found, earlier, speeds)
    if written:
        site.page("findings.html", "findings.html", {})
    if docs is not None:
        shutil.copytree(docs, out / "docs")
    return len(rows)


def _rows(found: Collection, standing: dict[str, Standing]) -> pd.DataFrame:
    return aggregate(frame(found.runs, (standing[run.id].tier for run in found.runs)))


def _write_assets(site: _Site, specs: dict[str, Any], families: dict[str, dict[str, str]]) -> None:
    for file in sorted((HERE / "static").iterdir()):
        site.write(f"assets/{file.name}", file.read_bytes())
    site.write("assets/specs.js", payload.script("RecPress.receiveSpecs", specs, families, TIERS))
    site.write("assets/vega.js", charts.renderer())


def _write_data(
    site: _Site, rows: pd.DataFrame, found: Collection, standing: dict[str, Standing], results: Path
) -> None:
    site.write("data/board.js", payload.script("RecPress.receiveBoard", payload.board(rows)))
    for place, beside in payload.shards(found, standing).items():
        records = payload.script("RecPress.receiveRecords", place, beside.runs, beside.timings)
        site.write(f"data/runs/{place}.js", records)
    kept = Store(results)
    for place, values in (payload.hits(found.runs, kept) | payload.tested(found.runs, kept)).items():
        site.write(f"data/users/{place}.js", payload.script("RecPress.receiveUsers", place, values))
    for name, mine in rows.groupby("dataset"):
        site.write(f"data/{name}.csv", render(mine, "csv"))


def _write_machines(site: _Site, timed: dict[str, pd.DataFrame], found: Collection) -> None:
    site.write("data/machines.js", payload.script("RecPress.receiveMachines", machines.script(found), found.machine))
    for machine in machines.machines(found):
        rows, name = timed[machine.id], machine.id
        site.write(f"data/timings/{name}.js", payload.script("RecPress.receiveTimings", name, payload.timings(rows)))
        site.page(f"machine/{name}.html", "machine.html", machines.page(machine, found.on(name), rows, "../"))


def _write_history(site: _Site, found: Collection, earlier: Earlier | None, speeds: Sequence[Series]) -> None:
    context = {
        "days": history.days(found.runs),
        "changes": history.changes(earlier, found),
        "speeds": history.speeds(speeds),
        "several_machines": len({each.machine for each in speeds}) > 1,
        "updated": max(history.timestamp(run.record.provenance.started) for run in found.runs),
    }
    if speeds:
        site.write("data/speeds.js", payload.script("RecPress.receivePerf", history.drawn(speeds)))
    site.page("history.html", "history.html", context)
    site.page("feed.xml", "feed.xml", context)


def _write_pages(site: _Site, rows: pd.DataFrame, found: Collection, cards: dict[str, Any]) -> None:
    datasets = pages.words(rows)["dataset"]
    families = sorted(rows["family"].unique())
    for name in datasets:
        drawn = pages.chart_rows(sort(rows[rows["dataset"] == name], COLUMN).head(pages.STATIC_ROWS))
        picture = charts.picture(drawn, families)
        svg = charts.svg(picture) if drawn else ""
        if drawn and name == datasets[0]:
            # For a README or a slide: the main chart of the largest data set.
            site.write("pareto.svg", svg)
            site.write("pareto.png", charts.png(picture))
        context = pages.dataset_page(rows, name, cards["dataset"][name], "../")
        site.page(f"dataset/{name}.html", "dataset.html", {**context, "picture": svg})
    for backbone in sorted(rows["backbone"].unique()):
        site.page(f"backbone/{backbone}.html", "backbone.html", pages.backbone_page(rows, backbone, "../"))
    runs_of: dict[str, list[Any]] = {}
    for run in found.runs:
        runs_of.setdefault(run.record.identity.method, []).append(run)
    for name, card in cards["method"].items():
        context = pages.method_page(rows, name, card, runs_of[name], "../")
        site.page(f"method/{name}.html", "method.html", context)
    index = {
        "datasets": [
            {
                "name": name,
                "title": cards["dataset"][name].title if cards["dataset"][name] else name,
                "summary": f"{(rows['dataset'] == name).sum()} variants",
            }
            for name in datasets
        ],
        "best": [pages.best_under_each_size(rows, name, "") for name in datasets],
        "methods": [
            {"name": name, "title": card.title if card else name, "family": family}
            for (family, name), card in sorted(
                ((rows.loc[rows["method"] == name, "family"].iloc[0], name), card)
                for name, card in cards["method"].items()
            )
        ],
    }
    site.page("index.html", "index.html", index)
    for name in ("run", "compare", "rules", "submit"):
        site.page(f"{name}.html", f"{name}.html", {})

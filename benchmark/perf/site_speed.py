"""How quick the site is with ten thousand made-up records of 340 methods, in a headless Chromium.

``python benchmark/perf/site_speed.py`` prints seconds to build, gzipped bytes of the overview, milliseconds until it
can be used, and milliseconds of each filter. ``--results FOLDER`` weighs a board of real records instead.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "leaderboard"))

RECORDS, METHODS, VISITS = 10_000, 340, 3
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
NAMES = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class Speed:
    """What was measured.

    Attributes
    ----------
    starts : list of float
        Milliseconds from navigation until the overview answers, one a visit.
    walls : dict of str to float
        Milliseconds of the clock from each change of the form until all is drawn.
    page : dict of str to float
        Of these, what the page's own thread worked: other work on the machine doesn't count.
    """

    starts: list[float]
    walls: dict[str, float]
    page: dict[str, float]


def chromium() -> str | None:
    """Return the browser: ``RECPRESS_CHROMIUM``, or what the path has."""
    return os.environ.get("RECPRESS_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def weight(site: Path) -> int:
    """Return the gzipped bytes of what the overview loads; whole records come later, one method at a time."""
    page = (site / "index.html").read_text(encoding="utf-8")
    data = [site / name for name in re.findall(r'src="(data/[^"]+)"', page)]
    loaded = [site / "index.html", *data, *(site / "assets").iterdir()]
    return sum(len(gzip.compress(path.read_bytes(), 9)) for path in loaded)


def steps(page: Any) -> dict[str, Callable[[], object]]:
    """Return the changes of the form that are timed, in order; the last ones show every row again."""
    return {
        "backbone": lambda: page.select_option("[name=backbone]", "lightgcn"),
        **{f"kept {kept} %": partial(page.fill, "#q-kept", kept) for kept in ("80", "90", "95", "99")},
        "any kept": lambda: page.fill("#q-kept", ""),
        "2 MB": lambda: page.fill("#q-mb", "2"),
        "against time": lambda: page.select_option("[name=x]", "single_ms"),
        "sort": lambda: page.click("button[data-sort=kept]"),
        "all data sets": lambda: page.select_option("[name=dataset]", "all"),
        "any backbone": lambda: page.select_option("[name=backbone]", ""),
        "any size": lambda: page.fill("#q-mb", ""),
    }


def measure(browser: Any, site: Path) -> Speed:
    """Visit the overview and change its form, step by step."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        drawn = "Number(document.getElementById('explorer').dataset.drawn) > {}"
        starts = []
        for _ in range(VISITS):
            page.goto("about:blank")
            page.goto(f"{site.resolve().as_uri()}/index.html")
            page.wait_for_function(drawn.format(0))
            starts.append(page.evaluate("performance.getEntriesByName('recpress-interactive')[0].startTime"))
        probe = context.new_cdp_session(page)
        probe.send("Performance.enable", {"timeDomain": "threadTicks"})

        def used() -> float:
            values: dict[str, float] = {
                each["name"]: each["value"] for each in probe.send("Performance.getMetrics")["metrics"]
            }
            return 1e3 * sum(values[name] for name in ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration"))

        worked, names = {}, list(steps(page))
        for name, step in steps(page).items():
            before, times = used(), int(page.get_attribute("#explorer", "data-drawn"))
            step()
            page.wait_for_function(drawn.format(times))
            worked[name] = used() - before
        walls = page.evaluate("performance.getEntriesByName('recpress-update').map(each => each.duration)")
        return Speed(starts, dict(zip(names, walls[-len(names) :], strict=True)), worked)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path, help="A results folder to weigh; default: made-up records, timed too.")
    arguments = parser.parse_args()
    from recpress.leaderboard.site import build

    with tempfile.TemporaryDirectory() as name:
        results, site = arguments.results, Path(name) / "site"
        if results is None:
            import synthetic

            results = Path(name) / "results"
            synthetic.write_folder(results, synthetic.records(RECORDS, seeds=1, methods=METHODS))
        start, work = time.perf_counter(), time.process_time()
        built = build(results, site)
        print(f"records                       {built.runs}, as {built.rows} rows")
        took, cpu = time.perf_counter() - start, time.process_time() - work
        print(f"build                         {took:.1f} s, of them {cpu:.1f} s of CPU")
        print(f"overview, gzipped             {weight(site) / 1e3:.0f} kB")
        if arguments.results is not None:
            return
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), headless=True, args=list(FLAGS))
            speed = measure(browser, site)
            browser.close()
    starts = ", ".join(f"{each:.0f}" for each in speed.starts)
    print(f"first view                    {min(speed.starts):.0f} ms (of {starts})")
    slowest = max(speed.walls, key=lambda each: speed.walls[each])
    print(f"slowest filter                {speed.walls[slowest]:.0f} ms ({slowest})")
    for step, wall in speed.walls.items():
        print(f"  {step:<27} {wall:.0f} ms of the clock, {speed.page[step]:.0f} ms of the page")


if __name__ == "__main__":
    main()

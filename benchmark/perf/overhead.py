"""What the runner costs: 200 small cells in fresh processes, and a finished suite of 1,000 that is recognised as done.

``python benchmark/perf/overhead.py`` prints seconds. A cell's work (compressing and serving a table of 500 rows) is
counted in: the runner's own share is less.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from itertools import islice, product
from pathlib import Path

from recpress.records import record

CELLS, DONE = 200, 1000


def suite(cells: int) -> str:
    grids = product(("true", "false"), range(2, 9), range(1, 65), ("true", "false"))
    sets = [
        f'{{ bits = {bits}, granularity = "group", group = {group}, symmetric = {symmetric}, clip = {clip} }}'
        for symmetric, bits, group, clip in islice(grids, cells)
    ]
    return (
        'title = "Small cells"\ndatasets = ["synthetic-tiny"]\nbackbones = ["mf"]\ntiming_seconds = 0\n'
        f'[[methods]]\nname = "uniform"\nparams = [{", ".join(sets)}]\n'
    )


def run(folder: Path, *words: str) -> float:
    start = time.perf_counter()
    command = [sys.executable, "-m", "recpress.cli", "run", *words, "--results", str(folder / "results")]
    subprocess.run(command, cwd=folder, env=os.environ | {"RECPRESS_CACHE": str(folder / "cache")}, check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    return time.perf_counter() - start


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "one.toml").write_text(suite(1))
        (folder / "many.toml").write_text(suite(CELLS + 1))
        (folder / "done.toml").write_text(suite(DONE))
        first = run(folder, "--suite", "one.toml")
        whole = run(folder, "--suite", "many.toml")
        print(f"first cell, with start-up and training: {first:.1f} s")
        print(f"{CELLS} more: {whole:.1f} s, {whole / CELLS:.3f} s each, start-up counted in")
        # Records that say that the others are done, too: copies with the identities of those cells.
        from recpress.experiments.plan import make, place_of
        from recpress.experiments.suite import expand, read_suite

        planned = make(expand(read_suite(str(folder / "done.toml"))))
        template = record.read_all(folder / "results")[0]
        for each in planned:
            who = template.identity.model_copy(update={"cell": each.id, "variant": each.spec.variant})
            path = folder / "results" / place_of(each.spec)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(record.text(template.model_copy(update={"identity": who})))
        print(f"{DONE} cells that are done: {run(folder, '--suite', 'done.toml'):.2f} s")


if __name__ == "__main__":
    main()

"""A short run of one cell, as a benchmark makes it; its record is looked at and let go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from recpress import registry
from recpress.data import load
from recpress.errors import UserError
from recpress.headline import HEADLINE
from recpress.metrics import LABEL
from recpress.plausible import References, doubts
from recpress.record import Identity, Record, read
from recpress.run import cell as cells
from recpress.run import trained
from recpress.run.cell import Ended, Progress
from recpress.run.identity import Planned
from recpress.run.isolate import Allowance
from recpress.run.locks import Cores
from recpress.run.plan import make
from recpress.run.verdict import Verdict, verdict

REAL = "ml-100k"
SECONDS = 0.2


def smoke(planned: Planned, results: Path, progress: Progress) -> Iterator[Verdict]:
    """Run a cell, and the same one on a small set of real data where that can be had.

    Parameters
    ----------
    planned : Planned
    results : Path
        A folder whose references tell, where it has any of the data set, what ranks too well.
    progress : callable

    Yields
    ------
    Verdict
        For each data set, whether it runs, which tells the figures, and whether these are plausible.
    """
    entry = registry.method(planned.cell.method)
    for name in dict.fromkeys((planned.cell.dataset, REAL)):
        progress(f"run on {name}", 0.0)
        try:
            dataset = load(name)
        except UserError as error:
            yield verdict("runs", entry.folder, str(error), skipped=True)
            continue
        (each,) = make([planned.cell.model_copy(update={"dataset": name, "timing_seconds": SECONDS})])
        cores = Cores()
        with cores.shared():
            model = trained.obtain(each, dataset, lambda share: None)
        ended = cells.run(each, dataset, model, lambda stage, share: None, Allowance(), cores)
        made = ended.record
        went_well = made.status in ("ok", "over-budget")
        told = verdict("runs", entry.folder, None if went_well else f"on {name}, {made.status}: {made.reason}")
        yield replace(told, message=_figures(name, ended)) if went_well else told
        if made.quality:
            found = doubts(made.identity.division, made.quality, best(made, results))
            said = f"on {name}, {'; '.join(map(str, found))}" if found else None
            yield verdict("plausible", entry.folder, said, flagged=True)


def best(made: Record, results: Path) -> float | None:
    """Return the NDCG@20 that a run is judged beside: of the set's references in a folder and, if open, its backbone's.

    Sets without records, such as the smallest synthetic one, have nothing else to tell what can be reached.
    """
    who, quality = made.identity, made.quality
    known = References(_references(who, results)).best(who)
    kept = quality.retention.get(HEADLINE) if quality and who.division == "open" else None
    own = quality.metrics[HEADLINE] / kept if quality and kept else None
    return max((each for each in (known, own) if each is not None), default=None)


def _references(who: Identity, results: Path) -> Iterator[Record]:
    for name, card in registry.cards().items():
        if card.division == "reference":
            for path in sorted((results / "records" / who.dataset).glob(f"*/{name}/*.json")):
                with suppress(UserError):  # `recpress results check` says what is wrong with it.
                    yield read(path)


def _figures(name: str, ended: Ended) -> str:
    made = ended.record
    if made.bytes is None or made.quality is None or ended.timing is None:
        return f"{name}: {made.reason}"
    kept, ratio = made.quality.kept(HEADLINE), ended.timing.latency[0].ratio
    smaller = made.bytes.reference / made.bytes.file
    return (
        f"{name}, {made.identity.backbone}: keeps {kept:.1%} of {LABEL} in 1/{smaller:.1f} of the bytes; "
        f"one user takes {ratio:.2f} × as long as fp32"
    )

"""One short run, as a benchmark makes it; its record is looked at and let go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from recpress import registry
from recpress.checks.summary import CheckResult, check_result
from recpress.core.errors import UserError
from recpress.data import load
from recpress.experiments import backbone_cache, execution
from recpress.experiments.execution import RunOutput
from recpress.experiments.identity import PlannedRun
from recpress.experiments.plan import make
from recpress.experiments.stages import Progress, RunContext
from recpress.headline import HEADLINE
from recpress.isolation.locks import Cores
from recpress.metrics import LABEL
from recpress.records.plausible import References, doubts
from recpress.records.record import Identity, Record, read

REAL = "ml-100k"
SECONDS = 0.2


def smoke(planned: PlannedRun, results: Path, progress: Progress) -> Iterator[CheckResult]:
    """Make a run, and the same one on a small set of real data where that can be had.

    Parameters
    ----------
    planned : PlannedRun
    results : Path
        A folder whose references tell, where it has any of the data set, what ranks too well.
    progress : callable

    Yields
    ------
    CheckResult
        For each data set, whether it runs, which tells the figures, and whether these are plausible.
    """
    entry = registry.method(planned.spec.method)
    for name in dict.fromkeys((planned.spec.dataset, REAL)):
        progress(f"run on {name}", 0.0)
        try:
            dataset = load(name)
        except UserError as error:
            yield check_result("runs", entry.folder, str(error), skipped=True)
            continue
        (short,) = make([planned.spec.model_copy(update={"dataset": name, "timing_seconds": SECONDS})])
        cores = Cores()
        with cores.shared():
            model = backbone_cache.obtain(short, dataset, lambda share: None)
        output = execution.run(RunContext(short, dataset, model, cores=cores))
        result = output.result
        went_well = result.status in ("ok", "over-budget")
        summary = check_result(
            "runs", entry.folder, None if went_well else f"on {name}, {result.status}: {result.reason}"
        )
        yield replace(summary, message=_figures(name, output)) if went_well else summary
        if result.quality:
            found = doubts(result.identity.division, result.quality, best(result, results))
            said = f"on {name}, {'; '.join(map(str, found))}" if found else None
            yield check_result("plausible", entry.folder, said, flagged=True)


def best(result: Record, results: Path) -> float | None:
    """Return the NDCG@20 that a run is judged beside: of the set's references in a folder and, if open, its backbone's.

    Sets without records, such as the smallest synthetic one, have nothing else to tell what can be reached.
    """
    who, quality = result.identity, result.quality
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


def _figures(name: str, output: RunOutput) -> str:
    result = output.result
    if result.bytes is None or result.quality is None or output.timing is None:
        return f"{name}: {result.reason}"
    retained, ratio = result.quality.retention_of(HEADLINE), output.timing.latency[0].ratio
    smaller = result.bytes.reference / result.bytes.file
    return (
        f"{name}, {result.identity.backbone}: retains {retained:.1%} of {LABEL} in 1/{smaller:.1f} of the bytes; "
        f"one user takes {ratio:.2f} × as long as fp32"
    )

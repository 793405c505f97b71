"""Whole suites from Python: run them, and read what a results folder holds as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from recpress.core.errors import UserError
from recpress.experiments import engine
from recpress.experiments.parameters import refuse_wrong
from recpress.experiments.plan import make, record_of, unfinished
from recpress.experiments.suite import RunSpec, Suite, expand, read_suite
from recpress.leaderboard.collect import collect
from recpress.leaderboard.columns import INTERVALS
from recpress.leaderboard.tables import frame
from recpress.leaderboard.tiers import standings
from recpress.records.record import Record
from recpress.records.timing import run_id

RESULTS = Path("results")


@dataclass(frozen=True, repr=False)
class RunReport:
    """What became of the runs that `run` was asked for.

    Attributes
    ----------
    folder : Path
        The results folder, with their records.
    results : tuple of Record
        Of every run, in the order in which they were asked for.
    already_done : int
        How many had their record before.
    """

    folder: Path
    results: tuple[Record, ...]
    already_done: int

    def to_frame(self) -> pd.DataFrame:
        """Return these runs as rows of `results`."""
        rows = results(self.folder)
        return rows[rows["run"].isin([run_id(each.identity) for each in self.results])].reset_index(drop=True)

    def __repr__(self) -> str:
        ended = pd.Series([each.status for each in self.results], dtype="object").value_counts()
        counts = ", ".join(f"{count} {status}" for status, count in sorted(ended.items()))
        return f"RunReport({counts or 'no runs'}; {self.already_done} done before; records in {str(self.folder)!r})"


def run(
    what: Suite | RunSpec | Sequence[RunSpec] | Path | str,
    *,
    folder: Path | str = RESULTS,
    jobs: int = 1,
    force: bool = False,
    retry_failed: bool = False,
    on_result: Callable[[Record], None] = lambda result: None,
) -> RunReport:
    """Run a suite or single runs, and write a record of each; what is done already isn't run again.

    Parameters
    ----------
    what : str, Path, Suite, or one or several of what `run_spec` returns
        A suite by its name (``"quick"``) or TOML file, or runs.
    folder : Path or str
        Results folder.
    jobs : int
        Runs at a time.
    force : bool
        Run again what is done.
    retry_failed : bool
        Run again what failed, timed out or ran out of memory.
    on_result : callable, optional
        Called with each record as soon as it is written.

    Raises
    ------
    UserError
        When a name or a parameter is wrong, data can't be had, or the folder can't be written.

    Examples
    --------
    >>> import recpress as rp, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rp.run(rp.run_spec("synthetic-tiny", "mf", "none"), folder=folder).results[0].status
    'ok'
    """
    folder = Path(folder)
    planned = make(_runs(what))
    todo = planned if force else unfinished(planned, folder, retry_failed)
    refuse_wrong([each.spec for each in todo])
    if todo:
        watcher = engine.Watcher(lambda planned, stage, share: None, lambda planned, result: on_result(result))
        engine.run(todo, folder, watcher, engine.Options(jobs, force=force, retry_failed=retry_failed))
    found = tuple(result for each in planned if (result := record_of(each, folder)))
    return RunReport(folder, found, len(planned) - len(todo))


def _runs(what: Suite | RunSpec | Sequence[RunSpec] | Path | str) -> list[RunSpec]:
    if isinstance(what, RunSpec):
        return [what]
    if isinstance(what, Suite):
        return expand(what)
    if isinstance(what, str | Path):
        return expand(read_suite(str(what)))
    return list(what)


def results(folder: Path | str | None = None, *, machine: str | None = None) -> pd.DataFrame:
    """Return the runs of a results folder as a tidy table: one row a run.

    Parameters
    ----------
    folder : Path or str, optional
        Default: ``results`` in the current folder.
    machine : str, optional
        Whose times; default: the newest among the machines that have timed most.

    Returns
    -------
    DataFrame
        Numbers that a run doesn't have are NaN. The columns:

        run
            ``<dataset>/<backbone>/<method>/<variant>.seed<seed>``, unique.
        dataset, split, backbone, protocol, family, method, division, serve_form, variant, seed
            What was run; `split` is the SHA-256 of the split.
        budget
            Fraction of the fp32 bytes; NaN for runs without a budget.
        status, reason
            ``"ok"``, or how it ended and why.
        tier, developed, doubtful, isolated
            How far the run was repeated, and what to know before trusting it (``recpress show`` explains the marks).
        machine, started
            Whose times these are (a fingerprint), and when the run began (ISO date).
        ndcg20, recall20
            Means on test over the evaluated users, from 0 to 1.
        retained, retained_low, retained_high
            NDCG@20 over that of the uncompressed backbone in %, with its 95 % interval.
        mb, smaller
            Bytes of the artefact in millions, and fp32 bytes over them.
        nonzero
            Parameters that are not zero, in millions.
        compress_s
            Seconds to compress.
        single_ms, single_ratio, single_low, single_high, single_noisy
            Median milliseconds to answer one user, their ratio to fp32 with its 95 % interval, and whether the machine
            was busy meanwhile.
        batch_ms, batch_ratio, batch_low, batch_high, batch_noisy
            The same for 256 users at once.
        analytic_mj, modelled_mj, measured_mj
            Energy of one query in millijoules, by each kind of evidence.

    Raises
    ------
    UserError
        When there is no such folder, or that machine has timed nothing in it.

    Examples
    --------
    >>> import recpress as rp, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = rp.run(rp.run_spec("synthetic-tiny", "mf", "none"), folder=folder)
    ...     rp.results(folder)[["run", "status"]].values.tolist()
    [['synthetic-tiny/mf/none/default.seed0', 'ok']]
    """
    folder = RESULTS if folder is None else Path(folder)
    if not (folder / "records").is_dir():
        raise UserError(f"{folder} holds no records: `rp.run` writes some, or give the results folder of a clone.")
    found = collect(folder, machine)
    tiers = standings(found)
    rows = frame(found.runs, (tiers[each.id].tier for each in found.runs))
    rows = rows.drop(columns=["of_best", *INTERVALS["of_best"]])  # Filled in only where seeds are joined.
    rows.insert(0, "run", [each.id for each in found.runs])
    return rows

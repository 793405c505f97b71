"""Records of a results folder that are flagged for review; none of this is a failure."""

from __future__ import annotations

from collections.abc import Collection as Container
from collections.abc import Iterator

from recpress.leaderboard.collect import Collection, Run
from recpress.leaderboard.folder import Finding


def flags(found: Collection, changed: Container[str] | None = None) -> list[Finding]:
    """Return what is to be looked at in records.

    Parameters
    ----------
    found : Collection
    changed : container of str, optional
        Files of the records that differ from an earlier state: a submission's. Only they are told, and they must say
        that they were isolated; by default all are told, and what older records don't say is let pass.
    """
    told: list[Finding] = []
    for run in found.runs:
        if changed is None or run.file in changed:
            told += [*_plausible(run, found), *_isolated(run, known=changed is not None)]
    return told


def _plausible(run: Run, found: Collection) -> Iterator[Finding]:
    for doubt in found.references.doubts(run.record):
        yield Finding(run.file, "plausible", f"{doubt}: look at how it was made.")


def _isolated(run: Run, *, known: bool) -> Iterator[Finding]:
    isolated = run.record.provenance.isolated
    if isolated is False:
        fix = "not isolated: nothing kept the method from reading test; read its code, or run it where it is held."
        yield Finding(run.file, "isolated", fix)
    elif isolated is None and known:
        fix = "it doesn't say whether it was isolated: read the method's code, or run it again."
        yield Finding(run.file, "isolated", fix)

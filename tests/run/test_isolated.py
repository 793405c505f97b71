"""A record says whether the system held its processes; one of before, and a timing, say nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from recpress.experiments import execution
from recpress.experiments.plan import make
from recpress.experiments.suite import RunSpec
from recpress.records import record


@pytest.mark.parametrize(("missing", "isolated"), [(None, True), ("no Landlock: any file can be read", False)])
def test_a_record_says_whether_it_was_isolated(
    missing: str | None, isolated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "isolation", lambda: missing)
    words = {"dataset": "synthetic-tiny", "backbone": "mf", "method": "none", "budget": None, "params": {}}
    (planned,) = make([RunSpec(**words, seed=0, timing_seconds=0.0)])
    assert execution.failed(planned, "its node is gone").result.provenance.isolated is isolated


def test_older_records_leave_it_open() -> None:
    for path in (Path(__file__).parent / "historic").glob("*/*.json"):
        made = record.read(path)
        assert made.provenance.isolated is None
        assert made.quality is None or made.quality.doubtful is None

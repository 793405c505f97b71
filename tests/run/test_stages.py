"""Work in a process of its own: what interrupts it, and by which clock it is limited."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from recpress.isolation.processes import WorkFailed, call

# Seconds; against hanging alone.
PATIENCE = 300
# A file that a stage's process can import, too, however pytest was started.
WORK = '''
import signal
import time


class Interrupting:
    """Interrupts the process that is given it, before anything of ours runs there."""

    def __reduce__(self):
        return signal.raise_signal, (signal.SIGINT,)


def seven(*ignored, report) -> int:
    return 7


def writes(report) -> str:
    """As a training does that keeps its state."""
    from pathlib import Path

    from recpress.core.io import write_atomic

    write_atomic(Path("state"), "of an epoch")
    write_atomic(Path("state"), "of the next")
    return Path("state").read_text()


def slow(report) -> int:
    time.sleep(60)
    return 7
'''


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    (tmp_path / "stage_work.py").write_text(WORK)
    with monkeypatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        patch.delitem(sys.modules, "stage_work", raising=False)
        yield __import__("stage_work")


def test_an_interrupt_while_a_stage_starts_is_the_program_s_alone(work: ModuleType) -> None:
    assert call(work.seven, work.Interrupting(), timeout=PATIENCE) == 7


def test_a_stage_replaces_its_files_whole(work: ModuleType) -> None:
    assert call(work.writes, timeout=PATIENCE) == "of the next"


def test_a_clock_that_jumps_changes_no_limit(work: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    days = iter(range(0, 10_000_000_000, 86_400))
    monkeypatch.setattr(time, "time", lambda: float(next(days)))
    assert call(work.seven, timeout=60) == 7
    start = time.monotonic()
    with pytest.raises(WorkFailed, match="more than 2 s"):
        call(work.slow, timeout=2)
    assert 2 <= time.monotonic() - start < 30

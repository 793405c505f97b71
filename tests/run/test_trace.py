"""Which modules a run passes on its way from the command line to its record, and under which names.

A module counts if a function of it is entered in the parent process meanwhile and takes, or returns, the run in one of
its forms: `Suite`, `RunSpec`, `PlannedRun`, `Record`. A list of them counts, and so does what carries one beside other
things: `RunContext` and `RunOutput`. `trace.txt` has the modules of one run, each with the names of those arguments.
After a change, look at what the test says, and write it anew: `python tests/run/test_trace.py`.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from click.testing import CliRunner

from recpress.cli import cli
from recpress.experiments.execution import RunOutput
from recpress.experiments.identity import PlannedRun
from recpress.experiments.stages import RunContext
from recpress.experiments.suite import RunSpec, Suite
from recpress.records.record import Record

TRACE = Path(__file__).with_name("trace.txt")
FORMS = (Suite, RunSpec, PlannedRun, Record, RunContext, RunOutput)
MOST_MODULES = 18
# One name for each form, and one for several of it. `self` is a form's own class, `model` what is written as JSON.
NAMES = {"suite", "spec", "specs", "planned", "runs", "result", "context", "output", "self", "model"}
WORDS = ["run", "--dataset", "synthetic-tiny", "--backbone", "mf", "--method", "uniform", "--budget", "1/8"]
TIMED = ["--time", "--timing-seconds", "0.05"]


def carries(value: Any) -> bool:
    """Return whether a value is a run in one of its forms, or several."""
    return isinstance(value[0] if isinstance(value, (list, tuple)) and value else value, FORMS)


@contextmanager
def watched() -> Iterator[dict[str, set[str]]]:
    """Give the modules that runs pass while the block lasts, each with the names of the arguments."""
    passed: dict[str, set[str]] = defaultdict(set)

    def watch(frame: FrameType, event: str, returned: Any) -> None:
        module = frame.f_globals.get("__name__", "")
        if not module.startswith("recpress."):
            return
        if event == "call":
            code = frame.f_code
            for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
                if carries(frame.f_locals.get(name)):
                    passed[module].add(name)
        elif event == "return" and carries(returned):
            passed[module]  # It is there, if without a name.

    threading.setprofile(watch)
    sys.setprofile(watch)
    try:
        yield passed
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]


def make(results: Path, seed: int) -> None:
    words = [*WORDS, "--seed", str(seed), *TIMED, "--results", str(results)]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output


def trace(results: Path) -> list[str]:
    """Make one run and return a line for each module that it passes."""
    make(results, seed=1)  # What is imported and compiled once is not traced, which would take minutes.
    with watched() as passed:
        make(results, seed=0)
    assert len(list(results.glob("records/**/*.json"))) == 2
    return [f"{module}: {', '.join(sorted(names))}".rstrip(": ") for module, names in sorted(passed.items())]


def test_a_run_passes_the_modules_of_the_trace_and_few(cache: Path, tmp_path: Path) -> None:
    found = trace(tmp_path / "results")
    assert found == TRACE.read_text().splitlines()
    assert len(found) <= MOST_MODULES


def test_a_run_has_one_name_for_each_of_its_forms() -> None:
    lines = TRACE.read_text().splitlines()
    names = {name for line in lines for name in line.partition(": ")[2].split(", ") if name}
    assert names <= NAMES


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECPRESS_CACHE", f"{folder}/cache")
        TRACE.write_text("\n".join(trace(Path(folder) / "results")) + "\n")

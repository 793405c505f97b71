"""Whatever a method does, its cell has a record that says so, the others go on, and nothing is left behind."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from recpress.isolation import landlock
from recpress.records import record
from recpress.records.record import Record

kernel_holds = pytest.mark.skipif(not landlock.version(), reason="the kernel has no Landlock")
FAULTS = {
    "none": ("ok", ""),
    "hangs_deaf": ("timeout", "it took more than 12 s"),
    "raises": ("failed", "ValueError: this is what went wrong"),
    "exits": ("failed", "its process ended with exit code 3 without an answer"),
    "segfaults": ("failed", "its process was killed by SIGSEGV without an answer"),
    "eats_memory": ("out-of-memory", "memory"),
    "eats_memory_in_python": ("out-of-memory", "there was not enough memory"),
    "claims_another_result": ("failed", "its process answered nonsense"),
    "leaves_children": ("ok", ""),
    "leaves_daemons": ("ok", ""),
    "leaves_daemons_and_crashes": ("failed", "SIGSEGV"),
}
# What the kernel must prevent.
REACHING_OUT = {
    "writes_outside": "Permission",
    "writes_outside_without_python": "Permission",
    "writes_outside_by_a_link": "Permission",
    "answers_nonsense": "nonsense",
    "reads_elsewhere": "Permission",
}


@dataclass(frozen=True)
class Done:
    """What a suite of faults left."""

    records: dict[str, Record]
    outside: Path
    said: str
    leftovers: list[Path]
    processes: list[psutil.Process]


@pytest.fixture(scope="module")
def done(checkout) -> Done:
    """Run every fault, two at a time."""
    results, outside = checkout.root / "faults", checkout.root / "outside"
    outside.mkdir()
    (outside / "reads_elsewhere").write_text("a test label")
    checkout.variables["RECPRESS_DATA"] = str(outside)
    # Eating memory may take its time, as it does on a busy machine.
    greedy = [{"fault": fault} for fault, (status, _) in FAULTS.items() if status == "out-of-memory"]
    reaching = [{"fault": fault, "where": str(outside / fault)} for fault in REACHING_OUT]
    others = [{"fault": fault} for fault, (status, _) in FAULTS.items() if status != "out-of-memory"]
    said = run(checkout, results, greedy + reaching, "120") + run(checkout, results, others, "12")
    del checkout.variables["RECPRESS_DATA"]
    records = {each.identity.params["fault"]: each for each in record.read_all(results)}
    return Done(records, outside, said, checkout.leftovers(), left_behind(checkout.root))


def run(checkout, results: Path, sets: list[dict[str, str]], timeout: str) -> str:
    listed = ", ".join(
        "{" + ", ".join(f"{key} = {json.dumps(value)}" for key, value in each.items()) + "}" for each in sets
    )
    (checkout.root / "faults.toml").write_text(
        'title = "Faults"\ndatasets = ["synthetic-tiny"]\nbackbones = ["mf"]\ntiming_seconds = 0\n'
        f'[[methods]]\nname = "faulty"\nparams = [{listed}]\n'
    )
    said: str = checkout.recpress(
        *("run", "--suite", "faults.toml", "--jobs", "2", "--timeout", timeout, "--memory-gb", "0.4"),
        *("--results", str(results)),
        code=1,
    )
    return said


def left_behind(root: Path) -> list[psutil.Process]:
    """Processes that a faulty method started in a checkout's scratch folders."""
    found = []
    for process in psutil.process_iter():
        try:
            if "left by a faulty method" in " ".join(process.cmdline()) and Path(process.cwd()).is_relative_to(root):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_a_record_with_its_reason(done: Done, fault: str) -> None:
    status, reason = FAULTS[fault]
    made = done.records[fault]
    assert made.status == status
    assert reason in (made.reason or "")
    assert "\n" not in (made.reason or "")
    assert (made.quality is None) == (status != "ok")


@kernel_holds
@pytest.mark.parametrize("fault", REACHING_OUT)
def test_nothing_is_written_or_read_outside(done: Done, fault: str) -> None:
    made = done.records[fault]
    assert made.status == "failed"
    assert REACHING_OUT[fault] in (made.reason or "")
    assert [path.name for path in done.outside.iterdir()] == ["reads_elsewhere"]


def test_what_is_sound_has_the_same_figures_beside_what_is_not(done: Done) -> None:
    sound = [done.records[fault].quality for fault, (status, _) in FAULTS.items() if status == "ok"]
    assert len(sound) == 3
    assert all(each == sound[0] for each in sound)


def test_nothing_is_left_behind(done: Done) -> None:
    assert done.processes == []
    assert done.leftovers == []

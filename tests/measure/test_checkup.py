"""The doctor: right about what is faked for it and about the machine that this runs on, and without torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from recpress.cli import cli
from recpress.measure import checkup as module
from recpress.measure.checkup import Advice, checkup
from recpress.measure.machine import fingerprint


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOAD_SECONDS", 0.02)


def advice(topic: str, powercap: Path = Path("/nonexistent"), **changes: object) -> Advice:
    found = {each.topic: each for each in checkup(replace(fingerprint(), **changes), powercap)}
    return found[topic]


def powercap_tree(root: Path) -> Path:
    package = root / "intel-rapl:0"
    package.mkdir(parents=True)
    for name, text in (("name", "package-0"), ("energy_uj", "1"), ("max_energy_range_uj", "262143328850")):
        (package / name).write_text(text)
    return root


def test_counters_that_are_there_are_found_and_missing_ones_cost_the_measured_grade(tmp_path: Path) -> None:
    assert advice("CPU energy", powercap_tree(tmp_path)) == Advice("CPU energy", "ok", "measured by package-0")
    missing = advice("CPU energy", tmp_path / "none")
    assert missing.state == "missing"
    assert "modelled and analytic, not measured" in missing.message


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_counters_that_may_not_be_read_come_with_the_command_that_mends_it(tmp_path: Path) -> None:
    root = powercap_tree(tmp_path)
    (root / "intel-rapl:0" / "energy_uj").chmod(0)
    assert "sudo chmod a+r" in advice("CPU energy", root).message


@pytest.mark.parametrize(
    ("topic", "changes", "state", "words"),
    [
        ("cores", {"threads": 2}, "note", "no core left"),
        ("cores", {"threads": 16}, "ok", "16 hardware threads"),
        ("frequency", {"governor": None}, "note", "can't be read"),
        ("frequency", {"governor": "powersave"}, "note", "cpupower"),
        ("frequency", {"governor": "performance"}, "ok", "performance"),
        ("virtual", {"virtual": True}, "note", "can't be seen"),
        ("virtual", {"virtual": False}, "ok", "no hypervisor"),
        ("int8", {"flags": ("avx2", "avx512_vnni")}, "ok", "avx512_vnni"),
        ("int8", {"flags": ("avx2",)}, "note", "gain less"),
        ("cache", {"caches": {"L2": 2**20, "L3": 32 * 2**20}}, "note", "below 32 MiB"),
        ("cache", {"caches": {}}, "note", "can't be read"),
        ("memory", {"ram_gib": 2}, "missing", "1M × 64"),
        ("memory", {"ram_gib": 64}, "ok", "64 GiB"),
        ("GPU energy", {"gpus": ()}, "note", "no NVIDIA GPU"),
    ],
)
def test_advice_follows_the_machine(topic: str, changes: dict[str, object], state: str, words: str) -> None:
    found = advice(topic, **changes)
    assert found.state == state
    assert words in found.message


def test_thread_variables_are_pointed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert "OMP_NUM_THREADS=3" in advice("threads").message


def test_a_full_disk_is_pointed_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RECPRESS_CACHE", str(tmp_path / "new" / "cache"))
    monkeypatch.setattr(module, "FREE_DISK_BYTES", 2**62)
    assert f"free at {tmp_path}" in advice("cache folder").message


def test_the_report_as_json_is_the_report() -> None:
    result = CliRunner().invoke(cli, ["doctor", "--format", "json"])
    report = json.loads(result.output)
    assert report["fingerprint"] == fingerprint().fingerprint
    assert report["machine"]["threads"] == psutil.cpu_count()
    assert all(each["message"] for each in report["advice"])


def test_the_doctor_imports_no_torch() -> None:
    script = (
        "import sys; from recpress.cli import cli; "
        "cli(['doctor'], standalone_mode=False); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == f"{fingerprint().label} ({fingerprint().fingerprint})"
    assert done.stdout.splitlines()[-1] == "False"

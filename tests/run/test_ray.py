"""The plan over a real local Ray cluster: the same figures as the local engine; a killed worker is tried once more."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from recpress.records import record

WORDS = ("--dataset", "synthetic-tiny", "--backbone", "mf", "--timing-seconds", "0")
installed = importlib.util.find_spec("ray") is not None
with_ray = pytest.mark.skipif(not installed, reason="needs the extra `ray`")


@pytest.fixture(autouse=True)
def ray_folder(checkout):
    """A short path: Ray's sockets lie there, and a socket's name has at most 107 characters."""
    folder = tempfile.mkdtemp(prefix="ray-")
    checkout.variables |= {"RAY_TMPDIR": folder, "RAY_AUTH_MODE": "disabled"}
    yield
    for name in ("RAY_TMPDIR", "RAY_AUTH_MODE", "RECPRESS_CACHE"):
        checkout.variables.pop(name, None)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.skipif(installed, reason="Ray is installed")
def test_without_the_extra_one_sentence_says_how_to_install_it(checkout, tmp_path) -> None:
    words = ("--method", "trivial", "--param", "number=77", "--engine", "ray", "--results", str(tmp_path))
    said = checkout.recpress("run", *WORDS, *words, code=2)
    assert 'pip install "recpress[ray]"' in said
    assert "Traceback" not in said


def figures(results: Path) -> dict[str, object]:
    return {
        f"{each.identity.method} {each.identity.variant}": (each.status, each.quality, each.bytes and each.bytes.sha256)
        for each in record.read_all(results)
    }


@with_ray
@pytest.mark.slow
def test_ray_gives_record_for_record_what_the_local_engine_gives(checkout, tmp_path) -> None:
    words = [*WORDS, "--method", "none", "--method", "uniform", "--method", "svd", "--budget", "1/4", "--budget", "1/8"]
    checkout.recpress("run", *words, "--results", str(tmp_path / "local"))
    checkout.variables["RECPRESS_CACHE"] = str(tmp_path / "cache")  # so that Ray trains for itself
    checkout.recpress("run", *words, "--engine", "ray", "--results", str(tmp_path / "ray"))
    assert figures(tmp_path / "ray") == figures(tmp_path / "local") != {}


@with_ray
@pytest.mark.slow
def test_a_worker_killed_mid_cell_is_tried_once_more_and_then_recorded(checkout, tmp_path) -> None:
    words = ("--method", "faulty", "--param", "fault=hangs", "--engine", "ray", "--results", str(tmp_path))
    process = checkout.start("run", *WORDS, *words)
    killed: set[int] = set()
    while process.poll() is None:
        for each in psutil.Process(process.pid).children(recursive=True) if psutil.pid_exists(process.pid) else []:
            try:
                if each.name().startswith("ray::_work") and each.cpu_times().user > 1 and each.pid not in killed:
                    each.kill()
                    killed.add(each.pid)
            except psutil.Error:
                continue
        time.sleep(0.5)
    said, _ = process.communicate()
    assert process.returncode == 1, said
    (made,) = record.read_all(tmp_path)
    assert made.status == "failed"
    assert "Ray worker" in (made.reason or "")
    assert len(killed) == 2

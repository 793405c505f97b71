"""Sizes, stages, the synthetic catalogue, cold starts and modelled energy: each on a small real artefact."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from recpress.codecs import Dense, Uniform
from recpress.codecs.artefact import Artefact, folder_breakdown
from recpress.core.errors import UserError
from recpress.data.interactions import UserItems
from recpress.measure.cold import first_answer
from recpress.measure.latency import interleave
from recpress.measure.metering.meters import Meters, open_meters, serving_energy
from recpress.measure.sizes import file_bytes, stored_tensors, zstd_bytes
from recpress.measure.stages import stage_times
from recpress.measure.synthetic import catalogue

USERS = np.arange(50)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Artefact(Dense.encode(torch.randn(50, 16)), Uniform.encode(torch.randn(400, 16), bits=4)).save(tmp_path / "a")
    return tmp_path / "a"


def test_sizes_are_those_of_the_files_to_the_byte(folder: Path) -> None:
    header, tensors = stored_tensors(folder / "artefact.safetensors")
    stored = {tensor.name: tensor.bytes for tensor in tensors}
    assert stored["users.values"] == 50 * 16 * 4
    assert stored["items.codes"] == 400 * 16 // 2
    on_disk = (folder / "artefact.safetensors").stat().st_size
    assert header + sum(stored.values()) == on_disk
    assert file_bytes(folder) == on_disk + (folder / "manifest.json").stat().st_size == folder_breakdown(folder).total()


def test_zstd_finds_what_is_redundant_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "zeros").mkdir()
    (tmp_path / "noise").mkdir()
    (tmp_path / "zeros" / "a").write_bytes(bytes(100_000))
    (tmp_path / "noise" / "a").write_bytes(np.random.default_rng(0).bytes(100_000))
    assert zstd_bytes(tmp_path / "zeros") < 100
    assert 100_000 <= zstd_bytes(tmp_path / "noise") < 100_100


def test_a_file_that_is_no_artefact_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff" * 20)
    with pytest.raises(ValueError, match="not a safetensors file"):
        stored_tensors(tmp_path / "a")


def test_every_stage_takes_time_and_a_slow_one_is_seen(folder: Path) -> None:
    seen = UserItems.from_pairs(USERS, USERS, 50, 400)

    def load() -> Artefact:
        time.sleep(0.02)
        return Artefact.load(folder)

    times = stage_times(load, seen, USERS, batch_size=8, k=5, calls=10)
    assert list(times) == ["load", "fetch", "rank"]
    assert all(each > 0 for each in times.values())
    assert times["load"] >= 20
    dense = Artefact(Dense.encode(torch.randn(50, 16)), Dense.encode(torch.randn(400, 16)))
    times = stage_times(lambda: dense, seen, USERS, batch_size=8, k=5, calls=10)
    assert list(times) == ["load", "fetch", "score", "mask", "select"]
    assert all(each > 0 for each in times.values())


def test_the_synthetic_catalogue_is_the_same_for_a_seed_and_uneven_in_length() -> None:
    table = catalogue(2000, 64, seed=1)
    assert torch.equal(table, catalogue(2000, 64, seed=1))
    assert not torch.equal(table, catalogue(2000, 64, seed=2))
    lengths = table.norm(dim=1)
    assert lengths.mean() == pytest.approx(np.exp(0.4**2 / 2), rel=0.05)
    assert lengths.log().std() == pytest.approx(np.hypot(0.4, (1 / 128) ** 0.5), rel=0.1)


def test_a_cold_start_lasts_until_the_first_line() -> None:
    def script(text: str):
        return first_answer(lambda user: [sys.executable, "-S", "-c", text.format(user=user)])

    slow = script("import time; time.sleep(0.3); print({user}, flush=True); time.sleep(30)")
    fast = script("print({user}, flush=True)")
    assert slow(np.array([7])).strip() == "7"
    result = interleave(slow, fast, USERS, batch_size=1, scenario="cold", seconds=0.0, min_queries=5)
    assert 300 < result.p50_ms < 5000
    assert result.ratio > 1.5


def test_a_process_that_gives_no_answer_tells_why() -> None:
    broken = first_answer(lambda user: [sys.executable, "-S", "-c", "raise SystemExit('no table')"])
    with pytest.raises(RuntimeError, match="no table"):
        broken(np.array([1]))


def test_modelled_energy_is_power_times_time_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("codecarbon")
    monkeypatch.setenv("RECPRESS_CPU_WATTS", "100")
    monkeypatch.setenv("RECPRESS_RAM_WATTS", "10")
    answered = 0

    def spin(users: np.ndarray) -> None:
        nonlocal answered
        answered += len(users)
        until = time.perf_counter() + 0.005
        while time.perf_counter() < until:
            pass

    meters = Meters(measured=None, modelled=open_meters().modelled)
    cpu = time.process_time()
    (energy,) = serving_energy(spin, USERS, meters, batch_size=4, seconds=2.0)
    cpu = time.process_time() - cpu
    assert energy.grade == "modelled"
    assert "codecarbon" in energy.table
    assert energy.parts["ram"] * answered == pytest.approx(10 * 2.0, rel=0.1)
    # The rated power is that of all cores busy. Finding the hardware takes CPU time before the tracker starts.
    share = cpu / (psutil.cpu_count() or 1)
    assert 0.5 * 100 * share < energy.parts["cpu"] * answered < 1.2 * 100 * share
    assert energy.joules == pytest.approx(sum(energy.parts.values()))
    assert energy.grams_co2e == pytest.approx(energy.joules / 3.6e6 * energy.grid)


def test_a_power_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("codecarbon")
    from recpress.measure.metering.modelled import modelled

    monkeypatch.setenv("RECPRESS_CPU_WATTS", "many")
    with pytest.raises(UserError, match="RECPRESS_CPU_WATTS='many'"):
        modelled(lambda: 1)

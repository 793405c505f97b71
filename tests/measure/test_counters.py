"""Counters: a powercap tree as Linux lays it out, made by hand; a GPU library that counts on a clock."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from recpress.measure.metering.counters import (
    CounterUnavailable,
    NvmlDevice,
    RaplPackage,
    idle_power,
    measured,
    rapl_packages,
)

RANGE = 262_143_328_850  # µJ, as Intel packages report


class FakePackage:
    """A package that draws constant power on a clock of its own, written to files as the kernel does."""

    def __init__(self, root: Path, domain: str, name: str, start: int = 0) -> None:
        self.folder = root / domain
        self.folder.mkdir(parents=True)
        (self.folder / "name").write_text(f"{name}\n")
        (self.folder / "max_energy_range_uj").write_text(f"{RANGE}\n")
        self.set(start)

    def set(self, microjoules: int) -> None:
        (self.folder / "energy_uj").write_text(f"{microjoules % RANGE}\n")


def test_only_packages_are_read_so_that_nested_domains_are_not_counted_twice(tmp_path: Path) -> None:
    packages = [FakePackage(tmp_path, f"intel-rapl:{i}", f"package-{i}") for i in range(2)]
    FakePackage(tmp_path, "intel-rapl:0:0", "core")
    FakePackage(tmp_path, "intel-rapl:2", "psys")
    counters = rapl_packages(tmp_path)
    assert [each.name for each in counters] == ["package-0", "package-1"]
    packages[0].set(3_000_000)
    packages[1].set(500_000)
    assert [each.joules() for each in counters] == [3.0, 0.5]


def test_a_wrap_of_the_counter_is_added_up(tmp_path: Path) -> None:
    package = FakePackage(tmp_path, "intel-rapl:0", "package-0", start=RANGE - 1_000_000)
    now = 0.0
    counter = RaplPackage(package.folder, clock=lambda: now)
    package.set(2_000_000)
    assert counter.joules() == pytest.approx(3.0)
    package.set(RANGE - 1)
    assert counter.joules() == pytest.approx((RANGE + 1_000_000 - 1) / 1e6)
    package.set(1)
    assert counter.joules() == pytest.approx((RANGE + 1_000_000 + 1) / 1e6)


def test_a_counter_that_may_have_wrapped_twice_is_refused(tmp_path: Path) -> None:
    package = FakePackage(tmp_path, "intel-rapl:0", "package-0")
    now = 0.0
    counter = RaplPackage(package.folder, clock=lambda: now)
    now = 300.0
    with pytest.raises(CounterUnavailable, match="wrapped twice"):
        counter.joules()


def test_a_counter_without_a_range_is_refused(tmp_path: Path) -> None:
    package = FakePackage(tmp_path, "intel-rapl:0", "package-0", start=4_000_000_000)
    (package.folder / "max_energy_range_uj").write_text("0\n")
    with pytest.raises(CounterUnavailable, match="a wrap can't be told"):
        RaplPackage(package.folder)


@pytest.mark.parametrize(("last", "seconds"), [(100_000_000_000, 1.0), (100_000_000_000, 100.0), (RANGE // 2, 0.0)])
def test_a_counter_that_was_set_back_is_refused(last: int, seconds: float, tmp_path: Path) -> None:
    package = FakePackage(tmp_path, "intel-rapl:0", "package-0", start=last)
    now = 0.0
    counter = RaplPackage(package.folder, clock=lambda: now)
    now = seconds
    package.set(5_000_000)
    with pytest.raises(CounterUnavailable, match="set back"):
        counter.joules()


def test_no_tree_and_a_tree_without_packages_say_so(tmp_path: Path) -> None:
    with pytest.raises(CounterUnavailable, match="no RAPL package"):
        rapl_packages(tmp_path / "missing")
    FakePackage(tmp_path, "intel-rapl:0", "psys")
    with pytest.raises(CounterUnavailable, match="no RAPL package"):
        rapl_packages(tmp_path)


def test_measured_energy_is_what_was_drawn_above_idle(tmp_path: Path) -> None:
    """20 W idle with a 1 W ripple, 80 W at work for 100 s and 1,000 queries: 6 J a query, across a wrap."""
    package = FakePackage(tmp_path, "intel-rapl:0", "package-0", start=RANGE - 500_000_000)
    now, drawn = 0.0, RANGE - 500_000_000
    ripple = iter([19.0, 20.0, 21.0, 20.0, 20.0])

    def spend(seconds: float, watts: float) -> None:
        nonlocal now, drawn
        now, drawn = now + seconds, drawn + int(seconds * watts * 1e6)
        package.set(drawn)

    counters = rapl_packages(tmp_path, clock=lambda: now)
    idle = idle_power(counters, 5.0, clock=lambda: now, sleep=lambda seconds: spend(seconds, next(ripple)))
    assert (idle.watts, idle.low, idle.high) == pytest.approx((20, 19, 21))

    def serve() -> int:
        spend(100.0, 80.0)
        return 1000

    energy = measured(serve, counters, idle, clock=lambda: now)
    assert energy.grade == "measured"
    assert energy.what == "per-query"
    assert (energy.low, energy.joules, energy.high) == pytest.approx((5.9, 6.0, 6.1))
    assert energy.parts == pytest.approx({"package-0": 8.0, "idle": -2.0})
    assert energy.grid is not None
    assert energy.grams_co2e == pytest.approx(6.0 / 3.6e6 * energy.grid)


def test_a_gpu_counts_millijoules_from_when_it_was_opened() -> None:
    readings = iter([1_500_000, 1_502_500])
    library = SimpleNamespace(
        nvmlDeviceGetHandleByIndex=lambda index: f"handle {index}",
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: next(readings),
    )
    device = NvmlDevice(library, 3)
    assert device.name == "gpu-3"
    assert device.joules() == 2.5

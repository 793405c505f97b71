"""Analytic energy against hand arithmetic, and what all grades share."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recpress.codecs import Dense
from recpress.codecs.work import Work
from recpress.core.errors import UserError
from recpress.measure.energy import analytic, break_even_queries, table
from recpress.measure.metering.grid import co2e_grams, grid_intensity
from recpress.records.record import Energy

counts = st.integers(0, 10**12)


def test_one_fp32_multiply_accumulate_costs_what_the_source_says() -> None:
    energy = analytic(Work({"fp32": 1}))
    assert (energy.low, energy.joules, energy.high) == pytest.approx((4.6e-12,) * 3)


def test_one_byte_from_memory_has_the_band_of_the_source() -> None:
    energy = analytic(Work(bytes_read=8))
    assert (energy.low, energy.joules, energy.high) == pytest.approx((1300e-12, 1950e-12, 2600e-12))


@given(*[counts.filter(bool)] * 3)  # Every answer reads and computes something, so no energy is 0.
def test_energy_is_additive_and_shared_by_the_queries_of_a_call(fp32: int, int8: int, read: int) -> None:
    parts = analytic(Work({"fp32": fp32})).joules + analytic(Work({"int8": int8}, read)).joules
    whole = Work({"fp32": fp32}) + Work({"int8": int8}, read)
    assert analytic(whole).joules == pytest.approx(parts)
    assert analytic(whole, queries=256).joules == pytest.approx(parts / 256)
    assert analytic(whole).low <= analytic(whole).joules <= analytic(whole).high
    assert sum(analytic(whole).parts.values()) == pytest.approx(parts)


def test_an_operation_without_a_price_is_named() -> None:
    with pytest.raises(ValueError, match="v1 has no price for fp8"):
        analytic(Work({"fp8": 1}))


def test_every_operation_of_the_table_costs_something() -> None:
    assert all(0 < band.low <= band.high for band in table().operations.values())


def test_work_is_not_negative() -> None:
    with pytest.raises(ValueError, match="not negative"):
        Work({"fp32": -1})


def figure(joules: float, grade: str = "modelled") -> Energy:
    return Energy.model_validate(
        {"grade": grade, "what": "per-query", "joules": joules, "low": joules, "high": joules, "table": "t"}
    )


def test_break_even_is_cost_over_saving_and_never_without_one() -> None:
    assert break_even_queries(figure(100.0), figure(0.25), figure(0.75)) == pytest.approx(200)
    assert break_even_queries(figure(100.0), figure(0.75), figure(0.75)) is None


def test_grades_are_never_mixed() -> None:
    with pytest.raises(ValueError, match="analytic, modelled"):
        break_even_queries(figure(1.0), figure(0.1), figure(0.2, "analytic"))


def test_a_kilowatt_hour_emits_the_grid_intensity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECPRESS_GRID_INTENSITY", raising=False)
    assert co2e_grams(3.6e6, grid_intensity()) == pytest.approx(475)
    monkeypatch.setenv("RECPRESS_GRID_INTENSITY", "56")
    assert co2e_grams(3.6e6, grid_intensity()) == pytest.approx(56)


@pytest.mark.parametrize("text", ["green", "-1", "nan", "inf"])
def test_a_grid_intensity_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("RECPRESS_GRID_INTENSITY", text)
    with pytest.raises(UserError, match="RECPRESS_GRID_INTENSITY"):
        grid_intensity()


# The picojoules of the source, written down again so that the table file can't agree with itself alone.
OPERATION = {"fp32": (4.6, 4.6), "int8": (0.3, 0.3), "lookup": (5.9, 10.9)}
DRAM_BYTE = (1300 / 8, 2600 / 8)
DOCUMENT = Path(__file__).parents[2] / "benchmark" / "docs" / "explanation" / "energy.md"


def worked_examples() -> dict[str, tuple[Work, tuple[float, ...]]]:
    """Read the table of worked examples: the work, and low, middle and high in µJ as printed."""
    text = DOCUMENT.read_text(encoding="utf-8").partition("| example |")[2]
    lines = text.partition("\n\n")[0].splitlines()[2:]
    examples = {}
    for line in lines:
        name, operations, read, *energies = (cell.strip().replace(",", "") for cell in line.strip("|").split("|"))
        macs = {kind: int(count) for count, kind in (each.split() for each in operations.split("+"))}
        examples[name] = (Work(macs, int(read)), tuple(map(float, energies)))
    return examples


@pytest.mark.parametrize("name", ["dense fp32", "int8 rows", "PQ 8 × 8 bits"])
def test_worked_examples_in_the_documentation_are_the_code_s_figures_and_hand_arithmetic(name: str) -> None:
    work, printed = worked_examples()[name]
    ends = [
        sum(count * OPERATION[kind][end] for kind, count in work.macs.items()) + work.bytes_read * DRAM_BYTE[end]
        for end in (0, 1)
    ]
    by_hand = (ends[0] / 1e6, sum(ends) / 2e6, ends[1] / 1e6)
    energy = analytic(work)
    assert (energy.low * 1e6, energy.joules * 1e6, energy.high * 1e6) == pytest.approx(by_hand)
    assert printed == pytest.approx(by_hand, abs=0.005)


def test_the_dense_example_is_the_work_that_the_codec_counts() -> None:
    work, _ = worked_examples()["dense fp32"]
    assert Dense.encode(torch.zeros(40_981, 64)).work(1) == work

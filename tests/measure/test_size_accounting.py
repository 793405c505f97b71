"""Bytes of every registered method, to the byte; the table in the documentation is the one the code makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from documents import generated
from recpress import registry
from recpress.api import BudgetUnreachable
from recpress.checks.audit import CHECKS, Subject
from recpress.codecs import Dense, LowRank, Uniform
from recpress.codecs.artefact import folder_breakdown
from recpress.measure.sizes import file_bytes
from table_bytes import BUDGETS, SHAPE, compressed, rows, written

DOCUMENT = Path(__file__).parents[2] / "benchmark" / "docs" / "reference" / "size-table.md"


@pytest.mark.parametrize("name", registry.methods())
# With all the bytes of fp32, codebooks take long to learn.
@pytest.mark.parametrize("budget", [pytest.param("1", marks=pytest.mark.slow), "1/4", "1/16"])
def test_the_ledger_of_every_method_is_its_files_to_the_byte(name: str, budget: str, tmp_path: Path) -> None:
    try:
        artefact = compressed(name, BUDGETS[budget])
    except BudgetUnreachable:
        return
    artefact.save(tmp_path)
    # These checks look at files alone: nobody is asked.
    subject = Subject(tmp_path, lambda path: lambda users: users, np.arange(0), np.empty((0, 1), np.int32))
    for check in ("nothing-unclaimed", "breakdown-adds-up", "bits-as-claimed"):
        assert CHECKS[check](subject) is None
    assert folder_breakdown(tmp_path).total() == file_bytes(tmp_path)
    assert file_bytes(tmp_path) <= 1.02 * BUDGETS[budget] * SHAPE.dense_bytes


def test_nominal_parameters_are_those_of_the_stored_form() -> None:
    table = torch.randn(30, 8)
    assert Uniform.encode(table, bits=2).nominal() == 240
    assert LowRank(Uniform.encode(table), Dense.encode(torch.randn(8, 20))).nominal() == 240 + 160


@pytest.mark.slow
def test_the_table_in_the_documentation_is_up_to_date() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == written(text, rows()), "run: python tools/table_bytes.py"


def test_only_what_stands_between_the_marks_is_rewritten() -> None:
    text = "before\n<!-- begin: python some.module -->\nold\n<!-- end -->\nafter"
    once = generated(text, "some.module", lambda _: "new")
    assert once == "before\n<!-- begin: python some.module -->\n\nnew\n\n<!-- end -->\nafter"
    assert generated(once, "some.module", lambda _: "new") == once
    with pytest.raises(ValueError, match="no lines"):
        generated(text, "another.module", lambda _: "new")


def test_each_part_is_written_for_its_own_arguments() -> None:
    marks = "<!-- begin: python a.b {} -->\n<!-- end -->\nbetween\n"
    text = marks.format("one 'two words'") + marks.format("three")
    said = generated(text, "a.b", lambda arguments: f"{len(arguments)}: {arguments[-1]}")
    assert said.split("\n\n")[1::2] == ["2: two words", "1: three"]

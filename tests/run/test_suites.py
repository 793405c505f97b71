"""Suites: from TOML to cells, and what is wrong said by line and name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recpress.core.errors import UserError
from recpress.core.lines import line_of
from recpress.experiments.suite import expand, read_suite
from recpress.records import record

GOOD = """title = "Some"
datasets = ["ml-100k", "ml-1m"]
backbones = ["mf", "lightgcn"]
budgets = ["1/4", "1/8"]
seeds = [0, 1]
timing_seconds = 1

[[methods]]
name = "uniform"
params = [{ bits = 4 }]

[[methods]]
name = "svd"
"""


DOCUMENT = Path(__file__).resolve().parents[2] / "benchmark" / "docs" / "how-to" / "suites.md"


def read(tmp_path: Path, text: str):
    path = tmp_path / "some.toml"
    path.write_text(text)
    return read_suite(str(path))


def test_the_document_s_example_is_a_suite(tmp_path) -> None:
    (example,) = re.findall(r"^```toml\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert {cell.method for cell in expand(read(tmp_path, example))} == {"svd", "small", "uniform", "none"}


def test_the_cells_are_the_product_and_those_of_a_backbone_follow_each_other(tmp_path) -> None:
    cells = expand(read(tmp_path, GOOD))
    assert len(cells) == 2 * 2 * 2 * 3
    assert len(set(map(str, cells))) == len(cells)
    groups = [(cell.dataset, cell.backbone, cell.seed) for cell in cells]
    assert len(list(dict.fromkeys(groups))) == sum(a != b for a, b in zip(groups, [None, *groups], strict=False))


def test_overrides_include_and_exclude(tmp_path) -> None:
    cells = expand(
        read(
            tmp_path,
            GOOD
            + """
[[overrides]]
dataset = "ml-1m"
seeds = [7]
budgets = ["1/16"]
timing_seconds = 0

[[include]]
dataset = "ml-1m"
backbone = "mf"
name = "none"
budgets = []

[[exclude]]
backbone = "light*"
variant = "1/4"

[[exclude]]
dataset = "ml-100k"
method = ["uniform", "s*"]
seed = "1"

[[exclude]]
dataset = "ml-1m"
backbone = "mf"
""",
        )
    )
    said = {(c.dataset, c.backbone, c.method, c.variant, c.seed, c.timing_seconds) for c in cells}
    assert said == {
        ("ml-100k", "mf", "uniform", "bits=4", 0, 1),
        ("ml-100k", "mf", "svd", "1/4", 0, 1),
        ("ml-100k", "mf", "svd", "1/8", 0, 1),
        ("ml-100k", "lightgcn", "uniform", "bits=4", 0, 1),
        ("ml-100k", "lightgcn", "svd", "1/8", 0, 1),
        ("ml-1m", "lightgcn", "uniform", "bits=4", 7, 0),
        ("ml-1m", "lightgcn", "svd", "1/16", 7, 0),
        ("ml-1m", "mf", "none", "default", 7, 0),
    }


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ('budgets = ["1/4", "1/8"]', 'budgets = ["1/4", "8"]', 4, "budgets.1"),
        ("seeds = [0, 1]", "seeds = [0, -1]", 5, "seeds.1"),
        ("timing_seconds = 1", 'timing_seconds = "long"', 6, "timing_seconds"),
        ('name = "svd"', 'name = "svd"\nbudget = ["1/4"]', 14, "methods.1.budget: extra"),
        ("params = [{ bits = 4 }]", "params = [4]", 10, "methods.0.params.0"),
        ('name = "svd"', "", 12, "methods.1.name: field required"),
        ('title = "Some"', "", None, "title: field required"),
        ('title = "Some"', 'title = "Some', 1, "not valid TOML"),
        ('name = "svd"', 'name = "sdv"', None, "did you mean 'svd'"),
        ("seeds", '\n[[exclude]]\nmethod = "sdv"\n[more]\nseeds', None, "more"),
    ],
)
def test_mistakes_are_named_by_line_and_key(tmp_path, old, new, line, said) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert said in str(caught.value)
    assert line is None or f"line {line}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_exclude_may_name_a_division(tmp_path) -> None:
    suite = GOOD + '\n[[methods]]\nname = "qat"\n\n[[exclude]]\ndivision = "open"\nseed = "1"\n'
    cells = expand(read(tmp_path, suite))
    assert {cell.seed for cell in cells if cell.method == "qat"} == {0}
    assert {cell.seed for cell in cells if cell.method == "svd"} == {0, 1}
    with pytest.raises(UserError, match="no run with division 'opne'"):
        read(tmp_path, suite.replace('"open"', '"opne"'))


def test_what_has_no_effect_is_a_mistake(tmp_path) -> None:
    with pytest.raises(UserError, match=r"line 15, exclude\.0 leaves out no run with method 'sdv'"):
        read(tmp_path, GOOD + '\n[[exclude]]\nmethod = "sdv"\n')
    with pytest.raises(UserError, match=r"leaves out no run with variant '1/2'"):
        read(tmp_path, GOOD + '\n[[exclude]]\nmethod = ["svd", "s*"]\nvariant = ["1/4", "1/2"]\n')
    with pytest.raises(UserError, match=r"leaves out no run with method 'uni\*'"):
        read(tmp_path, GOOD + '\n[[exclude]]\nmethod = ["svd", "uni*"]\nvariant = ["1/4", "1/2"]\n')
    with pytest.raises(UserError, match="'ml-20m' is none of the suite's datasets"):
        read(tmp_path, GOOD + '\n[[overrides]]\ndataset = "ml-20m"\n')


@pytest.mark.parametrize("params", ["[{ a = 1 }, { a = '1' }]", f"[{{ a = '{'x' * 200}' }}]", '[{ a = "x\\ny" }]'])
def test_cells_that_no_file_name_could_tell_apart_are_refused(tmp_path, params) -> None:
    with pytest.raises(UserError, match=r"twice|at most"):
        read(tmp_path, GOOD.replace("[{ bits = 4 }]", params))


def test_lines() -> None:
    text = 'a = 1\n[b]\nc = 2\n[[d]]\ne = [\n  1,\n]\n[[d]]\ne = 3\n"f" = 4\n'
    assert [line_of(text, where) for where in (("a",), ("b", "c"), ("d", 0, "e", 0), ("d", 1, "e"), ("d", 1, "f"))] == [
        1,
        3,
        5,
        9,
        10,
    ]
    assert line_of(text, ("d", 1, "missing")) == 8
    assert line_of(text, ("missing",)) is None


@given(st.text(), st.integers())
def test_a_record_never_lies_outside_its_folder(variant, seed) -> None:
    place = record.path_of("d", "b", "m", variant, seed)
    assert len(place.parts) == 5
    assert ".." not in place.parts

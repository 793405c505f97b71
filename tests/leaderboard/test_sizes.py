"""Tables by size say what the committed records say."""

from __future__ import annotations

from pathlib import Path

import pytest
import synthetic

from recpress.core.errors import UserError
from recpress.records.record import write
from table_sizes import DOCUMENT, markdown, written

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sizes")
    for budget in ("1/8", "1/4", "1/16"):
        write(folder, synthetic.make("synthetic-small", "mf", "quantization", "uniform", budget, 0))
    write(folder, synthetic.make("synthetic-small", "mf", "quantization", "product", "1/8", 0))
    return folder


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]


def test_the_document_shows_the_committed_records() -> None:
    text = (ROOT / DOCUMENT).read_text(encoding="utf-8")
    assert text == written(text, ROOT / "results"), "run: python tools/table_sizes.py"


def test_a_line_is_a_method_and_a_column_a_size(results: Path) -> None:
    headings, _, *rows = cells(
        markdown(results, ["synthetic-small/mf", "1/4,1/8,1/16", "retained", "product", "uniform"])
    )
    assert headings == ["Retained [%]", "1/4", "1/8", "1/16"]
    assert [row[0] for row in rows] == ["product", "uniform"]
    assert [cell == "–" for cell in rows[0][1:]] == [True, False, True]
    assert "–" not in rows[1]


def test_several_figures_are_beside_each_other(results: Path) -> None:
    headings, _, row = cells(markdown(results, ["synthetic-small/mf", "1/8", "retained,compress_s", "product"]))
    assert headings == ["", "Retained [%], 1/8", "Compressing [s], 1/8"]
    assert len(row) == 3


def test_what_is_unknown_is_refused(results: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'retained'"):
        markdown(results, ["synthetic-small/mf", "1/8", "retaned", "product"])
    with pytest.raises(UserError, match="did you mean 'uniform'"):
        markdown(results, ["synthetic-small/mf", "1/8", "retained", "unifrom"])
    with pytest.raises(UserError, match="no variant '1/3'"):
        markdown(results, ["synthetic-small/mf", "1/3", "retained", "product"])
    with pytest.raises(UserError, match="no run of synthetic-mid/mf"):
        markdown(results, ["synthetic-mid/mf", "1/8", "retained", "product"])

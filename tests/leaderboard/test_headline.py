"""README's table says what the committed records say."""

from __future__ import annotations

from pathlib import Path

import pytest

from recpress.core.errors import UserError
from table_headline import markdown, written

ROOT = Path(__file__).resolve().parents[2]


def test_readme_shows_the_committed_records() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text == written(text, ROOT / "results"), "run: python tools/table_headline.py"


def test_each_size_has_the_best_that_fits_and_plain_codes() -> None:
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in markdown(ROOT / "results").splitlines()]
    headings, _, *rows = lines
    sizes = [int(row[0].removeprefix("1/")) for row in rows]
    assert sizes == sorted(sizes)
    smaller = headings.index("Smaller [×]")
    assert all(1.025 * float(row[smaller].split(" ")[0]) >= size for row, size in zip(rows, sizes, strict=True))
    for size in set(sizes):
        named = [row[1] for row, own in zip(rows, sizes, strict=True) if own == size]
        assert named[0] != "uniform"
        assert named[1:] in ([], ["uniform"])


def test_a_folder_without_such_records_is_refused(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    with pytest.raises(UserError, match="holds no row of ml-1m"):
        markdown(tmp_path)

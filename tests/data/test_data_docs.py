"""The documents name what there is."""

from __future__ import annotations

from pathlib import Path

from recpress.data import formats

DOCS = Path(__file__).parents[2] / "benchmark" / "docs"


def test_every_format_is_documented() -> None:
    text = (DOCS / "how-to" / "add-a-dataset.md").read_text(encoding="utf-8")
    assert [name for name in formats.PARSERS if f"`{name}`" not in text] == []

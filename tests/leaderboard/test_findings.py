"""Findings on the site: whose they are, what becomes of links, of addresses of views and of HTML."""

import re
from pathlib import Path

import pytest
import synthetic

from recpress.leaderboard.prose import rows_of
from recpress.leaderboard.site import build
from recpress.leaderboard.site.findings import Findings, read
from recpress.records.record import write

TEXT = """# What we *saw*

At 1/4, `svd` retains {{ retained synthetic-small/mf/svd/1-4 }}.
Grids [cost](kernels.md) nothing; see [the paper](https://example.org/a?b=1&c=2).
`#dataset=synthetic-small&q=svd` · `recpress compare a b`

| kept | here |
|---|---|
| four bits | 99 % |

<!-- begin: python -m some.module kept a/b/c -->
<!-- end -->

<script>alert(1)</script> [x](javascript:alert(1))
"""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    write(tmp_path / "results", synthetic.make("synthetic-small", "mf", "low_rank", "svd", "1/4", 0))
    return tmp_path / "results"


def written(results: Path, text: str) -> Findings:
    (results / "findings.md").write_text(text, encoding="utf-8")
    found = read(results, lambda: rows_of(results))
    assert found is not None
    return found


def test_views_and_the_web_are_linked_and_files_are_not(results: Path) -> None:
    body = written(results, TEXT).body
    assert '<a href="index.html#dataset=synthetic-small&amp;q=svd">See it on the board</a>' in body
    assert '<a href="https://example.org/a?b=1&amp;c=2">the paper</a>' in body
    assert "Grids cost nothing" in body
    assert re.search(r"<code>svd</code> retains \d+\.\d %\.", body)
    assert "<code>recpress compare a b</code>" in body


def test_links_to_documents_lead_to_the_built_ones(results: Path) -> None:
    text = "Grids [cost](kernels.md#a-b) [nothing](../notebook/closed.md), [not](../../outside.md) [code](x.py)."
    (results / "findings.md").write_text(text, encoding="utf-8")
    found = read(results, lambda: rows_of(results), docs=True)
    assert found is not None
    assert '<a href="docs/explanation/kernels.html#a-b">cost</a>' in found.body
    assert '<a href="docs/notebook/closed.html">nothing</a>, not code.' in found.body


def test_html_and_scripts_are_text(results: Path) -> None:
    body = written(results, TEXT).body
    assert "<script" not in body
    assert "&lt;script&gt;" in body
    assert "some.module" not in body, "marks of generated tables aren't for readers"
    assert 'href="javascript' not in body


def test_the_heading_is_the_title_and_tables_scroll(results: Path) -> None:
    found = written(results, TEXT)
    assert found.title == "What we *saw*"
    assert "<h1>" not in found.body
    assert '<div class="scroll" tabindex="0"><table class="board">' in found.body
    assert written(results, "No heading.").title == "Findings"


def test_the_page_and_its_link_are_there_only_with_findings(results: Path, tmp_path: Path) -> None:
    build(results, tmp_path / "without")
    assert not (tmp_path / "without" / "findings.html").exists()
    assert "findings.html" not in (tmp_path / "without" / "index.html").read_text()
    written(results, TEXT)
    build(results, tmp_path / "with")
    assert "four bits" in (tmp_path / "with" / "findings.html").read_text()
    assert 'href="findings.html"' in (tmp_path / "with" / "index.html").read_text()
    assert 'href="../findings.html"' in (tmp_path / "with" / "method" / "svd.html").read_text()

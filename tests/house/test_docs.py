"""Pages stay readable, and the built reference has every verb and every public function."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import recpress
from recpress.cli import cli

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "benchmark" / "docs"
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for page in (ROOT / "README.md", *DOCS.rglob("*.md"))
    if (DOCS / "notebook") not in page.parents
)
MOST_WORDS, LONGEST = 1500, 40
# Of a page, what isn't prose: code, comments, tables, headings.
NOT_PROSE = re.compile(r"^```.*?^```|<!--.*?-->|^\s*\|.*?$|^#.*?$", re.MULTILINE | re.DOTALL)
GENERATED = re.compile(r"<!-- begin: .*?<!-- end -->|^```.*?^```", re.MULTILINE | re.DOTALL)
BLOCKS = re.compile(r"\n\s*\n|\n\s*(?:[-*]|\d+\.)\s+")
ENDS = re.compile(r"(?<=[.?!:])[)*\"]*\s+(?=[A-Z`*\[(\"])")
# A link's address, and what a placeholder names, is not read as words.
ADDRESS = re.compile(r"\]\([^)]*\)|\{\{[^}]*\}\}")


def words(text: str) -> list[str]:
    return [word for word in text.split() if re.search(r"\w", word)]


def sentences(page: str) -> list[str]:
    """Sentences of a page's prose; an item of a list ends one."""
    prose = ADDRESS.sub("] ", NOT_PROSE.sub("", page))
    blocks = BLOCKS.split("\n" + prose)
    return [" ".join(sentence.split()) for block in blocks for sentence in ENDS.split(block)]


def test_a_sentence_ends_where_it_ends() -> None:
    page = "# A b\n\nOne two, e.g. three. Four [five six](x/y.md#z)?\n\n- Seven\n- `eight` nine: Ten\n\n| a | b |\n"
    assert [len(words(each)) for each in sentences(page) if words(each)] == [4, 3, 1, 2, 1]


@pytest.mark.parametrize("page", PAGES)
def test_no_sentence_is_longer_than_forty_words(page: str) -> None:
    found = sentences((ROOT / page).read_text(encoding="utf-8"))
    assert [each for each in found if len(words(each)) > LONGEST] == []


@pytest.mark.parametrize("page", [page for page in PAGES if "/reference/" not in page])
def test_a_page_is_read_in_one_sitting(page: str) -> None:
    text = GENERATED.sub("", (ROOT / page).read_text(encoding="utf-8"))
    assert len(words(text)) <= MOST_WORDS


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documents as mkdocs builds them, strictly."""
    out = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == 0, ended.stderr
    return out


def paths(group: click.Group, parent: click.Context) -> list[str]:
    """Every command under a group, by the words that call it."""
    found = []
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        assert command is not None
        context = click.Context(command, parent, info_name=name)
        found.append(context.command_path)
        if isinstance(command, click.Group):
            found += paths(command, context)
    return found


def test_each_verb_has_a_page_with_its_help(site: Path) -> None:
    for path in paths(cli, click.Context(cli, info_name="recpress")):
        page = site / "reference" / "cli" / f"{path.split()[1]}.html"
        assert f"Usage: {path}" in page.read_text(encoding="utf-8"), path


def test_each_public_function_has_an_entry(site: Path) -> None:
    page = (site / "reference" / "api.html").read_text(encoding="utf-8")
    public = [getattr(recpress, name) for name in getattr(recpress, "__all__", ())]
    for each in public:
        if callable(each):
            assert f'id="{each.__module__}.{each.__qualname__}"' in page, each


def test_the_search_knows_the_pages_and_the_header_leads_to_the_site(site: Path) -> None:
    index = (site / "search" / "search_index.json").read_text(encoding="utf-8")
    assert "reference/cli/run.html" in index
    assert "explanation/findings.html" in index
    page = (site / "reference" / "cli" / "run.html").read_text(encoding="utf-8")
    assert 'href="../../../compare.html"' in page


def test_no_placeholder_is_left(site: Path) -> None:
    left = [page.name for page in site.rglob("*.html") if re.search(r"\{\{ \w", page.read_text(encoding="utf-8"))]
    assert left == []

"""The page of findings, from a Markdown file beside the records."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from recpress.leaderboard.prose import fill

FILE = "findings.md"
# Where the file lies among the documents, if the site has them.
DOCS = "docs/explanation"
# A piece of code that starts so is the address of a view of the overview.
VIEW = "#dataset="
WEB = ("https://", "http://", "#", "docs/")
# Lines around generated tables (`tools/documents.py`).
MARK = re.compile(r"^<!-- (begin: .*|end) -->$", re.MULTILINE)


@dataclass(frozen=True)
class Findings:
    """The page's title and the rest of it."""

    title: str
    body: Markup


def read(results: Path, rows: Callable[[], pd.DataFrame], *, docs: bool = False) -> Findings | None:
    """Return the findings of a results folder, or None where it has none.

    Figures that the file asks for are filled in from `rows` (see `recpress.leaderboard.prose`).
    HTML in the file is shown, not used; the marks of generated tables are left out. Addresses of views become links to
    them; links to other documents lead to the site's `docs`, and become their words where it has none.
    """
    path = results / FILE
    if not path.is_file():
        return None
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.add_render_rule("table_open", lambda *_: '<div class="scroll" tabindex="0"><table class="board">\n')
    markdown.add_render_rule("table_close", lambda *_: "</table></div>\n")
    tokens = markdown.parse(MARK.sub("", fill(path.read_text(encoding="utf-8"), rows)))
    title = "Findings"
    if [each.type for each in tokens[:3]] == ["heading_open", "inline", "heading_close"] and tokens[0].tag == "h1":
        title, tokens = tokens[1].content, tokens[3:]
    for token in tokens:
        if token.children:
            if docs:
                _lead_to_docs(token.children)
            token.children = [new for each in _without_files(token.children) for new in _linked(each)]
    # Made by the renderer from escaped text.
    return Findings(title, Markup(markdown.renderer.render(tokens, markdown.options, {})))


def _linked(token: Token) -> list[Token]:
    if token.type != "code_inline" or not token.content.startswith(VIEW):
        return [token]
    opening = Token("link_open", "a", 1, attrs={"href": f"index.html{token.content}"})
    words = Token("text", "", 0, content="See it on the board")
    return [opening, words, Token("link_close", "a", -1)]


def _lead_to_docs(tokens: Sequence[Token]) -> None:
    """Point links between documents to their built pages."""
    for token in tokens:
        page, mark, anchor = str(token.attrGet("href") or "").partition("#")
        if token.type == "link_open" and page.endswith(".md") and not page.startswith(WEB):
            token.attrSet("href", posixpath.normpath(f"{DOCS}/{page.removesuffix('.md')}.html") + mark + anchor)


def _without_files(tokens: Sequence[Token]) -> list[Token]:
    """Return tokens without links to what the reader can't open; links don't nest."""
    kept, dropped = [], False
    for token in tokens:
        if token.type == "link_open":
            dropped = not str(token.attrGet("href")).startswith(WEB)
        if not (dropped and token.type in ("link_open", "link_close")):
            kept.append(token)
    return kept

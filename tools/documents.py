"""Documents of which parts are generated."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

END = "<!-- end -->"


def generated(text: str, tool: str, part: Callable[[Sequence[str]], str]) -> str:
    """Return a document with what a tool writes into it between the tool's marks.

    Parameters
    ----------
    text : str
        With lines ``<!-- begin: python TOOL ARGUMENTS -->`` and, after each, a line ``<!-- end -->``.
    tool : str
        Such as "tools/table_across.py".
    part : callable
        Gives Markdown for a mark's arguments.

    Raises
    ------
    ValueError
        When the marks aren't there.
    """
    begin = rf"<!-- begin: python {re.escape(tool)}(?P<arguments>(?: [^\n]*)?) -->"

    def replaced(block: re.Match[str]) -> str:
        mark = block[0].partition("\n")[0]
        return f"{mark}\n\n{part(shlex.split(block['arguments']))}\n\n{END}"

    written, count = re.subn(rf"{begin}\n.*?{END}", replaced, text, flags=re.DOTALL)
    if not count:
        raise ValueError(f"the document has no lines '<!-- begin: python {tool} -->' and {END!r}")
    return written


def rewrite(root: Path | None, name: Path, written: Callable[[str, Path], str]) -> None:
    """Replace a document of the checkout by what is written of its text and the checkout.

    Raises
    ------
    SystemExit
        Where there is no checkout (`root` is None), with a sentence.
    """
    if root is None:
        raise SystemExit(f"{name} lies in a source checkout, and there is none here.")
    document = root / name
    document.write_text(written(document.read_text(encoding="utf-8"), root), encoding="utf-8")

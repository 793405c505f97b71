"""Text from strangers, made safe to print: what a terminal or a Markdown reader would obey is shown instead."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Control characters and colours, marks of writing direction and other invisible ones, lone surrogates, line ends.
OBEYED: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Tags, entities, runs, links and code of Markdown. Within words * and _ stand in our own names.
MARKS: Final = re.compile(r"[&<>|\[\]`\\]")


def printable(text: str) -> str:
    r"""Return a text of one line with what a terminal would obey written out: \x1b, \u202e."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(sign) if unicodedata.category(sign) in OBEYED else sign for sign in text)


def _shown(sign: str) -> str:
    number = ord(sign)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"


def markdown(text: str) -> str:
    """Return a printable text as a cell of a Markdown table shows it: it holds no tag, link or other cell."""
    return MARKS.sub(lambda found: f"&#{ord(found[0])};", printable(text))


def readable_json(text: str) -> str:
    r"""Return JSON with what a terminal would obey escaped (``\u202e``), its own line ends aside; letters stay."""
    return re.sub(r"[^\x20-\x7e\n]", _escaped, text)


def _escaped(found: re.Match[str]) -> str:
    sign = found[0]
    if unicodedata.category(sign) not in OBEYED:
        return sign
    units = sign.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))

"""Documents of which a part is generated."""

from __future__ import annotations

END = "<!-- end -->"


def generated(text: str, module: str, part: str) -> str:
    """Return a document with what a module writes into it between the module's marks.

    Parameters
    ----------
    text : str
        With a line ``<!-- begin: python -m MODULE -->`` and, after it, a line ``<!-- end -->``.
    module : str
    part : str
        Markdown.

    Raises
    ------
    ValueError
        When the marks aren't there.
    """
    begin = f"<!-- begin: python -m {module} -->"
    before, _, rest = text.partition(begin)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"the document has no lines {begin!r} and {END!r}")
    return f"{before}{begin}\n\n{part}\n\n{END}{after}"

"""Verbs that have another name now. They answer with it for one release: remove this module after 0.3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

MOVED: Final[dict[str, tuple[str, ...]]] = {
    "fit": ("compress",),
    "status": ("results", "status"),
    "regress": ("results", "diff"),
    "rescore": ("results", "rescore"),
    "rerun": ("results", "reproduce"),
    "retry": ("run", "--retry-failed"),
    "cache": ("doctor", "cache"),
    "measure": ("time", "kernels"),
}


def present(words: Sequence[str]) -> list[str]:
    """Return a command's words as they are spelt now; if that is another spelling, say so on stderr."""
    old, *rest = words
    new: tuple[str, ...]
    if old == "check" and (at := _results(rest)) is not None:
        new, rest = ("results", "check"), rest[:at] + rest[at + 1 :]
        old = "check results"
    elif old in MOVED:
        new = MOVED[old]
        if old == "retry":  # Its --failed is what --retry-failed says.
            rest = [word for word in rest if word != "--failed"]
    else:
        return list(words)
    click.echo(f"`recpress {old}` is now `recpress {' '.join(new)}`.", err=True)
    return [*new, *rest]


def _results(words: Sequence[str]) -> int | None:
    """Return where `results` stands among the words of `check` as what is to be checked."""
    places = (at for at, word in enumerate(words) if word == "results" and not (at and words[at - 1].startswith("-")))
    return next(places, None)

"""Errors that the user can fix, each in one sentence with the fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class UserError(Exception):
    """Something the user can mend. The CLI prints the message alone and exits with 2."""


def unwritable(error: OSError, place: Path) -> UserError:
    """Return what a user is told where a file can't be written; the place, where the system names no file."""
    return UserError(f"{error.filename or place} can't be written: {error.strerror}.")


def unknown(kind: str, name: str, known: Iterable[str], hint: str = "") -> UserError:
    """Make the error for a name that is not registered, with the nearest name that is.

    Parameters
    ----------
    kind : str
        What was looked for, in the singular ("dataset", "method", …).
    name : str
        What the user wrote.
    known : iterable of str
        The names that would have been accepted.
    hint : str
        What to do when nothing is near, e.g. "`recpress list datasets` shows them".
    """
    names = sorted(known)
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    if near:
        return UserError(f"There is no {kind} {name!r}: did you mean {near[0]!r}?")
    listed = hint or f"known: {', '.join(names)}"
    return UserError(f"There is no {kind} {name!r}; {listed}.")

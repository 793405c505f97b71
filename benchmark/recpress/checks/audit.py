"""Audits: tiny named checks that an artefact is what it says and answers as it was scored.

Each check is a function from a `Subject` to a sentence that says what is wrong, or None. What a check is blind to
stands in its docstring.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from recpress.checks._audit_answers import keeps_no_answers, moves, reads_only_itself, stays_alone, times_as_scored
from recpress.checks._audit_bytes import bits_as_claimed, breakdown_adds_up, nothing_unclaimed, same_bytes
from recpress.checks._subject import Ask, Items, Skipped, Subject

__all__ = ["CHECKS", "Ask", "Items", "Outcome", "Subject", "audit"]

CHECKS: Mapping[str, Callable[[Subject], str | None]] = {
    "nothing-unclaimed": nothing_unclaimed,
    "breakdown-adds-up": breakdown_adds_up,
    "bits-as-claimed": bits_as_claimed,
    "same-bytes": same_bytes,
    "moves": moves,
    "reads-only-itself": reads_only_itself,
    "stays-alone": stays_alone,
    "times-as-scored": times_as_scored,
    "keeps-no-answers": keeps_no_answers,
}


@dataclass(frozen=True)
class Outcome:
    """Outcome of one check."""

    check: str
    state: Literal["passed", "failed", "skipped"]
    message: str = ""


def audit(subject: Subject) -> list[Outcome]:
    """Run every check of `CHECKS` on an artefact, in that order.

    Do it in a process that has not served this method before: what such a process still holds, a check can't see.
    """
    return [_outcome(name, check, subject) for name, check in CHECKS.items()]


def _outcome(name: str, check: Callable[[Subject], str | None], subject: Subject) -> Outcome:
    try:
        message = check(subject)
    except Skipped as reason:
        return Outcome(name, "skipped", str(reason))
    except Exception as error:  # However a subject fails, that is a finding and not a crash of the audit.
        return Outcome(name, "failed", f"{type(error).__name__}: {error}")
    return Outcome(name, "failed", message) if message else Outcome(name, "passed")

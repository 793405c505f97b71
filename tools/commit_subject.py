#!/usr/bin/env python3
"""Check commit subjects: at most 72 characters, with the room in front, as in ``codecs: rows of zeros are stored``.

``tools/commit_subject.py FILE`` checks a message, as git's hook ``commit-msg`` does; ``tools/commit_subject.py --since
REVISION`` checks every commit after it but merges.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

LONGEST = 72
SUBJECT = re.compile(r"[a-z][a-z0-9_./-]*: \S.*")


def problem(subject: str) -> str | None:
    """Return what is wrong with a subject; None where nothing is."""
    if subject.startswith(("Merge ", "Revert ", "fixup! ", "squash! ")):
        return None
    if len(subject) > LONGEST:
        return f"has {len(subject)} characters, at most {LONGEST} are shown everywhere"
    if not SUBJECT.fullmatch(subject):
        return "names no room in front: write it as `codecs: rows of zeros are stored`"
    return "ends with a full stop" if subject.endswith(".") else None


def main(arguments: list[str]) -> int:
    """Print what is wrong with each subject; return 1 where something is."""
    match arguments:
        case ["--since", revision]:
            told = subprocess.run(
                ["git", "log", "--no-merges", "--format=%s", f"{revision}..HEAD"],
                check=True,
                capture_output=True,
                text=True,
            )
            subjects = told.stdout.splitlines()
        case [file]:
            subjects = Path(file).read_text(encoding="utf-8").splitlines()[:1]
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    wrong = [(subject, found) for subject in subjects if (found := problem(subject))]
    for subject, found in wrong:
        print(f"{subject!r} {found}.", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

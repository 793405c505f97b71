"""The check of commit subjects."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "commit_subject.py"


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        ("codecs: rows of zeros are stored", ""),
        ("a" * 10 + ": " + "b" * 60, ""),
        ("a" * 10 + ": " + "b" * 61, "has 73 characters"),
        ("rows of zeros are stored", "names no room"),
        ("Codecs: rows of zeros are stored", "names no room"),
        ("codecs: rows of zeros are stored.", "full stop"),
        ("Merge branch 'rooms'", ""),
    ],
)
def test_a_subject(subject: str, reason: str, tmp_path: Path) -> None:
    message = tmp_path / "message"
    message.write_text(f"{subject}\n\nA body that says why.\n", encoding="utf-8")
    told = subprocess.run([sys.executable, SCRIPT, message], capture_output=True, text=True, check=False)
    assert told.returncode == bool(reason)
    assert reason in told.stderr


def test_commits_since_a_revision() -> None:
    told = subprocess.run([sys.executable, SCRIPT, "--since", "HEAD"], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")

"""Whatever has a version gives the results that it gave when that version was declared."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_results_are_those_of_the_declared_versions() -> None:
    words = [sys.executable, str(ROOT / "tools" / "versions.py"), "check"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout or done.stderr

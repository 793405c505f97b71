"""What these tests share lies beside them, and beside the tests of runs; and how many attacks were skipped."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "run"))
from checkouts import Checkout, copied

ATTACKERS = Path(__file__).parent / "attackers"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A copy of the checkout with the attacker in it, and a method that it may attack."""
    made = copied(tmp_path_factory.mktemp("attacked"), ATTACKERS)
    yield made
    # What attackers leave may be locked, or too deep for Python.
    subprocess.run(["chattr", "-R", "-i", str(made.root)], check=False, capture_output=True)
    subprocess.run(["rm", "-rf", str(made.root)], check=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many attacks nobody tried: where the kernel can't hold them, that none came through means nothing."""
    skipped = [each for each in terminalreporter.stats.get("skipped", []) if "they need 6" in str(each.longrepr)]
    if skipped:
        reason = skipped[0].longrepr[2].removeprefix("Skipped: ")
        terminalreporter.write_line(f"{len(skipped)} tests of attacks were skipped: {reason}", yellow=True)

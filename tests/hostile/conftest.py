"""What these tests share lies beside them, and beside the tests of runs; and how many attacks were skipped."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "run"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many attacks nobody tried: where the kernel can't hold them, a pass means nothing."""
    skipped = [each for each in terminalreporter.stats.get("skipped", []) if "test_attacks.py" in each.nodeid]
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} attacks were skipped: {skipped[0].longrepr[2]}", yellow=True)

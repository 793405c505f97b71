"""A copy of the checkout with a method in it that does what methods must not, and the command line of that copy."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from checkouts import Checkout, copied  # It lies beside this file, and tests elsewhere use it too.

FAULTY = Path(__file__).parent / "faulty"
TINY = ("--dataset", "synthetic-tiny", "--backbone", "mf")


@pytest.fixture(scope="session")
def make_checkout(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Checkout]:
    return lambda: copied(tmp_path_factory.mktemp("checkout"), FAULTY)


@pytest.fixture(scope="session")
def checkout(make_checkout: Callable[[], Checkout]) -> Checkout:
    """One copy for all tests that don't change it; its backbone is trained once."""
    return make_checkout()

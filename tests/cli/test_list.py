"""`recpress list`: every registered name, with what it is."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from recpress import registry
from recpress.backbones.catalogue import backbones
from recpress.cli import cli

REGISTERED = {
    "datasets": registry.dataset_folders,
    "backbones": lambda: backbones(),
    "methods": registry.methods,
    "suites": registry.suites,
}


def listed(*words: str) -> str:
    done = CliRunner().invoke(cli, ["list", *words], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


@pytest.mark.parametrize("kind", REGISTERED)
def test_everything_registered_is_listed_and_described(kind: str) -> None:
    rows = json.loads(listed(kind, "--format", "json"))
    assert [row["name"] for row in rows] == list(REGISTERED[kind]())
    assert all(text for row in rows for text in row.values())
    assert json.loads(listed("--format", "json"))[kind] == rows
    table = listed(kind).splitlines()
    assert {row["name"] for row in rows} <= {line.split()[0] for line in table if line[:1].strip()}
    (names,) = [line for line in listed().splitlines() if line.startswith(f"{kind}: ")]
    assert names == f"{kind}: {', '.join(REGISTERED[kind]())}"

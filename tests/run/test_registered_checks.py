"""No check raises a false alarm on what is registered."""

from __future__ import annotations

import json

import pytest

from recpress import registry

A_METHOD = 120.0

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("family", sorted({entry.family for entry in registry.methods().values()}))
def test_registered_methods_pass_every_check(checkout, family: str) -> None:
    names = [entry.name for entry in registry.methods().values() if entry.family == family]
    words = ("check", "--no-smoke", *names, "--backbone", "lightgcn", "--format", "json")
    process = checkout.start(*words)
    said, _ = process.communicate(timeout=A_METHOD * len(names))
    outcomes = json.loads(said[said.index("[\n") :])
    assert not [each for each in outcomes if each["state"] == "failed"]
    assert process.returncode == 0
    assert {each["name"] for each in outcomes} == set(names)


@pytest.mark.parametrize("name", ["synthetic-tiny", "synthetic-1m"])
def test_registered_data_sets_pass_every_check(checkout, name: str) -> None:
    checkout.recpress("check", name)

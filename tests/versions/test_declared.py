"""All that results rest on declares a version, and nothing else does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from recpress import registry, versions
from recpress.backbones.catalogue import backbone, backbones
from recpress.backbones.config import TrainingConfig
from recpress.codecs import KINDS, NETWORKS
from recpress.core.cards import MethodCard
from recpress.core.errors import UserError
from recpress.data.card import SplitSpec
from recpress.evaluation import METRICS
from recpress.versions import Declared

DEFAULTS = Path(__file__).parents[1] / "golden" / "training-config.json"
REGISTERED = {
    "codec": set(KINDS),
    "network": set(NETWORKS),
    # Edges beside the interactions, which no split's hash knows.
    "graph": {"links"},
    "split": set(get_args(SplitSpec.model_fields["protocol"].annotation)),
    # And what a record says beside them.
    "metric": {*METRICS, "coverage", "deciles", "paired"},
    "ranking": {"topk"},
}


@pytest.mark.parametrize("room", versions.ROOMS)
def test_all_that_is_registered_is_declared_and_nothing_else(room: versions.Room) -> None:
    declared = set(versions.versions(room))
    assert declared <= REGISTERED[room]
    if room != "metric":  # A metric that never changed has version 1.
        assert declared == REGISTERED[room]


def test_codecs_and_networks_share_no_name() -> None:
    assert not set(KINDS) & set(NETWORKS)
    assert set(versions.of_kinds(None)) == {*KINDS, *NETWORKS}


@pytest.mark.parametrize("name", registry.methods())
def test_methods_of_this_project_declare_a_version_and_their_codecs(name: str) -> None:
    card = registry.method(name).card
    assert card.version
    assert card.codecs
    assert set(versions.of_kinds(card.codecs)) == set(card.codecs)
    assert list(card.codecs) == sorted(set(card.codecs))


@pytest.mark.parametrize("name", backbones())
def test_backbones_declare_a_version_and_search_fields_of_a_training_config(name: str) -> None:
    card = backbone(name).card
    assert card.version >= 1
    assert {each.name for each in card.space} <= TrainingConfig.model_fields.keys()


@pytest.mark.parametrize(
    ("version", "history"), [(1, ["1: first"]), (2, []), (3, ["2: rounds up"]), (0, []), (None, ["2: rounds up"])]
)
def test_each_version_after_the_first_has_its_line(version: int | None, history: list[str]) -> None:
    with pytest.raises(ValidationError, match=r"history has one line|greater than or equal to 1|valid integer"):
        Declared.model_validate({"version": version, "history": history})
    assert Declared(version=2, history=("2: rounds up",)).version == 2


def test_a_method_from_elsewhere_need_not_declare_any() -> None:
    card = registry.method("uniform").card.model_dump(exclude={"version", "codecs", "history"})
    assert MethodCard.model_validate(card).version is None


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'uniform'"):
        versions.of_kinds(["unifrom"])
    with pytest.raises(UserError, match="did you mean 'lightgcn'"):
        backbone("lightgnc")


def test_defaults_of_configs_are_those_that_keys_leave_out() -> None:
    """A key holds the fields that aren't as by default: with another default it would mean another training config."""
    recorded = json.loads(DEFAULTS.read_text(encoding="utf-8"))
    found = TrainingConfig().model_dump(mode="json")
    changed = {name for name in recorded if name not in found or found[name] != recorded[name]}
    assert not changed, (
        f"the default of {', '.join(sorted(changed))} isn't the one of tests/golden/training-config.json: write the "
        "old value into the configs that relied on it, or bump the backbones (tools/versions.py bump backbone …), "
        "and then put the new one into that file"
    )
    new = found.keys() - recorded.keys()
    assert not new, f"put the default of {', '.join(sorted(new))} into tests/golden/training-config.json"

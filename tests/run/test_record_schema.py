"""The record's shape: the JSON schema is the model's own, and older records keep loading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from recpress.core.errors import UserError
from recpress.records import record
from recpress.records.upgrade import upgraded

HISTORIC = sorted((Path(__file__).parent / "historic").glob("*/*.json"))


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json.loads(record.SCHEMA_FILE.read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_schema_file_is_that_of_the_model() -> None:
    assert record.SCHEMA_FILE.read_text() == record.schema_text(), "run `python -m recpress.records.schema`"


@pytest.mark.parametrize("path", HISTORIC, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_historic_records_load_validate_and_come_back_unchanged(path: Path, validator: Draft202012Validator) -> None:
    raw = json.loads(path.read_text())
    validator.validate(upgraded(raw, record.SCHEMA_VERSION))
    loaded = record.read(path)
    written = json.loads(record.text(loaded))
    validator.validate(written)
    # What was said then is said now; only fields that came later are added.
    assert _holds(written, upgraded(raw, record.SCHEMA_VERSION))


def test_there_are_historic_records_of_every_fate() -> None:
    assert {record.read(path).status for path in HISTORIC} == set(get_args(record.Status))


def _holds(now: Any, then: Any) -> bool:
    if isinstance(then, dict):
        return then.keys() <= now.keys() and all(_holds(now[key], value) for key, value in then.items())
    if isinstance(then, list):
        return len(now) == len(then) and all(_holds(a, b) for a, b in zip(now, then, strict=True))
    return bool(now == then)


@pytest.mark.parametrize("change", [{"surprise": 1}, {"status": "fine"}, {"schema_version": 3}, {"identity": None}])
def test_schema_and_model_refuse_the_same(change: dict[str, Any], validator: Draft202012Validator, tmp_path) -> None:
    raw = json.loads(HISTORIC[0].read_text()) | change
    assert not validator.is_valid(raw)
    (tmp_path / "bad.json").write_text(json.dumps(raw))
    with pytest.raises(UserError, match=r"bad\.json"):
        record.read(tmp_path / "bad.json")


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"schema_version": "1e9"}', "[" * 100_000])
def test_what_is_no_record_is_named_in_one_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(UserError, match=r"bad\.json is not a record") as caught:
        record.read(tmp_path / "bad.json")
    assert "\n" not in str(caught.value)


def test_upgraders_are_applied_one_version_at_a_time() -> None:
    steps = {
        1: lambda raw: {**raw, "seconds": raw["minutes"] * 60},
        2: lambda raw: {name: value for name, value in raw.items() if name != "minutes"},
    }
    old = {"schema_version": 1, "minutes": 2}
    assert upgraded(old, 3, steps) == {"schema_version": 3, "seconds": 120}
    assert old == {"schema_version": 1, "minutes": 2}
    with pytest.raises(UserError, match="newer"):
        upgraded({"schema_version": 4}, 3, steps)
    with pytest.raises(UserError, match="no upgrader"):
        upgraded({"schema_version": 0}, 3, steps)

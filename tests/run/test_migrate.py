"""Records of version 2, rewritten: nothing is lost, what they said of their machine is a timing, and they are done."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from recpress.cli.results.migrate import command
from recpress.codecs import Uniform
from recpress.codecs.artefact import Artefact, folder_breakdown
from recpress.codecs.signature import serving
from recpress.core.hashing import sha256_file, sha256_folder
from recpress.experiments.plan import make, unfinished
from recpress.leaderboard.collect import collect
from recpress.leaderboard.tables import frame
from recpress.records import record, timing
from recpress.records.samples import repack
from recpress.reproduce import report
from recpress.reproduce.migrate import migrate
from recpress.reproduce.result_store import specs_of

HISTORIC = Path(__file__).parent / "historic" / "v2-board"


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Migrating renames what the cache keeps of a run: not in that of whoever runs the tests."""
    monkeypatch.setenv("RECPRESS_CACHE", str(tmp_path_factory.mktemp("cache")))


def lay(results: Path, name: str = "ok", **update: Any) -> Path:
    """Put a historic record where it belongs, changed in parts that are named as ``identity__code``."""
    raw = json.loads((HISTORIC / f"{name}.json").read_text())
    for key, value in update.items():
        part, _, field = key.partition("__")
        raw[part][field] = value
    who = raw["identity"]
    path = results / record.path_of(who["dataset"], who["backbone"], who["method"], who["setting"], who["seed"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(raw))
    return path


def test_figures_counts_and_order_stay_and_times_become_a_timing(tmp_path: Path) -> None:
    paths = [lay(tmp_path), lay(tmp_path, "over-budget")]
    old = json.loads(paths[0].read_text())
    before = frame(collect(tmp_path).runs)
    told = migrate(tmp_path)
    assert told.before == told.after == {"ok": 1, "over-budget": 1}
    assert (told.timings, told.old) == (1, [])
    assert frame(collect(tmp_path).runs).equals(before)
    made = timing.read(tmp_path / timing.place(old["provenance"]["machine"], "ml-100k/lightgcn/uniform/1-8.seed0"))
    assert made.signature == record.read(paths[0]).signature
    for then, now in zip(old["latency"], made.latency, strict=True):
        assert {**then, "stages_ms": then.get("stages_ms", {})}.items() <= now.model_dump(mode="json").items()
    assert (made.resident, made.peak_resident) == (old["bytes"]["resident"], old["bytes"]["peak_resident"])
    new = json.loads(paths[0].read_text())
    for part in ("status", "reason"):
        assert new[part] == old[part]
    # What came later isn't known of it.
    assert new["quality"] == old["quality"] | {"doubtful": None}
    assert new["provenance"]["code"] == old["identity"]["code"]
    # Once more changes nothing.
    text = paths[0].read_text()
    assert migrate(tmp_path).timings == 0
    assert paths[0].read_text() == text


def test_what_was_done_is_done_afterwards(tmp_path: Path) -> None:
    path = lay(tmp_path)
    planned = make(specs_of([record.read(path)]))
    untimed = [replace(each, spec=each.spec.model_copy(update={"timing_seconds": 0.0})) for each in planned]
    assert unfinished(untimed, tmp_path) == untimed
    migrate(tmp_path)
    assert unfinished(untimed, tmp_path) == []


def test_a_record_of_other_code_stays_and_is_old(tmp_path: Path) -> None:
    path = lay(tmp_path, identity__code="0" * 64)
    before = json.loads(path.read_text())
    told = migrate(tmp_path)
    assert told.old == ["ml-100k/lightgcn/uniform/1-8.seed0"]
    assert record.read(path).identity.key == before["identity"]["cell"]
    assert told.timings == 1


def test_an_artefact_at_hand_joins_the_run_with_what_is_stored_alike(tmp_path: Path) -> None:
    tables = [torch.randn(n, 64, generator=torch.Generator().manual_seed(n)) for n in (943, 1682)]
    artefact = Artefact(*(Uniform.encode(each, 4) for each in tables))
    made = json.loads((HISTORIC / "ok.json").read_text())["identity"]["made"]
    artefact.save(tmp_path / "artefacts" / made)
    folder = tmp_path / "artefacts" / made
    breakdown = dict(folder_breakdown(folder))
    path = lay(tmp_path, bytes__ledger=breakdown, bytes__sha256=sha256_folder(folder))
    assert not migrate(tmp_path, tmp_path / "artefacts").unsigned
    assert record.read(path).signature == serving(artefact, "0" * 64, 64).signature
    # As well where it is found later, by today's name of the run; its timing follows.
    path = lay(tmp_path, bytes__ledger=breakdown, bytes__sha256=sha256_folder(folder))
    assert migrate(tmp_path).unsigned
    folder.rename(tmp_path / "artefacts" / str(record.read(path).identity.artefact_key))
    assert not migrate(tmp_path, tmp_path / "artefacts").unsigned
    signature = serving(artefact, "0" * 64, 64).signature
    assert record.read(path).signature == signature
    assert [each.signature for each in collect(tmp_path).timings["ceff7a04b61c"].all] == [signature]
    # One of other bytes says nothing of the run.
    path = lay(tmp_path, bytes__ledger={"values": 1}, bytes__sha256="0" * 64)
    assert migrate(tmp_path, tmp_path / "artefacts").unsigned
    assert record.read(path).serving is None


def test_attestations_still_speak_of_their_record(tmp_path: Path) -> None:
    path = lay(tmp_path)
    of = record.read(path)
    made = report.write_report(tmp_path, "rerun", of, of, "recpress rerun")
    assert made.sha256 == sha256_file(path)
    migrate(tmp_path)
    place = tmp_path / report.place(made.record, made.event, made.machine)
    assert report.read(tmp_path, place).sha256 == sha256_file(path) != made.sha256


def test_a_record_of_version_1_is_migrated_too(tmp_path: Path) -> None:
    first = HISTORIC.parent / "v1-first" / "ok.json"
    raw = json.loads(first.read_text())
    who = raw["identity"]
    path = tmp_path / record.path_of(who["dataset"], who["backbone"], who["method"], who["setting"], who["seed"])
    path.parent.mkdir(parents=True)
    shutil.copy(first, path)
    told = migrate(tmp_path)
    assert (told.timings, len(told.old)) == (1, 1)
    (made,) = collect(tmp_path).timings[raw["provenance"]["machine"]].all
    assert made.latency[0].samples == repack(raw["latency"][0]["samples"], raw["latency"][0]["queries"])


def test_the_verb_prints_both_counts_and_refuses_what_is_no_folder(tmp_path: Path) -> None:
    lay(tmp_path)
    said = CliRunner().invoke(command, ["--results", str(tmp_path)]).output
    assert "before: 1 records (1 ok)" in said
    assert "after: 1 records (1 ok)" in said
    with pytest.raises(Exception, match="There are no records"):
        CliRunner().invoke(command, ["--results", str(tmp_path / "x")], catch_exceptions=False)

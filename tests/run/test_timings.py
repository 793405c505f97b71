"""Timing records: made once a signature, found by the runs that share it, written by `time` and by `run --time`."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from recpress.core.errors import UserError
from recpress.experiments.timer import repeated
from recpress.leaderboard.collect import collect
from recpress.measure.repeats import between_runs
from recpress.records import record, timing
from recpress.records.record import Record
from recpress.records.timing import Timing, Timings
from recpress.records.upgrade import embedded_timing, upgraded

OK = Path(__file__).parent / "historic" / "v2-board" / "ok.json"
CELLS = ("--dataset", "synthetic-tiny", "--backbone", "mf", "--method", "uniform", "--budget", "1/4")


def historic() -> tuple[Record, Timing]:
    raw = json.loads(OK.read_text())
    made = Record.model_validate(upgraded(raw, record.SCHEMA_VERSION))
    named = {"signature": made.signature, "run": timing.run_id(made.identity)}
    return made, Timing.model_validate(embedded_timing(raw) | named)


def changed(of: Timing, *, started: str = "", noisy: bool = False, **update: object) -> Timing:
    made = of.provenance.model_copy(update={"started": started or of.provenance.started})
    latency = tuple(each.model_copy(update={"noisy": noisy}) for each in of.latency)
    return of.model_copy(update={"provenance": made, "latency": latency, **update})


def test_a_run_finds_its_own_timing_then_the_quietest_then_the_newest() -> None:
    made, own = historic()
    early, late = (changed(own, run=f"other{day}", started=f"2026-11-0{day}") for day in (1, 2))
    loud = changed(own, run="loud", started="2026-11-03", noisy=True)
    assert Timings([early, late, loud, changed(own, noisy=True)]).of(made) == changed(own, noisy=True)
    assert Timings([early, late, loud]).of(made) == late
    assert Timings([loud]).of(made) == loud
    assert Timings([early.model_copy(update={"signature": "0" * 64})]).of(made) is None


def test_the_refresh_of_another_backbone_is_not_the_runs() -> None:
    made, own = historic()
    refresh = own.latency[0].model_copy(update={"scenario": "refresh"})
    with_refresh = own.model_copy(update={"latency": (*own.latency, refresh)})
    assert Timings([with_refresh]).of(made) == with_refresh
    other = with_refresh.model_copy(update={"run": "other"})
    found = Timings([other]).of(made)
    assert found is not None
    assert found.latency == own.latency


def test_a_timing_comes_back_as_it_was_written_and_lies_where_it_says(tmp_path: Path) -> None:
    _, own = historic()
    path = timing.write(tmp_path, own)
    assert path == tmp_path / "timings" / own.machine / "ml-100k/lightgcn/uniform/1-8.seed0.json"
    assert timing.read(path) == own
    path.write_text(path.read_text()[:-9])
    with pytest.raises(UserError, match=r"1-8\.seed0\.json is not a timing") as caught:
        timing.read(path)
    assert "\n" not in str(caught.value)


def test_repetitions_meet_unless_they_lie_further_apart_than_two_runs_do() -> None:
    _, own = historic()

    def slower(by: float) -> Timing:
        scaled = {name: getattr(own.latency[0], name) * by for name in ("ratio", "ratio_low", "ratio_high")}
        return own.model_copy(
            update={
                "latency": (own.latency[0].model_copy(update=scaled),),
                "run": f"ml-100k/lightgcn/uniform/1-8.seed{by}",
            }
        )

    # Without repeats two runs lie 4 % apart: the widened intervals of equal ratios reach 1.96 × 4 % each way.
    (near,), (far,) = (repeated(own, slower(by), [own]).values() for by in (1.1, 1.3))
    assert (near.meet, far.meet) == (True, False)
    spread = between_runs([own, slower(1.05)])
    assert spread.of(own.machine, "single", "ml-100k") == pytest.approx(0.0345, abs=1e-3)  # ln 1.05 / √2


@pytest.fixture(scope="module")
def results(checkout) -> Path:
    folder = checkout.root / "timed"
    checkout.recpress("run", *CELLS, "--seed", "0", "--seed", "1", "--results", str(folder))
    return folder


def files(results: Path) -> list[Path]:
    return sorted((results / "timings").rglob("*.json"))


def test_run_times_nothing_unless_it_is_asked_to(checkout, results) -> None:
    assert not files(results)
    alone = checkout.root / "at-once"
    checkout.recpress("run", *CELLS, "--timing-seconds", "0.02", "--results", str(alone))
    (path,) = files(alone)
    assert timing.read(path).run == "synthetic-tiny/mf/uniform/1-4.seed0"
    assert "0 to run" in checkout.recpress("run", *CELLS, "--timing-seconds", "0.02", "--results", str(alone))


def test_time_times_a_signature_once_and_all_its_runs_show_it(checkout, results) -> None:
    words = ("time", "--results", str(results), "--timing-seconds", "0.05")
    assert "1 signatures to time, of 2 runs" in checkout.recpress(*words, "--dry-run")
    assert not files(results)
    records = {path: path.read_bytes() for path in (results / "records").rglob("*.json")}
    assert "1 timed, 0 failed" in checkout.recpress(*words)
    (path,) = files(results)
    made = timing.read(path)
    assert [each.scenario for each in made.latency] == ["single", "batch", "offline"]
    assert made.kernel
    assert made.resident is not None
    assert made.peak_resident is not None
    assert {path: path.read_bytes() for path in (results / "records").rglob("*.json")} == records
    assert "0 signatures to time" in checkout.recpress(*words)
    runs = collect(results).runs
    assert [run.timing for run in runs] == [made, made]
    assert "1 signatures to time, of 2 runs" in checkout.recpress(*words, "--all", "--dry-run")
    path.write_text(path.read_text().replace('"noisy": false', '"noisy": true'))
    assert "1 signatures to time" in checkout.recpress(*words, "--noisy", "--dry-run")


def test_without_the_kept_artefact_it_is_made_again(checkout, results) -> None:
    shutil.rmtree(checkout.cache / "artefacts")
    folder = checkout.root / "again"
    shutil.copytree(results / "records", folder / "records")
    assert "1 timed, 0 failed" in checkout.recpress("time", "--results", str(folder), "--timing-seconds", "0.05")
    (path,) = files(folder)
    (of,) = (each for each in (folder / "records").rglob("*.json") if path.stem == each.stem)
    assert timing.read(path).artefact == record.read(of).bytes.sha256


def test_a_stopped_timing_leaves_whole_records_and_goes_on(checkout, results) -> None:
    folder = checkout.root / "stopped"
    shutil.copytree(results / "records", folder / "records")
    (checkout.root / "bits.toml").write_text(
        'title = "Bits"\ndatasets = ["synthetic-tiny"]\nbackbones = ["mf"]\n'
        '[[methods]]\nname = "uniform"\nparams = [{ bits = 2 }, { bits = 3 }, { bits = 5 }]\n'
    )
    assert "3 ok" in checkout.recpress("run", "--suite", "bits.toml", "--results", str(folder))
    words = ("time", "--results", str(folder), "--timing-seconds", "0.5")
    process = checkout.start(*words)
    deadline = time.monotonic() + 120
    while not files(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(2)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    done = [timing.read(path) for path in files(folder)]
    assert 1 <= len(done) < 4
    assert f"{4 - len(done)} timed, 0 failed" in checkout.recpress(*words)


def test_mistakes_are_one_sentence(checkout, results) -> None:
    said = checkout.recpress("time", "--results", str(checkout.root / "nowhere"), code=2)
    assert "There are no records" in said
    assert "did you mean" in checkout.recpress("time", "--dataset", "synthetic-tin", "--results", str(results), code=2)
    assert "draw at most so many" in checkout.recpress("time", "--repeat", "99", "--results", str(results), code=2)
    assert "machine" in checkout.recpress("show", "--machine", "nobody", "--results", str(results), code=2)

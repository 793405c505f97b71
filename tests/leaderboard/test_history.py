"""The history page: what asv left, what changed in the records, and a feed that readers can take."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ElementTree
from datetime import datetime
from pathlib import Path

import pytest
import synthetic
from click.testing import CliRunner

from recpress.cli.site import command
from recpress.core.errors import UserError
from recpress.leaderboard.collect import collect
from recpress.leaderboard.perf import read
from recpress.leaderboard.site import build
from recpress.leaderboard.site.history import Earlier

ATOM = "{http://www.w3.org/2005/Atom}"
CELL = ("synthetic-small", "mf", "quantization", "uniform", "1/4")


def test_series_have_their_parameters_intervals_and_steps(tmp_path: Path) -> None:
    jitter = [0.0, 0.01, -0.01, 0.005, -0.004, 0.008, -0.006, 0.002]
    folder = synthetic.write_asv(
        tmp_path, [[1 + each, 2 + each] for each in jitter] + [[1.5 + each, 2 + each] for each in jitter]
    )
    one, batch = read(folder)
    assert (one.benchmark, one.params, one.machine, one.unit) == ("bench.Topk.time_rank", "batch=1", "vm", "seconds")
    assert [point.commit for point in one.points] == [f"{at:040x}" for at in range(16)]
    assert (one.points[0].low, one.points[0].high) == (0.9, 1.1)
    assert math.isnan(batch.points[0].low)
    assert [(level.first, level.last) for level in one.levels] == [(0, 7), (8, 15)]
    assert one.step == pytest.approx(0.5, abs=0.02)
    assert len(batch.levels) == 1
    assert math.isnan(batch.step)


def test_what_failed_or_was_another_benchmark_is_left_out(tmp_path: Path) -> None:
    folder = synthetic.write_asv(tmp_path, [[1, 2], [None, 2], [3, 4], [5, 6]], ["old", "new", "new", "new"])
    one, batch = read(folder)
    assert [point.value for point in one.points] == [3, 5]
    assert [point.value for point in batch.points] == [2, 4, 6]
    assert read(tmp_path / "none") == []


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"date": "soon", "results": {}}'])
def test_what_asv_did_not_write_is_named(tmp_path: Path, text: str) -> None:
    folder = synthetic.write_asv(tmp_path, [[1, 2]])
    (folder / "results" / "vm" / "stray.json").write_text(text)
    with pytest.raises(UserError, match=r"stray\.json is not a result of asv"):
        read(folder)


@pytest.fixture
def worse(tmp_path: Path) -> tuple[Path, Earlier]:
    """Results in which one method lost 1 %, one variant is new and one is gone, and their earlier state."""
    before = [synthetic.make(*CELL, seed) for seed in range(3)]
    now = [synthetic.make(*CELL, seed) for seed in range(3)]
    for record in now:
        assert record.quality
        record.quality.metrics["ndcg@20"] *= 0.99
    gone, new = (synthetic.make(*CELL[:4], variant, 0) for variant in ("1/8", "1/16"))
    results = synthetic.write_folder(tmp_path / "results", [*now, new])
    return results, Earlier("v0 <b>", collect(synthetic.write_folder(tmp_path / "before", [*before, gone])))


def test_the_page_says_what_became_worse(worse: tuple[Path, Earlier], tmp_path: Path) -> None:
    results, earlier = worse
    text = build(results, tmp_path / "site", earlier=earlier).index.with_name("history.html").read_text("utf-8")
    assert "Since <code>v0 &lt;b&gt;</code>, 6 figures" in text
    assert "1 worse, 0 better, 5 same" in text
    assert "1 variants are new" in text
    assert "1 are gone" in text
    assert "-1.00 %" in text
    assert f"latency on a made-up CPU with avx512_vnni, 2 threads, {synthetic.MACHINE}," in text


def test_without_an_earlier_state_or_benchmarks_it_says_so(worse: tuple[Path, Earlier], tmp_path: Path) -> None:
    text = build(worse[0], tmp_path / "site").index.with_name("history.html").read_text("utf-8")
    assert "This site was built without an earlier state of these results" in text
    assert "This site was built without benchmarks of the code" in text
    assert not (tmp_path / "site" / "data" / "speeds.js").exists()


def test_benchmarks_are_a_table_and_data(worse: tuple[Path, Earlier], tmp_path: Path) -> None:
    folder = synthetic.write_asv(
        tmp_path / "asv", [[1 + at % 2 / 100, 2] for at in range(8)] + [[1.5 + at % 2 / 100, 2] for at in range(8)]
    )
    site = build(worse[0], tmp_path / "site", speeds=read(folder)).index.parent
    text = (site / "history.html").read_text("utf-8")
    assert "bench.Topk.time_rank (batch=1)" in text
    assert "+49" in text or "+50" in text
    assert '<span class="badge">worse</span>' in text
    call = (site / "data" / "speeds.js").read_text("utf-8")
    (first, _) = json.loads(call.removeprefix("RecPress.receivePerf(").rstrip().removesuffix(");"))
    assert (first["unit"], first["points"][-1]["y"]) == ("ms", 1510)


@pytest.mark.parametrize("started", ["2026-10-02T12:00:00+00:00", "2026-10-02", "<script>", ""])
def test_the_feed_has_what_the_standard_asks_for(tmp_path: Path, worse: tuple[Path, Earlier], started: str) -> None:
    results, earlier = worse
    path = next(results.rglob("1-4.seed0.json"))
    raw = json.loads(path.read_text())
    raw["provenance"] |= {"started": started, "commit": "a b<&>\u2028"}
    path.write_text(json.dumps(raw))
    build(results, tmp_path / "site", earlier=earlier)
    feed = ElementTree.parse(tmp_path / "site" / "feed.xml").getroot()
    entries = feed.findall(f"{ATOM}entry")
    assert any("1 figures worse" in entry.findtext(f"{ATOM}title", "") for entry in entries)
    assert len(entries) >= 2
    for each in (feed, *entries):
        # RFC 4287: each has one id, an IRI, one title and one date, of RFC 3339.
        (identity,), (_,), (updated,) = (each.findall(f"{ATOM}{name}") for name in ("id", "title", "updated"))
        assert identity.text
        assert identity.text.startswith("urn:recpress:")
        assert not set(identity.text) & set(' <>"{}|\\^`\u2028')
        assert datetime.fromisoformat(updated.text or "").tzinfo is not None
        assert "T" in (updated.text or "")
    ids = [each.findtext(f"{ATOM}id") for each in entries]
    assert len(ids) == len(set(ids))
    assert feed.find(f"{ATOM}author/{ATOM}name") is not None
    assert all((tmp_path / "site" / link.get("href", "?")).is_file() for link in feed.iter(f"{ATOM}link"))


def test_the_verb_compares_with_what_it_is_told(worse: tuple[Path, Earlier], tmp_path: Path) -> None:
    results, _ = worse
    words = ["--results", str(results), "--out", str(tmp_path / "out"), "--base", str(tmp_path / "before")]
    assert (
        CliRunner().invoke(command, [*words, "--perf", str(synthetic.write_asv(tmp_path / "asv", [[1, 2]]))]).exit_code
        == 0
    )
    text = (tmp_path / "out" / "history.html").read_text("utf-8")
    assert "1 worse" in text
    assert "bench.Topk.time_rank" in text

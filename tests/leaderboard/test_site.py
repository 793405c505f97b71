"""The built site's files: what is in them, what is refused, what is escaped."""

import gzip
import json
import xml.etree.ElementTree as ElementTree
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import synthetic
from click.testing import CliRunner

from recpress.cli.site import command
from recpress.core.errors import UserError
from recpress.data.card import dataset_card
from recpress.leaderboard.collect import collect
from recpress.leaderboard.site import build, payload
from recpress.leaderboard.tiers import standings
from recpress.records.record import Energy, Metered, relative_path
from recpress.records.timing import place as place_of_timing

GOOD = synthetic.make("synthetic-small", "mf", "low_rank", "svd", "1/4", 0)
PLACE = relative_path(GOOD.identity)


def place(results: Path, raw: dict[str, Any] | str, at: Path = PLACE) -> None:
    path = results / at
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(raw if isinstance(raw, str) else json.dumps(raw), encoding="utf-8")


def changed(**fields: Any) -> dict[str, Any]:
    """Return a good record's JSON with fields replaced; `identity__method` is a field of a part."""
    raw: dict[str, Any] = GOOD.model_dump(mode="json")
    for name, value in fields.items():
        part, _, field = name.rpartition("__")
        (raw[part] if part else raw)[field] = value
    return raw


EMBEDDED = [each.model_dump(mode="json") for each in synthetic.time(GOOD).latency]
MISSING = {key: value for key, value in changed().items() if key != "provenance"}
HOSTILE = {
    "NaN": (json.dumps(changed()).replace(str(GOOD.model_dump()["provenance"]["seconds"]), "NaN"), "NaN"),
    "NaN in params": (json.dumps(changed(identity__params={"x": float("nan")})), "NaN"),
    "not JSON": ("{", "JSON"),
    "a list": ("[]", "not a JSON object"),
    "missing part": (MISSING, "provenance"),
    "next version": (changed(schema_version=5), "schema version is 5"),
    "huge": (changed(reason="x" * 5_000_000), "at most"),
    "name with a tag": (changed(identity__method="<script>alert(1)</script>"), "is not a name"),
    "name that climbs": (changed(identity__dataset="../../etc"), "is not a name"),
    "endless variant": (changed(identity__variant="b" * 4000), "its variant has 4000"),
    "somebody else's place": (changed(identity__seed=7), "belongs at"),
    "a count of 400 digits": (
        json.dumps(changed()).replace('"nominal_parameters": ', '"nominal_parameters": 1' + 400 * "0"),
        "too large a number",
    ),
    "a variant of 400 digits": (json.dumps(changed(identity__params={"x": 10**400})), "too large a number"),
    "more than a float holds": (
        json.dumps(changed(identity__params={"x": 1.5})).replace("1.5", "1e999"),
        "too large a number",
    ),
    "metrics of 1e308": (json.dumps(changed()).replace('"ndcg@20": ', '"ndcg@20": 1e308, "x": '), "less than or equal"),
    "an energy of 1e308": (changed(energy=[changed()["energy"][0] | {"high": 1e308}]), "less than or equal"),
    "deep": ("[" * 100_000, ""),
    "machine that climbs": (
        changed(schema_version=2, provenance__machine="../../etc", latency=EMBEDDED, identity__code="c" * 64),
        "is not a fingerprint",
    ),
}


@pytest.mark.parametrize(("raw", "said"), HOSTILE.values(), ids=HOSTILE)
def test_a_bad_record_is_refused_by_name_and_the_others_stay(tmp_path: Path, raw: Any, said: str) -> None:
    place(tmp_path, raw)
    other = synthetic.make("synthetic-small", "mf", "low_rank", "svd", "1/8", 0)
    place(tmp_path, other.model_dump(mode="json"), relative_path(other.identity))
    found = collect(tmp_path)
    assert [run.record.identity.variant for run in found.runs] == ["1/8"]
    assert [refusal.path for refusal in found.refused] == [PLACE.as_posix()]
    assert said in found.refused[0].reason
    assert len(found.refused[0].reason) <= 500


def test_what_a_machine_is_called_may_not_climb(tmp_path: Path) -> None:
    (timing,) = synthetic.timings([GOOD], "x")
    raw = timing.model_dump(mode="json")
    raw["provenance"]["machine"] = "../../etc"
    place(tmp_path, changed())
    place(tmp_path, raw, place_of_timing("x", timing.run))
    (refused,) = collect(tmp_path).refused
    assert "is not a fingerprint" in refused.reason


def read(script: Path) -> list[Any]:
    """Return what a script of the site hands to the page."""
    _, _, given = script.read_text(encoding="utf-8").partition("(")
    values: list[Any] = json.loads(f"[{given.removesuffix(f');{chr(10)}')}]")
    return values


@pytest.fixture
def two_machines(tmp_path: Path) -> Path:
    """A site of two machines: the first timed all, the other one seed of one variant."""
    made = [synthetic.make("synthetic-small", "mf", "quantization", "uniform", "1/4", seed) for seed in (0, 1)]
    made.append(GOOD)
    elsewhere = synthetic.timings(made[:1], synthetic.ELSEWHERE)
    results = synthetic.write_folder(tmp_path / "results", made, [*synthetic.timings(made), *elsewhere])
    return build(results, tmp_path / "site").index.parent


def test_each_machine_has_its_columns_and_the_board_has_none(two_machines: Path) -> None:
    (board,) = read(two_machines / "data" / "board.js")
    timed = {column["key"] for column in board["columns"] if column["timed"]}
    assert timed >= {"machine", "single_ms", "batch_ratio", "modelled_mj"}
    assert not timed & {*board["numbers"], *board["text"]}
    columns = {}
    for name in (synthetic.MACHINE, synthetic.ELSEWHERE):
        told, columns[name] = read(two_machines / "data" / "timings" / f"{name}.js")
        assert told == name
        assert set(columns[name]["text"]["machine"]["words"]) - {""} == {name}
        assert not {*columns[name]["numbers"], *columns[name]["text"]} & {*board["numbers"], *board["text"]}
        assert all(len(values) == board["rows"] for values in columns[name]["numbers"].values())
    here, there = (columns[name]["numbers"]["single_ms"] for name in (synthetic.MACHINE, synthetic.ELSEWHERE))
    assert None not in here
    assert [ms is None for ms in there] == [True, False]
    assert there[1] > 2 * here[1]


def test_a_run_s_data_has_each_timing_once(two_machines: Path) -> None:
    _, runs, timings = read(two_machines / "data" / "runs" / "synthetic-small" / "mf" / "uniform.js")
    here, there = synthetic.MACHINE, synthetic.ELSEWHERE
    own = [f"{here}/synthetic-small/mf/uniform/1-4.seed{seed}" for seed in (0, 1)]
    shared = f"{there}/synthetic-small/mf/uniform/1-4.seed0"
    assert [run["timings"] for run in runs] == [{here: each, there: shared} for each in own]
    assert set(timings) == {*own, shared}
    assert timings[shared]["run"] == "synthetic-small/mf/uniform/1-4.seed0"
    assert all(run["signature"] == timings[shared]["signature"] for run in runs)


def test_a_refresh_is_kept_for_its_own_run_and_repaid_energy_is_by_machine(tmp_path: Path) -> None:
    first, second = (synthetic.make("synthetic-small", "mf", "quantization", "uniform", "1/4", seed) for seed in (0, 1))

    def modelled(what: Metered, joules: float) -> Energy:
        return Energy(grade="modelled", what=what, joules=joules, low=joules, high=joules, table="made-up")

    second = second.model_copy(update={"energy": (*second.energy, modelled("compressing", 30.0))})
    (own,) = synthetic.timings([first])
    refresh = own.latency[0].model_copy(update={"scenario": "refresh"})
    update = {"energy": (modelled("per-query", 1.0),), "reference_energy": (modelled("per-query", 4.0),)}
    own = own.model_copy(update={"latency": (*own.latency, refresh), **update})
    found = collect(synthetic.write_folder(tmp_path, [first, second], [own]))
    shard = payload.shards(found, standings(found))["synthetic-small/mf/uniform"]
    (name,) = shard.timings
    assert [run["timings"] for run in shard.runs] == [{synthetic.MACHINE: name}] * 2
    assert [each["scenario"] for each in shard.timings[name]["latency"]] == ["single", "batch", "refresh"]
    assert [run["break_even"] for run in shard.runs] == [{}, {synthetic.MACHINE: (10.0, "modelled")}]


def test_a_machine_s_page_says_what_it_is_and_has_timed(two_machines: Path) -> None:
    page = (two_machines / "machine" / f"{synthetic.ELSEWHERE}.html").read_text(encoding="utf-8")
    assert f"a made-up CPU without avx512_vnni, 2 threads, {synthetic.ELSEWHERE}" in page
    assert "It has no AVX-512 VNNI" in page
    assert "<dd>2<small> of 3</small></dd>" in page
    assert "popcnt, avx2" in page
    assert "made up" in page.partition("Kernels it used")[2]
    table = page.partition("Times beside fp32")[2]
    assert table.count("<tr") == 2
    assert "Times on <a" not in page
    for other in ("index.html", "dataset/synthetic-small.html", "rules.html"):
        assert f"machine/{synthetic.ELSEWHERE}.html" in (two_machines / other).read_text(encoding="utf-8")


def test_tables_without_scripts_say_whose_times_they_have(two_machines: Path) -> None:
    for name in ("dataset/synthetic-small.html", "backbone/mf.html", "method/uniform.html"):
        text = (two_machines / name).read_text(encoding="utf-8")
        label = f"a made-up CPU with avx512_vnni, 2 threads, {synthetic.MACHINE}"
        assert f'Times on <a href="../machine/{synthetic.MACHINE}.html">{label}</a>. It has AVX-512 VNNI' in text
        assert "may be slower" in text


def test_a_board_without_timings_has_pages(tmp_path: Path) -> None:
    build(synthetic.write_folder(tmp_path / "results", [GOOD], []), tmp_path / "site")
    assert "No machine has timed these runs" in (tmp_path / "site" / "backbone" / "mf.html").read_text(encoding="utf-8")
    assert read(tmp_path / "site" / "data" / "machines.js")[1] is None
    assert not (tmp_path / "site" / "machine").exists()


def test_text_of_records_is_escaped_everywhere(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>'\"&\u2028"
    raw = changed(
        status="failed",
        reason=evil,
        quality=None,
        identity__variant=evil.replace("/", "-"),
        identity__params={evil: evil},
        provenance__command=evil,
        provenance__started=evil,
    )
    name = raw["identity"]["variant"]
    place(tmp_path / "results", raw, PLACE.with_name(f"{name}.seed0.json"))
    (timing,) = synthetic.timings([GOOD])
    place(
        tmp_path / "results",
        timing.model_copy(update={"kernel": evil}).model_dump(mode="json"),
        place_of_timing(timing.machine, timing.run),
    )
    about = {"cpu": evil, "flags": [evil], "caches": {evil: evil}, evil: evil}
    place(tmp_path / "results", about, Path("machines") / f"{synthetic.MACHINE}.json")
    built = build(tmp_path / "results", tmp_path / "site")
    assert (built.runs, built.refused) == (1, 0)
    for page in (tmp_path / "site").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "<script>alert" not in text
        assert "<img" not in text
    ElementTree.parse(tmp_path / "site" / "feed.xml")


def test_the_pages_name_what_was_left_out(tmp_path: Path) -> None:
    place(tmp_path / "results", changed())
    place(tmp_path / "results", "{", Path("records/<b>bad.json"))
    build(tmp_path / "results", tmp_path / "site")
    text = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "1 file left out" in text
    assert "records/&lt;b&gt;bad.json" in text


def test_published_figures_stand_beside_the_board_s_own(tmp_path: Path) -> None:
    fp32 = synthetic.make("synthetic-small", "lightgcn", "reference", "none", "default", 0)
    raw = changed(**{f"identity__{name}": value for name, value in fp32.identity.model_dump().items()})
    raw["identity"]["dataset"] = "gowalla"
    raw["quality"]["metrics"]["recall@20"] = 0.1830 * 0.99
    place(tmp_path / "results", raw, Path("records/gowalla/lightgcn/none/default.seed0.json"))
    build(tmp_path / "results", tmp_path / "site")
    page = (tmp_path / "site" / "dataset" / "gowalla.html").read_text(encoding="utf-8")
    _, _, section = page.partition('id="published"')
    assert "0.1830" in section
    assert "0.1812 (-1.0 %)" in section
    assert "gfcf" in section.partition("</table>")[0], "what has no run yet is shown with a dash"


def test_what_else_a_published_figure_measured_stands_below_it(tmp_path: Path) -> None:
    place(tmp_path / "results", changed(identity__dataset="yelp2018"), Path("records/yelp2018/mf/svd/1-4.seed0.json"))
    build(tmp_path / "results", tmp_path / "site")
    page = unescape((tmp_path / "site" / "dataset" / "yelp2018.html").read_text(encoding="utf-8"))
    (note,) = [each.note for each in dataset_card("yelp2018").published if each.note]
    assert note in page.partition('id="published"')[2].partition("</table>")[2].partition("</section>")[0]


def test_a_folder_that_is_no_site_is_left_alone(tmp_path: Path) -> None:
    place(tmp_path / "results", changed())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="isn't a site of ours"):
        build(tmp_path / "results", tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.tex").exists()
    build(tmp_path / "results", tmp_path / "site")
    assert build(tmp_path / "results", tmp_path / "site").rows == 1


def test_no_records_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="recpress demo"):
        build(tmp_path, tmp_path / "site")


def test_the_verb_says_where_the_site_is(tmp_path: Path) -> None:
    place(tmp_path / "results", changed())
    said = CliRunner().invoke(
        command, ["--results", str(tmp_path / "results"), "--out", str(tmp_path / "out")], catch_exceptions=False
    )
    assert said.output == f"{tmp_path / 'out' / 'index.html'}: 1 runs as 1 rows.\n"


def test_pages_ask_for_nothing_from_elsewhere(tmp_path: Path) -> None:
    place(tmp_path / "results", changed())
    build(tmp_path / "results", tmp_path / "site")
    for page in (tmp_path / "site").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert 'src="http' not in text
        assert 'rel="stylesheet" href="http' not in text


@pytest.mark.slow
def test_ten_thousand_records_ship_little(tmp_path: Path) -> None:
    made = synthetic.records(10_000, seeds=1, methods=340)
    assert len(made) == 10_000
    synthetic.write_folder(tmp_path / "results", made)
    build(tmp_path / "results", tmp_path / "site")
    # What the overview loads: the whole records come later, one method at a time.
    loaded = [tmp_path / "site" / "index.html", tmp_path / "site" / "data" / "board.js"]
    loaded.append(tmp_path / "site" / "data" / "timings" / f"{synthetic.MACHINE}.js")
    loaded += list((tmp_path / "site" / "assets").iterdir())
    weight = sum(len(gzip.compress(path.read_bytes(), 9)) for path in loaded)
    print(f"{weight / 1e3:.0f} kB gzipped")
    assert weight <= 1_500_000

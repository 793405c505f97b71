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

from recpress.board.collect import collect
from recpress.board.site import build
from recpress.cli.site import command
from recpress.data.card import dataset_card
from recpress.errors import UserError
from recpress.record import relative_path

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


MISSING = {key: value for key, value in changed().items() if key != "provenance"}
HOSTILE = {
    "NaN": (json.dumps(changed()).replace(str(GOOD.model_dump()["provenance"]["seconds"]), "NaN"), "NaN"),
    "NaN in params": (json.dumps(changed(identity__params={"x": float("nan")})), "NaN"),
    "not JSON": ("{", "JSON"),
    "a list": ("[]", "not a JSON object"),
    "missing part": (MISSING, "provenance"),
    "next version": (changed(schema_version=4), "schema version is 4"),
    "huge": (changed(reason="x" * 5_000_000), "at most"),
    "name with a tag": (changed(identity__method="<script>alert(1)</script>"), "is not a name"),
    "name that climbs": (changed(identity__dataset="../../etc"), "is not a name"),
    "endless setting": (changed(identity__setting="b" * 4000), "its setting has 4000"),
    "somebody else's place": (changed(identity__seed=7), "belongs at"),
    "deep": ("[" * 100_000, ""),
}


@pytest.mark.parametrize(("raw", "said"), HOSTILE.values(), ids=HOSTILE)
def test_a_bad_record_is_refused_by_name_and_the_others_stay(tmp_path: Path, raw: Any, said: str) -> None:
    place(tmp_path, raw)
    other = synthetic.make("synthetic-small", "mf", "low_rank", "svd", "1/8", 0)
    place(tmp_path, other.model_dump(mode="json"), relative_path(other.identity))
    found = collect(tmp_path)
    assert [run.record.identity.setting for run in found.runs] == ["1/8"]
    assert [refusal.path for refusal in found.refused] == [PLACE.as_posix()]
    assert said in found.refused[0].reason
    assert len(found.refused[0].reason) <= 500


def test_text_of_records_is_escaped_everywhere(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>'\"&\u2028"
    raw = changed(
        status="failed",
        reason=evil,
        quality=None,
        identity__setting=evil.replace("/", "-"),
        identity__params={evil: evil},
        provenance__command=evil,
        provenance__commit=evil,
        provenance__started=evil,
    )
    name = raw["identity"]["setting"]
    place(tmp_path / "results", raw, PLACE.with_name(f"{name}.seed0.json"))
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

"""The site in a real browser, from file://. Skipped where there is no Chromium (RECPRESS_CHROMIUM names one)."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import site_speed
import synthetic
from click.testing import CliRunner

from recpress import registry
from recpress.cli import cli
from recpress.leaderboard.collect import collect
from recpress.leaderboard.pareto import front
from recpress.leaderboard.perf import read
from recpress.leaderboard.site import build
from recpress.leaderboard.site.history import Earlier
from recpress.leaderboard.tables import aggregate, frame
from recpress.records import record
from recpress.records.record import Record
from recpress.records.timing import Timing
from recpress.records.timing import place as place_of_timing

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = site_speed.chromium()
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install one or set RECPRESS_CHROMIUM")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Against hanging; a page is there in a second, at a tenth of the speed in ten.
LONGEST_MS = 120_000
ELSEWHERE = synthetic.ELSEWHERE
RUN = "run.html#run=synthetic-small/lightgcn/uniform/1-4"
PAIR = "compare.html#runs=synthetic-small/lightgcn/uniform/1-4,synthetic-small/lightgcn/svd/1-4"
PAGES = [
    "index.html",
    "dataset/synthetic-small.html",
    "backbone/mf.html",
    "method/uniform.html",
    RUN,
    PAIR,
    "findings.html",
    "history.html",
    "rules.html",
    "submit.html",
    f"machine/{ELSEWHERE}.html",
    f"{RUN}&machine={ELSEWHERE}",
]
VIEW = "#dataset=synthetic-small&q=svd"
REPEATED = ("synthetic-small", "lightgcn", "uniform", "1/4", 0)
EXPLORERS = ("index", "dataset", "backbone")


def records() -> list[Record]:
    """Made-up records; those that `PAIR` compares have hits."""
    return [synthetic.with_hits(each)[0] if is_paired(each) else each for each in synthetic.records()]


def timings(made: list[Record]) -> list[Timing]:
    """All of one machine, and of another one seed of each variant of the smallest data set."""
    some = (each for each in made if each.identity.dataset == "synthetic-small" and each.identity.seed == 0)
    return [*synthetic.timings(made), *synthetic.timings(some, ELSEWHERE)]


def is_paired(record: Record) -> bool:
    """Whether it is one of the runs that `PAIR` compares, and has a quality."""
    who = record.identity
    name = f"{who.dataset}/{who.backbone}/{who.method}/{who.variant.replace('/', '-')}"
    return record.quality is not None and name in PAIR


@pytest.fixture(scope="module")
def made() -> pd.DataFrame:
    return aggregate(frame(synthetic.runs(records())))


@pytest.fixture(scope="module")
def elsewhere() -> pd.DataFrame:
    """The same rows with the other machine's times."""
    every = records()
    theirs = [each for each in timings(every) if each.machine == ELSEWHERE]
    return aggregate(frame(synthetic.runs(every, theirs)))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every page with something on it: also an earlier state, benchmarks of the code, and a run that was repeated."""
    folder = tmp_path_factory.mktemp("board")
    made = records()
    results = synthetic.write_folder(folder / "results", made, timings(made))
    synthetic.write_hits(results, [each for each in made if is_paired(each)])
    synthetic.repeat(
        results, next(each for each in made if record.path_of(*REPEATED) == record.relative_path(each.identity))
    )
    (results / "findings.md").write_text(f"# Findings\n\n`{VIEW}`\n\n| kept | at |\n|---|---|\n| 99 % | 1/4 |\n")
    failed = [each.model_copy(update={"status": "failed", "quality": None}) for each in made[:9]]
    before = Earlier("v0", collect(synthetic.write_folder(folder / "before", [*failed, *made[9:]])))
    levels = [100.0, 101, 99, 100, 160, 161, 159, 160]
    speeds = read(synthetic.write_asv(folder / "asv", [[1e-3 * level, 2.0] for level in levels]))
    with pytest.MonkeyPatch.context() as patch:
        # Made-up data sets have no card, by which all would stay self-reported.
        patch.setattr("recpress.leaderboard.tiers.of_records", lambda found: [])
        return build(results, folder / "site", earlier=before, speeds=speeds).index.parent


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that notes its complaints and what it asks for."""
    with browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True) as context:
        opened = context.new_page()
        opened.set_default_timeout(LONGEST_MS)
        opened.said = []
        opened.asked = []
        opened.on("console", lambda message: message.type == "error" and opened.said.append(message.text))
        opened.on("pageerror", lambda error: opened.said.append(str(error)))
        opened.on("request", lambda request: opened.asked.append(request.url))
        yield opened


def visit(page: Any, site: Path, address: str) -> None:
    page.goto("about:blank")
    page.goto(f"{site.as_uri()}/{address}")
    if address.split("/")[0].split(".")[0] in EXPLORERS:
        drawn(page)
    elif address.startswith("run"):
        page.wait_for_selector("#run h1")
        page.wait_for_selector("#run svg")
    elif address.startswith("compare"):
        page.wait_for_selector("#comparison .command")
    elif address.startswith("history"):
        page.wait_for_selector("#perf canvas")


def drawn(page: Any, times: int = 1) -> None:
    # A click's answer may still be the page that was left, which has no explorer.
    page.wait_for_function(f"Number(document.getElementById('explorer')?.dataset.drawn) >= {times}")


def change(page: Any, action: Any) -> None:
    """Do something and wait until everything is drawn anew."""
    before = int(page.get_attribute("#explorer", "data-drawn"))
    action()
    drawn(page, before + 1)


def shown(page: Any) -> list[list[str]]:
    rows: list[list[str]] = page.eval_on_selector_all(
        "#table tbody tr", "rows => rows.map(row => [...row.cells].slice(1).map(cell => cell.innerText.trim()))"
    )
    return rows


def test_every_page_renders_from_a_file_and_asks_for_nothing(page: Any, site: Path) -> None:
    for address in PAGES:
        visit(page, site, address)
        assert page.inner_text("h1")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
    assert page.said == []
    outside = [url for url in page.asked if not url.startswith(("file:", "blob:", "data:", "about:"))]
    assert outside == []


def test_every_page_fits_a_phone(page: Any, site: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for address in PAGES:
        visit(page, site, address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, address


def axe_complaints(page: Any, site: Path, scheme: str, addresses: list[str]) -> list[Any]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.emulate_media(color_scheme=scheme)
    complaints = []
    for address in addresses:
        visit(page, site, address)
        complaints += [
            (address, each["id"], [node["target"] for node in each["nodes"]][:3])
            for each in axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
            if each["impact"] in ("serious", "critical")
        ]
    return complaints


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(page: Any, site: Path, scheme: str) -> None:
    assert axe_complaints(page, site, scheme, PAGES) == []


def test_axe_would_complain(page: Any, site: Path) -> None:
    visit(page, site, "rules.html")
    page.add_init_script(
        "addEventListener('DOMContentLoaded', () => { document.querySelector('h1').style.color = '#ddd'; })"
    )
    assert [each[1] for each in axe_complaints(page, site, "light", ["rules.html"])] == ["color-contrast"]


def test_a_filtered_view_survives_a_reload(page: Any, site: Path) -> None:
    visit(page, site, "index.html")
    change(page, lambda: page.select_option("[name=dataset]", "synthetic-small"))
    change(page, lambda: page.fill("#q-retained", "95"))
    change(page, lambda: page.fill("#q-mb", "0.3"))
    page.click(".more summary")
    change(page, lambda: page.check("input[name=family][value=quantization]"))
    change(page, lambda: page.click("button[data-sort=single_ratio]"))
    before, address = shown(page), page.url
    assert before
    assert {"retained=95", "mb=0.3", "family=quantization", "sort=single_ratio.up"} <= set(
        address.split("#")[1].split("&")
    )
    page.goto("about:blank")
    page.goto(address)
    drawn(page)
    assert shown(page) == before
    assert page.is_checked("input[name=family][value=quantization]")
    assert page.input_value("#q-mb") == "0.3"


def test_sort_filter_and_front_agree_with_pandas(page: Any, site: Path, made: pd.DataFrame) -> None:
    visit(page, site, "index.html#dataset=synthetic-small&mb=0.3&sort=ndcg20.down")
    rows = page.evaluate(
        "(() => { const s = RecPress.store, {rows} = RecPress.shown(); const f = s.front(rows, 'mb', 'ndcg20');"
        " return rows.map(r => [s.id(r), s.number('ndcg20', r), f.has(r)]); })()"
    )
    want = made[(made["dataset"] == "synthetic-small") & (made["mb"] <= 0.3)]
    want = want.sort_values("ndcg20", ascending=False, na_position="last", kind="stable")
    assert [row[1] for row in rows] == pytest.approx(want["ndcg20"].tolist(), rel=1e-5)
    ids = want["dataset"] + "/" + want["backbone"] + "/" + want["method"] + "/" + want["variant"].str.replace("/", "-")
    assert sorted(row[0] for row in rows) == sorted(ids)
    ok = want[want["status"] == "ok"]
    assert {row[0] for row in rows if row[2]} == set(ids[ok.index[front(ok["mb"], ok["ndcg20"])]])


def test_every_column_sorts_both_ways(page: Any, site: Path, made: pd.DataFrame) -> None:
    visit(page, site, "index.html#dataset=all")
    for key in ("mb", "single_ms", "retained", "method"):
        for down in (False, True):
            got = page.evaluate(
                "([key, down]) => { const s = RecPress.store; return s.sort(RecPress.shown().rows, key, down)"
                ".map(row => s.isText(key) ? s.word(key, row) : s.number(key, row)); }",
                [key, down],
            )
            want = made.sort_values(key, ascending=not down, na_position="last")[key]
            if key == "method":
                assert got == want.tolist()
            else:
                assert pd.Series(got, dtype=float).tolist() == pytest.approx(want.tolist(), rel=1e-5, nan_ok=True)


@pytest.mark.parametrize("form", ["csv", "json", "markdown", "latex"])
def test_an_export_is_the_shown_rows(page: Any, site: Path, form: str) -> None:
    visit(page, site, "index.html#dataset=synthetic-mid&retained=93&sort=mb.up")
    page.click(".menu:has([data-export]) summary")
    with page.expect_download() as download:
        page.click(f"[data-export={form}]")
    text = Path(download.value.path()).read_text(encoding="utf-8")
    table = page.evaluate(
        "(() => { const {rows, keys} = RecPress.shown(), s = RecPress.store, whole = [...keys, 'machine'];"
        " return rows.map(r => whole.map(k => s.isText(k) ? s.word(k, r) : s.number(k, r))); })()"
    )
    if form == "csv":
        got = list(csv.reader(io.StringIO(text)))[1:]
        assert [[cell or None for cell in row] for row in got] == [
            [
                None if cell is None else (cell if isinstance(cell, str) else page.evaluate("String", cell))
                for cell in row
            ]
            for row in table
        ]
    elif form == "json":
        assert [list(row.values()) for row in json.loads(text)] == table
    else:
        # Header and rules: two lines of Markdown, six of LaTeX.
        assert len(text.strip().splitlines()) == len(table) + {"markdown": 2, "latex": 6}[form]
        assert all(
            row[0] in line
            for row, line in zip(table, text.splitlines()[{"markdown": 2, "latex": 4}[form] :], strict=False)
        )


def test_filter_sort_and_compare_by_keyboard_alone(page: Any, site: Path) -> None:
    visit(page, site, "index.html")

    def press_until(selector: str, key: str = "Tab") -> None:
        for _ in range(80):
            if page.evaluate(f"document.activeElement.matches({json.dumps(selector)})"):
                return
            page.keyboard.press(key)
        raise AssertionError(f"{selector} can't be reached")

    press_until("#q-retained")
    change(page, lambda: page.keyboard.type("95"))
    press_until("button[data-sort=mb]")
    change(page, lambda: page.keyboard.press("Enter"))
    assert page.get_attribute("th:has(button[data-sort=mb])", "aria-sort") == "ascending"
    assert page.evaluate("document.activeElement.dataset.sort") == "mb"
    press_until("tbody tr:nth-child(2) input[data-run]")
    change(page, lambda: page.keyboard.press("Space"))
    press_until("tbody tr:nth-child(3) input[data-run]")
    change(page, lambda: page.keyboard.press("Space"))
    press_until("#compare", "Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("table.compare")
    assert page.locator("table.compare thead th").count() == 2


def test_the_answer_says_what_fits_and_how_to_run_it(page: Any, site: Path, made: pd.DataFrame) -> None:
    visit(page, site, "index.html#dataset=synthetic-small&mb=0.2")
    page.wait_for_selector("#answer .command")
    ok = made[(made["status"] == "ok") & (made["dataset"] == "synthetic-small") & (made["mb"] <= 0.2)]
    first = ok.loc[ok["ndcg20"].idxmax()]
    # What can't be told apart from it is as good, and the smallest such file is the answer.
    alike = ok[(ok["of_best_low"] <= first["of_best_high"]) & (ok["of_best_high"] >= first["of_best_low"])]
    best = alike.sort_values(["mb", "ndcg20"], ascending=[True, False]).iloc[0]
    text = page.inner_text("#answer")
    assert text.startswith(("●", "■", "▲", "◆", "▼"))
    said = f"{best['method']} {best['variant']} with {best['backbone']} is as accurate as any that fits 0.2 MB"
    assert f"{said}, and the smallest such" in text
    assert f"--method {best['method']} --budget {best['variant']}" in text
    assert "the rarer half of the catalogue retains" in text
    same = ok[(ok["backbone"] == best["backbone"]) & (ok.index != best.name)]
    tied = same[(same["retained_low"] <= best["retained_high"]) & (same["retained_high"] >= best["retained_low"])]
    assert page.evaluate("[...document.querySelectorAll('#answer dd')][1].querySelectorAll('a').length") == min(
        len(tied), 4
    )
    visit(page, site, "index.html#dataset=synthetic-small&mb=0.000001&retained=99")
    assert "Nothing fits all of that" in page.inner_text("#answer")
    assert "Without the limit on the size" in page.inner_text("#answer")


def test_examples_measure_against_the_best_uncompressed_model(page: Any, site: Path, made: pd.DataFrame) -> None:
    visit(page, site, "index.html#dataset=synthetic-small")
    page.wait_for_selector("#answer .openings")
    ok = made[(made["status"] == "ok") & (made["dataset"] == "synthetic-small")]
    best = ok.loc[ok["method"] == "none", "ndcg20"].max()
    assert ok["of_best"].tolist() == pytest.approx((100 * ok["ndcg20"] / best).tolist())
    fits = ok[ok["of_best_low"] >= 97].sort_values(["mb", "ndcg20"], ascending=[True, False])
    assert 0 < len(fits) < (ok["retained_low"] >= 97).sum()  # Some keep as much of a weaker backbone alone.
    said = page.inner_text("#answer .openings li")
    row = fits.iloc[0]
    assert f"{row['method']} {row['variant']} with {row['backbone']}, NDCG@20 {row['ndcg20']:.4f}" in said
    assert "of the best uncompressed model" in said
    visit(page, site, "index.html#dataset=synthetic-small&retained=97&status=ok")
    assert page.evaluate("RecPress.shown().rows.length") == len(fits)
    # Of a backbone that is chosen, its own fp32 counts.
    visit(page, site, "index.html#dataset=synthetic-small&backbone=mf&retained=97&goal=smallest")
    mine = ok[(ok["backbone"] == "mf") & (ok["retained_low"] >= 97)].sort_values("mb").iloc[0]
    assert f"{mine['method']} {mine['variant']} with mf is the smallest" in page.inner_text("#answer")


def column(page: Any, key: str) -> list[float]:
    """A column of the page, in the board's order; NaN where it has nothing."""
    given = page.evaluate(
        "key => Array.from({length: RecPress.store.size}, (_, row) => RecPress.store.number(key, row))", key
    )
    return [float("nan") if value is None else value for value in given]


def test_another_machine_has_other_times_and_the_same_ranking(
    page: Any, site: Path, made: pd.DataFrame, elsewhere: pd.DataFrame
) -> None:
    visit(page, site, "index.html#dataset=synthetic-small&ms=0.1&x=single_ms&goal=fastest")
    label = f"a made-up CPU without avx512_vnni, 2 threads, {ELSEWHERE}"
    assert page.locator("#question select[name=machine] option").all_inner_texts()[1] == label
    assert "It has AVX-512 VNNI" in page.inner_text("#question .note")
    ranked, sized = column(page, "ndcg20"), column(page, "mb")
    quick = len(shown(page))
    for machine, want in ((synthetic.MACHINE, made), (ELSEWHERE, elsewhere), (synthetic.MACHINE, made)):
        if page.input_value("[name=machine]") != machine:
            change(page, lambda machine=machine: page.select_option("[name=machine]", machine))
        for key in ("single_ms", "single_ratio", "single_low", "batch_high", "batch_ms_sd"):
            assert column(page, key) == pytest.approx(want[key].tolist(), rel=1e-5, nan_ok=True), (machine, key)
        assert column(page, "ndcg20") == pytest.approx(ranked, nan_ok=True)
        assert column(page, "mb") == pytest.approx(sized, nan_ok=True)
        assert set(page.evaluate("RecPress.shown().rows.map(row => RecPress.store.word('machine', row))")) == {machine}
        assert page.input_value("#question [name=machine]") == machine
        assert f"machine/{machine}.html" in page.get_attribute("#question .whose a", "href")
        # The limit and the answer go by the times that are shown.
        want = want[(want["dataset"] == "synthetic-small") & (want["single_ms"] <= 0.1)]
        assert page.evaluate("RecPress.shown().rows.length") == len(want)
        want = want[want["status"] == "ok"].sort_values("single_ms")
        low, high = (want["single_ms"] / want["single_ratio"] * want[f"single_{end}"] for end in ("low", "high"))
        best = want[low <= high.iloc[0]].sort_values(["mb", "ndcg20"], ascending=[True, False]).iloc[0]
        assert f"{best['method']} {best['variant']} with {best['backbone']}" in page.inner_text("#answer")
        page.wait_for_selector(f"#answer dd:has-text('{machine}')")
        assert (f"machine={ELSEWHERE}" in page.url) == (machine == ELSEWHERE)
    assert len(shown(page)) == quick
    assert page.said == []


def test_the_chosen_machine_is_in_the_address_and_stays_from_page_to_page(page: Any, site: Path) -> None:
    visit(page, site, f"index.html#dataset=synthetic-small&machine={ELSEWHERE}")
    assert page.input_value("[name=machine]") == ELSEWHERE
    page.click("a.card >> nth=0")
    drawn(page)
    assert "dataset/" in page.url
    assert page.url.endswith(f"#machine={ELSEWHERE}")
    assert page.input_value("[name=machine]") == ELSEWHERE
    visit(page, site, f"index.html#dataset=synthetic-small&machine={ELSEWHERE}")
    page.click("#table tbody tr:nth-child(1) th a")
    page.wait_for_selector("#run h1")
    assert page.url.endswith(f"&machine={ELSEWHERE}")
    assert page.input_value("[name=machine]") == ELSEWHERE
    # Of a machine that isn't on the board the board's own is shown.
    visit(page, site, "index.html#machine=../../x")
    assert page.input_value("[name=machine]") == synthetic.MACHINE
    visit(page, site, f"{PAIR}&machine={ELSEWHERE}")
    page.wait_for_selector("table.compare")
    times = page.locator("table.compare tr:has(th:has-text('Single')) >> nth=0")
    there = times.inner_text()
    page.select_option("[name=machine]", synthetic.MACHINE)
    page.wait_for_function("() => !location.hash.includes('machine=')")
    sync_api.expect(times).not_to_have_text(there, use_inner_text=True)
    assert page.said == []


def test_a_run_shows_the_timing_that_it_shares(page: Any, site: Path) -> None:
    visit(page, site, f"{RUN}&machine={ELSEWHERE}")
    speed = "section:has(h2:text-is('Speed'))"
    assert "Timed on 2026" in page.inner_text(speed)
    own = page.inner_text(f"{speed} table >> nth=0")
    page.click("text=seed 2")
    page.wait_for_selector("text=which is stored alike")
    assert page.inner_text(f"{speed} table >> nth=0") == own
    text = page.inner_text("main")
    for said in ("Items were scored by made up.", "345 MB", "serving signature", "int8[943, 64]"):
        assert said in text or said in page.text_content("main"), said
    page.select_option("[name=machine]", synthetic.MACHINE)
    page.wait_for_selector(f"{speed}:not(:has-text('which is stored alike'))")
    assert page.get_attribute("button:text-is('seed 2')", "aria-pressed") == "true"
    assert page.inner_text(f"{speed} table >> nth=0") != own
    page.select_option("[name=machine]", ELSEWHERE)
    page.click("a:text-is('synthetic-small/lightgcn/uniform/1-4.seed0')")
    page.wait_for_selector("button[aria-pressed=true]:text-is('seed 0')")
    assert page.url.endswith(f"1-4.seed0&machine={ELSEWHERE}")
    visit(page, site, f"run.html#run=synthetic-mid/lightgcn/none/default&machine={ELSEWHERE}")
    text = page.inner_text(speed)
    assert "It was not timed on this machine." in text
    assert "recpress time --dataset synthetic-mid --backbone lightgcn --method none" in text
    assert page.said == []


def test_a_finding_leads_to_its_view(page: Any, site: Path) -> None:
    visit(page, site, "findings.html")
    page.click("text=See it on the board")
    drawn(page)
    shown = page.locator("#table tbody tr")
    assert 0 < shown.count() == shown.filter(has_text="svd").count()


def test_rows_and_runs_show_how_far_they_were_repeated(page: Any, site: Path) -> None:
    visit(page, site, "index.html#dataset=all")
    page.click(".more summary")
    change(page, lambda: page.select_option("[name=tier]", "checked"))
    assert page.evaluate("RecPress.shown().rows.length") > 1
    # The variant's other seeds were not repeated, and a row has the tier of the least.
    change(page, lambda: page.select_option("[name=tier]", "re-run"))
    assert page.evaluate("RecPress.shown().rows.length") == 0
    page.wait_for_url(re.compile("tier=re-run"))
    visit(page, site, "index.html#dataset=synthetic-small")
    page.hover("#table td:has-text('checked') [data-tip]")
    assert "Nothing was run again" in page.inner_text("#tip")
    visit(page, site, RUN)
    told = page.inner_text("section:has(h2:text-is('How far it was repeated'))")
    assert told.startswith("How far it was repeated\n\nre-run: Run again by the maintainers")
    assert "figures are the same" in told
    assert "recpress rerun --sample 1 --seed 0" in told
    page.click("text=seed 2")
    page.wait_for_selector("section:has(h2:text-is('How far it was repeated')):has-text('checked:')")


def test_labels_keep_apart_and_within_the_axis(page: Any, site: Path) -> None:
    visit(page, site, "index.html")
    placed = page.evaluate(
        "[...RecPress.spaced([0, 1, 2, 3], item => [[0, 0], [0.1, 0], [0.1, 1], [1, 0]][item], () => [0.2, 0.1], 1)]"
    )
    # The first is the answer; what would stand on it has none, what stands above it has one, the last turns inwards.
    assert placed == [[1, "start"], [2, "start"], [3, "end"]]


def test_the_history_draws_one_benchmark_at_a_time(page: Any, site: Path) -> None:
    visit(page, site, "history.html")
    page.select_option("#perf-series", label="bench.Topk.time_rank (batch=256)")
    page.wait_for_url(re.compile("batch%3D256"))
    page.reload()
    page.wait_for_selector("#perf[aria-label*='batch=256) at 8 commits']")
    text = page.inner_text("main")
    assert "+60.0 % at 0000000000" in text
    assert "worse" in text
    assert page.said == []


def test_a_run_shows_every_metric_and_its_record(page: Any, site: Path) -> None:
    visit(page, site, RUN)
    record, _ = synthetic.with_hits(synthetic.make("synthetic-small", "lightgcn", "quantization", "uniform", "1/4", 0))
    text = page.inner_text("main")
    # What people call the method stands beside its id.
    assert registry.method("uniform").card.title in text
    assert record.quality is not None
    for name, value in record.quality.metrics.items():
        assert f"{value:.4f}"[:5] in text, name
    assert record.provenance.command in text
    assert record.identity.split in text
    page.click("text=seed 2")
    page.wait_for_selector(".command:has-text('--seed 2')")
    assert json.loads(page.text_content("details pre"))["identity"]["seed"] == 2
    page.goto("about:blank")
    page.goto(f"{site.as_uri()}/run.html")
    page.wait_for_selector("text=No run was named")


def test_compare_calls_best_only_what_can_be_told(page: Any, site: Path, made: pd.DataFrame) -> None:
    visit(page, site, PAIR)
    pair = made[
        (made["dataset"] == "synthetic-small") & (made["backbone"] == "lightgcn") & (made["variant"] == "1/4")
    ].set_index("method")
    uniform, svd = pair.loc["uniform"], pair.loc["svd"]
    for label, key in (("Retained", "retained"), ("Single vs fp32", "single")):
        row = page.locator(f"tbody tr:has(th:text-is('{label}')), tbody tr:has(th span:has-text('{label}'))").first
        apart = uniform[f"{key}_high"] < svd[f"{key}_low"] or svd[f"{key}_high"] < uniform[f"{key}_low"]
        assert row.locator("td.won").count() == int(apart), label


def figures(cell: str) -> list[float]:
    """The numbers in a cell; a dash between two is no sign."""
    return [float(figure) for figure in re.findall(r"-?[\d.]+", cell.replace("–", " ").replace("−", "-"))]


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_compare_pairs_users_of_any_backbones_as_recpress_compare_does(
    page: Any, tmp_path: Path, seeds: tuple[int, ...]
) -> None:
    runs = [
        ("lightgcn", "reference", "none", "default"),
        ("lightgcn", "reference", "fp16", "default"),
        ("mf", "reference", "none", "default"),
        ("mf", "low_rank", "svd", "1/16"),
    ]
    made = [synthetic.with_hits(synthetic.make("synthetic-small", *run, seed))[0] for run in runs for seed in seeds]
    results = synthetic.write_folder(tmp_path / "results", made)
    synthetic.write_hits(results, made)
    site = build(results, tmp_path / "site").index.parent
    names = [
        f"synthetic-small/{backbone}/{method}/{variant.replace('/', '-')}" for backbone, _, method, variant in runs
    ]
    visit(page, site, f"compare.html#runs={','.join(names)}")
    page.wait_for_selector("table.paired")
    words = ["compare", *names, "--results", str(results), "--metric", "ndcg@20", "--format", "json"]
    said = CliRunner().invoke(cli, words, catch_exceptions=False).stdout
    rows = [row.split("\t") for row in page.locator("table.paired tbody tr").all_inner_texts()]
    resampled = len(seeds) == 1
    for row, run in zip(rows, json.loads(said)["runs"], strict=True):
        (one,) = run["metrics"]
        _, backbone, method, variant = run["run"].split("/")
        assert row[0] == f"{backbone} {method} {variant.replace('-', '/')}"
        percents = [100 * one[name] for name in ("retention", "low", "high")]
        assert figures(row[1]) == pytest.approx(percents, abs=0.3 if resampled else 0.06)
        difference, low, high = figures(row[2])
        assert difference == pytest.approx(one["candidate"] - one["baseline"], abs=6e-5)
        assert low < difference < high
        for cell, name, times in ((row[3], "p_value", 1), (row[4], "p_adjusted", 3)):
            p = 0.0 if cell == "< 0.001" else float(cell)
            # Both draw ten thousand times.
            noise = 5 * times * (one["p_value"] * (1 - one["p_value"]) / 5000) ** 0.5 if resampled else 0
            assert p == pytest.approx(one[name], abs=0.001 + noise), (name, row)
        assert (row[5] == "can't be told apart") is (one["p_adjusted"] >= 0.05)
        assert sum(figures(row[6].replace("/", " "))) == synthetic.N_EVALUATED
    assert sorted(url.split("/data/users/")[1] for url in page.asked if "/data/users/" in url) == sorted(
        ["synthetic-small.js", *{f"{name.rpartition('/')[0]}.js" for name in names}]
    )
    assert not page.said


def test_without_javascript_the_tables_are_there(browser: Any, site: Path, made: pd.DataFrame) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{site.as_uri()}/dataset/synthetic-small.html")
        assert page.locator("tbody tr:visible").count() == (made["dataset"] == "synthetic-small").sum()
        assert page.locator(".picture svg").is_visible()
        for address in ("index.html", "backbone/mf.html", "method/uniform.html", "history.html"):
            page.goto(f"{site.as_uri()}/{address}")
            assert page.locator("tbody tr:visible").count() > 0


def test_rows_and_runs_say_what_a_person_is_to_look_at(page: Any, tmp_path: Path) -> None:
    calm, leaked, loose = (
        synthetic.make("synthetic-small", "mf", "low_rank", "svd", variant, 0) for variant in ("1/8", "1/4", "1/2")
    )
    assert leaked.quality
    keeps = leaked.quality.model_copy(update={"retention": leaked.quality.retention | {"recall@20": 2.06}})
    leaked = leaked.model_copy(update={"quality": keeps})
    made = loose.provenance.model_copy(update={"isolated": False})
    loose = loose.model_copy(update={"provenance": made})
    site = build(synthetic.write_folder(tmp_path / "results", [calm, leaked, loose]), tmp_path / "site").index.parent
    visit(page, site, "index.html#sort=smaller.down")
    assert [re.sub(r"^\W+| ◆", "", row[0]) for row in shown(page)] == ["svd", "svd ‡", "svdnot isolated"]
    page.hover("#table .doubt")
    assert "retains 206.0% of its backbone's recall@20" in page.inner_text("#tip")
    page.hover("#table th .badge")
    assert "nothing kept the method from reading test" in page.inner_text("#tip")
    warnings = {"1-4": "‡ Flagged for review: it retains 206.0%", "1-2": "Not isolated.", "1-8": ""}
    for variant, said in warnings.items():
        visit(page, site, f"run.html#run=synthetic-small/mf/svd/{variant}")
        assert page.locator("#run .warning").count() == bool(said)
        assert not said or page.inner_text("#run .warning").startswith(said)
    assert page.said == []


def test_hostile_text_reaches_no_page_as_markup(page: Any, tmp_path: Path) -> None:
    evil = "<img src=x onerror=\"document.title='taken'\">"
    record = synthetic.make("synthetic-small", "mf", "low_rank", "svd", "1/4", 0)
    raw = record.model_dump(mode="json")
    raw["provenance"]["command"] = raw["reason"] = evil
    raw["identity"]["params"] = {evil: evil}
    raw["identity"]["variant"] = evil
    path = tmp_path / "results" / "records" / "synthetic-small" / "mf" / "svd" / f"{evil}.seed0.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(raw), encoding="utf-8")
    machines = tmp_path / "results" / "machines"
    machines.mkdir()
    (machines / f"{synthetic.MACHINE}.json").write_text(json.dumps({"cpu": evil, evil: evil}), encoding="utf-8")
    timing = synthetic.time(record).model_dump(mode="json") | {"kernel": evil}
    timing["run"] = path.relative_to(tmp_path / "results" / "records").as_posix().removesuffix(".json")
    place = tmp_path / "results" / place_of_timing(synthetic.MACHINE, timing["run"])
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps(timing), encoding="utf-8")
    build(tmp_path / "results", tmp_path / "site")
    site = tmp_path / "site"
    visit(page, site, "index.html#retained=1")
    page.wait_for_selector("#answer .command")
    assert evil in page.inner_text("#answer")
    page.click("#answer a")
    page.wait_for_selector("#run h1")
    assert evil in page.inner_text("#run h1")
    assert f"scored by {evil}" in page.inner_text("#run")
    assert evil[:60] in page.inner_text("#run .whose")
    assert page.locator("img").count() == 0
    assert page.title() != "taken"
    assert page.said == []


@pytest.mark.slow
def test_ten_thousand_rows_are_quick(browser: Any, tmp_path: Path) -> None:
    made = synthetic.records(site_speed.RECORDS, seeds=1, methods=site_speed.METHODS)
    site = build(synthetic.write_folder(tmp_path / "results", made), tmp_path / "site").index.parent
    speed = site_speed.measure(browser, site)
    print(speed)
    assert min(speed.starts) < 1000
    assert max(speed.page.values()) < 100
    assert sorted(speed.walls.values())[len(speed.walls) // 2] < 100

// Two to four runs side by side, against the first.
"use strict";
(function () {
  const { h, store } = RecPress;
  const place = document.getElementById("comparison");
  const ids = () => (new URLSearchParams(location.hash.slice(1)).get("runs") || "").split(",").filter(Boolean)
    .map((id) => id.split("/").map(decodeURIComponent).join("/"));

  // The rows whose figure is best, with those whose range overlaps it: one is best, several are tied.
  // Where a figure is not exact and its range is unknown, or a timing was disturbed, nothing is called best.
  const EXACT = ["mb", "smaller", "analytic_mj"];
  function best(rows, column) {
    const known = rows.filter((row) => store.number(column.key, row) !== null && !store.write(column.key, row).startsWith("~"));
    if (!column.better || known.length < 2) return [];
    if (!EXACT.includes(column.key) && known.some((row) => store.range(column.key, row)[0] === store.range(column.key, row)[1])) return [];
    const [first] = store.sort(known, column.key, column.better === "high");
    const [low, high] = store.range(column.key, first);
    const tied = known.filter((row) => {
      const [from, to] = store.range(column.key, row);
      return from <= high && to >= low;
    });
    return tied.length === known.length ? [] : tied;
  }

  function difference(column, row, first) {
    const value = store.number(column.key, row), base = store.number(column.key, first);
    if (row === first || value === null || base === null || base === 0) return null;
    const points = column.unit === "%";
    const change = points ? value - base : 100 * (value / base - 1);
    if (!points && change > 900) return h("small", {}, ` ${RecPress.significant(1 + change / 100, 2)}×`);
    return h("small", {}, ` ${change >= 0 ? "+" : ""}${change.toFixed(1)} ${points ? "points" : "%"}`);
  }

  function table(rows) {
    const [first] = rows;
    const numbers = [...store.columns.values()].filter((column) => !store.isText(column.key) && rows.some((row) => store.number(column.key, row) !== null));
    const facts = ["dataset", "backbone", "family", "division", "serve_form", "status", "tier"];
    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Runs side by side" }, h("table", { class: "board compare" },
      h("thead", {}, h("tr", {}, h("td", {}), rows.map((row) => h("th", { scope: "col", class: "num" }, RecPress.mark(store.word("family", row)), h("a", { href: store.href(row), title: RecPress.titleOf(store.word("method", row)) }, store.name(row)))))),
      h("tbody", {},
        facts.map((key) => h("tr", {}, h("th", { scope: "row" }, store.columns.get(key).label), rows.map((row) => h("td", { class: "num" }, store.word(key, row))))),
        numbers.map((column) => {
          const winners = best(rows, column);
          const mark = winners.length === 1 ? "★ " : "≈ ";
          return h("tr", {}, h("th", { scope: "row" }, h("span", { tabindex: "0", "data-tip": column.help }, column.label, column.unit ? h("small", {}, ` ${column.unit}`) : null)),
            rows.map((row) => {
              const won = winners.includes(row);
              return h("td", { class: won ? "num won" : "num" }, won ? h("span", { "data-tip": winners.length === 1 ? "Best of these." : "Best of these, and tied: their ranges overlap." }, mark) : null, store.write(column.key, row), difference(column, row, first));
            }));
        }))));
  }

  async function warnings(rows) {
    const loaded = await Promise.all(rows.map((row) => RecPress.loadRun(store.id(row)).catch(() => [])));
    const of = (field) => new Set(loaded.flatMap((runs) => runs.map((each) => each.record.identity[field])));
    const said = [];
    if (of("split").size > 1) said.push("These runs are on different splits: their quality can't be compared.");
    else if (of("backbone").size > 1) said.push("These runs compress different backbones: retention is relative to each run's own backbone.");
    return { said, loaded };
  }

  // The headline metric of each run against the first, paired by user: what can be said where two figures look alike.
  async function tests(rows, loaded) {
    const variants = rows.map((row, place) => ({ shard: store.shard(row), runs: loaded[place] }));
    const comparable = variants.map((each) => each.runs.length && variants[0].runs.length && each.runs[0].record.identity.split === variants[0].runs[0].record.identity.split);
    const found = await Promise.all(variants.slice(1).map((each, place) => (comparable[place + 1] ? RecPress.pairedTest(each, variants[0]) : null)));
    if (found.every((test) => test === null)) {
      return h("section", {}, h("h2", {}, `${RecPress.headline.label}, paired by user`), h("p", {}, "No paired test: the hits of these runs are missing, they are not of the same users, or the first run finds nothing."));
    }
    const backbones = new Set(rows.map((row) => store.word("backbone", row)));
    const called = (row) => (backbones.size > 1 ? `${store.word("backbone", row)} ` : "") + store.name(row);
    const percent = (share) => (100 * share).toFixed(1);
    const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(4);
    const chance = (p) => (p < 0.001 ? "< 0.001" : p.toFixed(3));
    const made = found.filter((test) => test !== null);
    RecPress.holm(made.map((test) => test.p)).forEach((p, at) => { made[at].adjusted = p; });
    const lines = found.map((test, place) => h("tr", {}, h("th", { scope: "row" }, called(rows[place + 1])), test === null
      ? h("td", { colspan: "6" }, "Its hits are missing, or not of the same users.")
      : [
        h("td", { class: "num" }, `${percent(test.retained)} % (${test.retainedEnds.map(percent).join("–")})`),
        h("td", { class: "num" }, `${signed(test.difference)} (${test.differenceEnds.map(signed).join(" to ")})`),
        h("td", { class: "num" }, chance(test.p)),
        h("td", { class: "num" }, chance(test.adjusted)),
        h("td", {}, test.adjusted >= 0.05 ? "can't be told apart" : test.retained > 1 ? "better" : "worse"),
        h("td", { class: "num" }, `${RecPress.fixed(test.better, 0)} / ${RecPress.fixed(test.worse, 0)} / ${RecPress.fixed(test.equal, 0)}`),
      ]));
    return h("section", {}, h("h2", {}, `${RecPress.headline.label} against ${called(rows[0])}, paired by user`),
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Paired tests" }, h("table", { class: "board paired" },
        h("thead", {}, h("tr", {}, ["Run", `${RecPress.headline.label} of the first`, "Difference", "p", "p (Holm)", "At the 5 % level", "Users better / worse / equal"].map((label, place) => h("th", { scope: "col", class: place && place !== 5 ? "num" : null }, label)))),
        h("tbody", {}, lines))),
      h("p", { class: "hint" }, "Intervals are at 95 %. One seed: percentile bootstrap and two-sided sign flips over users. Several shared seeds: a t-test with random users and seeds. Holm's correction covers these rows."));
  }

  async function show() {
    const every = new Map(Array.from({ length: store.size }, (_, row) => [store.id(row), row]));
    const rows = ids().filter((id) => every.has(id)).slice(0, 4).map((id) => every.get(id));
    if (rows.length < 2) {
      const missing = ids().filter((id) => !every.has(id));
      place.replaceChildren(...[
        h("p", { class: "lead" }, "Two to four runs side by side: every figure with its range, and the paired test by user."),
        missing.length ? h("p", { class: "warning" }, `Not on this board: ${missing.join(", ")}.`) : null,
        h("p", {}, "Tick two to four rows in a table, for example on the ", h("a", { href: "index.html" }, "overview"), ", and press Compare."),
      ].filter(Boolean));
      return;
    }
    const notes = h("div", {});
    place.replaceChildren(h("p", { class: "lead" }, "Each run against the first. ★ is the best figure; ≈ marks figures that can't be told apart from it by interval or spread."), notes, table(rows));
    const { said, loaded } = await warnings(rows);
    notes.replaceChildren(...said.map((text) => h("p", { class: "warning" }, text)));
    place.append(await tests(rows, loaded));
    place.append(h("section", {}, h("h2", {}, "Run them again"), loaded.filter((runs) => runs.length).map((runs) => RecPress.command(runs[0].record.provenance.command))));
  }
  RecPress.machine.start(show);
})();

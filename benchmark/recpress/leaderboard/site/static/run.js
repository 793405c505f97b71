// One run: every figure of its record with its unit, how to run it again, and the record itself.
"use strict";
(function () {
  const { h, machine } = RecPress;
  const place = document.getElementById("run");
  const number = (value, digits = 4) => (value === null || value === undefined ? "–" : RecPress.significant(value, digits));
  const percent = (value) => (value === null || value === undefined ? "–" : `${(100 * value).toFixed(1)} %`);
  const words = (key) => key.replaceAll("_", " ");

  function table(caption, heads, lines, numeric) {
    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, h("table", { class: "board" },
      h("caption", { class: "hidden" }, caption),
      h("thead", {}, h("tr", {}, heads.map((head, at) => h("th", { scope: "col", class: at >= numeric ? "num" : null }, head)))),
      h("tbody", {}, lines.map((line) => h("tr", {}, line.map((cell, at) =>
        (at ? h("td", { class: at >= numeric ? "num" : null }, cell) : h("th", { scope: "row" }, cell))))))));
  }
  const tile = (label, value, note) => h("div", {}, h("dt", {}, label), h("dd", {}, value, note ? h("small", {}, ` ${note}`) : null));
  const section = (title, ...inside) => h("section", {}, h("h2", {}, title), ...inside);

  // Those that are the run's own: what makes another's tables says nothing of it.
  const scenarios = (id, timing) => (timing ? timing.latency.filter((each) => timing.run === id || each.scenario !== "refresh") : []);
  const onMachine = (name, text = name) => (machine.about(name)?.timed ? h("a", { href: machine.page(name) }, text) : text);

  function tiles({ id, record }, timing) {
    const { quality, bytes } = record;
    const single = scenarios(id, timing).find((each) => each.scenario === "single");
    const energy = record.energy.find((each) => each.what === "per-query");
    return h("dl", { class: "facts" },
      quality && tile(RecPress.headline.label, number(quality.metrics[RecPress.headline.metric]), `${percent(quality.retention[RecPress.headline.metric])} retained`),
      bytes && tile("Size", RecPress.bytes(bytes.file), `${number(bytes.reference / bytes.file, 3)}× smaller`),
      single && tile("One user", `${number(single.p50_ms, 3)} ms`, `${single.ratio.toFixed(2)}× fp32, on ${timing.provenance.machine}`),
      energy && tile("One query", `${number(1e3 * energy.joules, 3)} mJ`, energy.grade));
  }

  function quality(record) {
    const { metrics, retention, users, users_left_out: left } = record.quality;
    const at = new Map();
    const rest = [];
    for (const key of Object.keys(metrics)) {
      const [name, k] = key.split("@");
      if (k) at.set(name, [...(at.get(name) || []), Number(k)]);
      else rest.push(key);
    }
    const ks = [...new Set([...at.values()].flat())].sort((a, b) => a - b);
    const lines = [...at.keys()].map((name) => [words(name), ...ks.map((k) => {
      const key = `${name}@${k}`;
      if (!(key in metrics)) return "–";
      return h("span", {}, metrics[key].toFixed(4), key in retention ? h("small", {}, ` ${percent(retention[key])}`) : null);
    })]);
    return section("Quality", h("p", {}, `Means over ${users.toLocaleString("en")} users with test items; ${left.toLocaleString("en")} have none. Beside each: retention of the uncompressed backbone's figure.`),
      table("Ranking metrics", ["Metric", ...ks.map((k) => `@${k}`)], lines, 1),
      rest.length ? table("Other metrics", ["Metric", "Value", "Retained"], rest.map((key) => [words(key), number(metrics[key]), percent(retention[key])]), 1) : null);
  }

  const KNOWN_BYTES = { nominal_parameters: "Nominal parameters", nonzero_parameters: "Non-zero parameters" };
  function bytes(record) {
    const { bytes: size } = record;
    const bar = h("div", { class: "plot short", role: "img", "aria-label": "Byte breakdown of the artefact" });
    const kinds = Object.entries(size.breakdown).filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]);
    RecPress.chart(bar, "breakdown", { renderer: "svg" }).update(kinds.map(([kind, count], placed) =>
      ({ kind: words(kind), bytes: count, text: `${count.toLocaleString("en")} (${percent(count / size.file)})`, place: placed })));
    const counts = Object.entries(size).filter(([key, value]) => typeof value === "number" && !["per_entity", "reference", "file", "users", "items"].includes(key));
    const sides = [["users", "of users"], ["items", "of items"]].filter(([side]) => size[side] != null);
    return section("Bytes", bar, table("Byte breakdown", ["Kind", "Bytes", "Share"],
      [...kinds.map(([kind, count]) => [words(kind), count.toLocaleString("en"), percent(count / size.file)]),
        ...sides.map(([side, name]) => [name, size[side].toLocaleString("en"), percent(size[side] / size.file)]),
        [h("strong", {}, "file"), size.file.toLocaleString("en"), "100 %"],
        ["dense fp32 tables", size.reference.toLocaleString("en"), percent(size.reference / size.file)]], 1),
    h("dl", { class: "facts" }, tile("Bytes a user or item", number(size.per_entity, 3)),
      counts.map(([key, count]) => tile(KNOWN_BYTES[key] || words(key), key in KNOWN_BYTES ? count.toLocaleString("en") : RecPress.bytes(count)))));
  }

  // Raw times: base64 of zlib of the byte planes of int64 ticks of 100 ns, this artefact's first, then the reference's.
  async function samples(text) {
    const planes = await RecPress.unpacked(text);
    const count = planes.length / 8, tick = 100 / 1e6;
    const times = Array.from({ length: count }, (_, at) =>
      tick * [7, 6, 5, 4, 3, 2, 1, 0].reduce((ticks, plane) => 256 * ticks + planes[plane * count + at], 0));
    return [times.slice(0, times.length / 2), times.slice(times.length / 2)];
  }

  function bins([mine, reference]) {
    const all = [...mine, ...reference].sort((a, b) => a - b);
    // The slowest hundredth would squeeze the rest into one bar.
    const low = all[0], high = all[Math.floor(0.99 * (all.length - 1))];
    const count = 40, width = (high - low) / count || 1;
    const share = (times, at) => (100 * times.filter((time) => Math.min(Math.floor((time - low) / width), count - 1) === at && time <= high).length) / times.length;
    return [["this artefact", mine], ["dense fp32", reference]].flatMap(([side, times]) =>
      Array.from({ length: count }, (_, at) => ({ side, low: low + at * width, high: low + (at + 1) * width, share: share(times, at) }))
        .filter((bin) => bin.share > 0));
  }

  // Which artefact was timed, when, and what scored the items.
  function timedOn(id, timing) {
    const { run, kernel, provenance } = timing;
    const made = ` on ${provenance.started.slice(0, 10)}, in turn with dense fp32 in one process; a ratio below 1 is faster. `;
    return h("p", {}, ...(run === id ? ["Timed", made] : ["Timed on the artefact of ", h("a", { href: `run.html#run=${RecPress.address(run)}` }, run), ", which is stored alike (same codecs, types and shapes),", made]),
      kernel ? `Items were scored by ${kernel}. ` : null, "Histograms leave out the slowest hundredth.");
  }

  function latency(id, timing) {
    const timed = scenarios(id, timing);
    const heads = ["Scenario", "Threads", "p50 ms", "p90 ms", "p99 ms", "fp32 p50 ms", "Ratio", "95 % interval of this timing", "Calls"];
    const lines = timed.map((each) => [each.noisy ? `${each.scenario} (noisy)` : each.scenario, String(each.threads),
      ...[each.p50_ms, each.p90_ms, each.p99_ms, each.reference_p50_ms].map((time) => number(time, 3)),
      `${each.ratio.toFixed(3)}×`, `${each.ratio_low.toFixed(3)}–${each.ratio_high.toFixed(3)}`, each.queries.toLocaleString("en")]);
    const plots = timed.filter((each) => each.samples).map((each) => {
      const plot = h("div", { class: "plot short", role: "img", "aria-label": `Times of ${each.scenario}, this artefact and dense fp32` });
      const chart = RecPress.chart(plot, "histogram", { renderer: "svg" });
      samples(each.samples).then((sides) => chart.update(bins(sides))).catch(() => plot.replaceChildren("The raw times could not be read."));
      return h("figure", {}, h("figcaption", {}, `${each.scenario}, ${each.batch_size} user${each.batch_size === 1 ? "" : "s"} a call`), plot);
    });
    return [timedOn(id, timing), table("Latency", heads, lines, 1), stages(timed),
      h("dl", { class: "facts" }, [["resident", "Memory grew by loading it"], ["peak_resident", "Most memory while serving"]].map(([key, name]) =>
        timing[key] != null && tile(name, RecPress.bytes(timing[key])))),
      h("div", { class: "pair" }, plots)];
  }

  // Median times of the parts of an answer, timed apart; none in older timings.
  function stages(timed) {
    const told = timed.filter((each) => Object.keys(each.stages_ms).length);
    const names = [...new Set(told.flatMap((each) => Object.keys(each.stages_ms)))];
    return told.length ? table("Stages", ["Stage, ms", ...names], told.map((each) => [each.scenario, ...names.map((name) => number(each.stages_ms[name], 3))]), 1) : null;
  }

  function untimed({ record, timings }, now) {
    const { dataset, backbone, method } = record.identity;
    const others = Object.keys(timings);
    return [h("p", {}, record.bytes ? (now === null ? "It was not timed. " : "It was not timed on this machine. ") : "It made no artefact to time. ", others.length ? `It was on ${others.map(machine.label).join("; ")}: choose it above. ` : null),
      record.bytes ? h("p", {}, "To time it, run this on the machine, in a checkout of the repository:") : null,
      record.bytes ? RecPress.command(`recpress time --dataset ${dataset} --backbone ${backbone} --method ${method}`) : null];
  }

  function speed(entry, timing, now) {
    const choice = now === null ? null : machine.choice((name) => (entry.timings[name] ? "" : " – not timed there"));
    return section("Speed", choice, ...(timing ? latency(entry.id, timing) : untimed(entry, now)));
  }

  function energy(record, timing) {
    const from = (each) => (each.grade === "analytic" ? "any" : onMachine(record.provenance.machine));
    const lines = [
      ...record.energy.map((each) => [words(each.what), from(each), each]),
      ...(timing ? [...timing.energy.map((each) => ["", each]), ...timing.reference_energy.map((each) => [" of dense fp32", each])] : [])
        .map(([whose, each]) => [`${words(each.what)}${whose}`, onMachine(timing.provenance.machine), each]),
    ];
    return lines.length ? section("Energy", table("Energy", ["What", "Machine", "Grade", "From", "Energy mJ", "Low–high mJ"], lines.map(([what, where, each]) =>
      [what, where, each.grade, each.table, number(1e3 * each.joules, 3), `${number(1e3 * each.low, 3)}–${number(1e3 * each.high, 3)}`]), 4)) : null;
  }

  function cost({ record, break_even: repaid }, now) {
    const [queries, grade] = repaid[now] || [];
    return section("Cost of compressing", tree(record.cost), queries === undefined ? null
      : h("p", {}, `After ${RecPress.fixed(Math.ceil(queries), 0)} queries on ${machine.label(now)}, what an answer saves beside dense fp32 has repaid the energy of compressing (${grade}).`));
  }

  // What decides how long it takes to answer, whoever made it.
  function serving({ record, signature }) {
    if (!record.serving) return null;
    return section("How it is stored", h("p", {}, "Runs with the same serving signature are stored alike and take equally long."),
      h("dl", { class: "rows" }, h("dt", {}, "serving signature"), h("dd", {}, h("code", {}, signature))),
      h("details", {}, h("summary", {}, "Codecs, types and shapes"), tree(record.serving)));
  }

  // Who repeated it, and what they found: what the tier rests on.
  function evidence({ tier, repetitions, record }) {
    const lines = repetitions.map((each) => {
      const what = each.event === "rescored" ? "scored again from its lists" : each.trained ? "run again, from training" : "run again, from the stored backbone";
      const where = each.machine === record.provenance.machine ? "the same machine" : `another machine (${each.machine})`;
      const timed = Object.entries(each.timed).map(([name, { ratio, low, high, noisy }]) => `${name} ${ratio.toFixed(2)}× fp32 (${low.toFixed(2)}–${high.toFixed(2)})${noisy ? ", disturbed" : ""}`);
      return [what, h("time", { datetime: each.date }, each.date.slice(0, 10)), where,
        each.differs ? h("span", { class: "badge" }, each.differs) : `${each.figures} figures are the same${timed.length ? `; ${timed.join(", ")}` : ""}`, h("code", {}, each.command)];
    });
    return section("How far it was repeated", h("p", {}, h("strong", {}, tier), `: ${RecPress.tiers[tier]}`),
      lines.length ? table("Repetitions", ["What", "When", "On", "Found", "By"], lines, 9) : null);
  }

  // Whatever else a record holds, by name: a figure is never left out because this page is older.
  function tree(value, name = "") {
    if (Array.isArray(value)) return value.length ? h("span", {}, value.map((each, at) => [at ? ", " : null, typeof each === "object" && each !== null ? tree(each, name) : String(each)]).flat()) : "–";
    if (value !== null && typeof value === "object") {
      const entries = Object.entries(value);
      return entries.length ? h("dl", { class: "rows" }, entries.flatMap(([key, inner]) => [h("dt", {}, words(key)), h("dd", {}, tree(inner, name === "caches" ? "bytes" : key))])) : "–";
    }
    if (value === null) return "–";
    if (typeof value === "number" && /(^|_)bytes$/.test(name)) return RecPress.bytes(value);
    if (typeof value === "number" && /(^|_)seconds$/.test(name)) return `${number(value, 3)} s`;
    return typeof value === "number" && !Number.isInteger(value) ? number(value, 5) : String(value);
  }

  function show(runs, at) {
    const { id, record, tier, timings, doubts } = runs[at];
    const now = machine.now(), timing = timings[now];
    shown.at = at;
    const who = record.identity;
    document.title = `${who.method} ${who.variant} on ${who.dataset} · RecPress`;
    const seeds = runs.map((each, index) => h("button", { type: "button", class: "quiet", "aria-pressed": String(index === at), onclick: () => show(runs, index) }, `seed ${each.record.identity.seed}`));
    const { quality: scored, ...others } = record;
    const extra = scored ? Object.fromEntries(Object.entries(scored).filter(([key]) => !["metrics", "retention", "users", "users_left_out", "topk_sha256", "paired", "item_deciles", "user_deciles", "doubtful"].includes(key))) : {};
    const known = ["schema_version", "status", "reason", "identity", "quality", "bytes", "serving", "energy", "cost", "provenance"];
    const more = Object.fromEntries(Object.entries(others).filter(([key]) => !known.includes(key)));
    const about = machine.about(now)?.about;
    const text = JSON.stringify(record, null, 1);
    const save = (name, what) => h("button", { type: "button", onclick: () => RecPress.download(name, "application/json", what) }, "Download");
    const whole = (title, name, what) => section(title, save(name, what), h("details", {}, h("summary", {}, "JSON"), h("pre", { tabindex: "0" }, what)));
    const file = `${id.replaceAll("/", "_")}.json`;
    const parts = [
      h("p", { class: "crumb" }, h("a", { href: `dataset/${who.dataset}.html` }, who.dataset), " / ", h("a", { href: `backbone/${who.backbone}.html` }, who.backbone), " / ", h("a", { href: `method/${who.method}.html` }, who.method)),
      h("h1", {}, RecPress.mark(who.family), `${who.method} ${who.variant}`),
      RecPress.titleOf(who.method) ? h("p", { class: "hint" }, RecPress.titleOf(who.method)) : null,
      runs.length > 1 ? h("p", { class: "seeds", role: "group", "aria-label": "Seeds" }, seeds) : null,
      record.status === "ok" ? null : h("p", { class: "warning" }, h("strong", {}, `${record.status}. `), record.reason || ""),
      doubts.length ? h("p", { class: "warning" }, h("strong", {}, "‡ Flagged for review: "), `${doubts.join("; ")}. It may be noise, or test items that the method has seen.`) : null,
      record.provenance.isolated === false ? h("p", { class: "warning" }, h("strong", {}, "Not isolated. "), "The operating system did not confine the run’s processes: nothing kept the method from reading test. ", h("a", { href: "rules.html#isolated" }, "What that means.")) : null,
      h("p", { class: "lead" }, `Seed ${who.seed}, ${tier}, ${record.provenance.started.slice(0, 10)}: quality, size and time of one artefact of ${who.backbone} on ${who.dataset}.`),
      tiles(runs[at], timing),
      section("Run it again", RecPress.command(record.provenance.command)),
      evidence(runs[at]),
      scored ? quality(record) : null,
      scored ? RecPress.slices(record) : null,
      Object.keys(extra).length ? section("More on quality", tree(extra)) : null,
      record.bytes ? bytes(record) : null,
      speed(runs[at], timing, now),
      energy(record, timing),
      record.cost ? cost(runs[at], now) : null,
      serving(runs[at]),
      ...Object.entries(more).map(([key, value]) => section(words(key), tree(value))),
      h("div", { class: "pair" }, section("What was run", tree(who)), section("Where it comes from", tree(record.provenance))),
      timing && about ? section("The machine that timed it", h("p", {}, h("a", { href: machine.page(now) }, machine.label(now))), tree(about)) : null,
      whole("The record", file, text),
      timing ? whole("The timing", `${now}_${file}`, JSON.stringify(timing, null, 1)) : null,
    ];
    place.replaceChildren(...parts.filter(Boolean));
  }

  // What was shown last: a change of the machine keeps the seed.
  let shown = { asked: null, at: null };

  async function open() {
    const asked = (new URLSearchParams(location.hash.slice(1)).get("run") || "").split("/").map((part) => {
      try { return decodeURIComponent(part); } catch { return part; }
    }).join("/");
    const seed = asked.match(/\.seed\d+$/);
    const run = seed ? asked.slice(0, seed.index) : asked;
    if (asked !== shown.asked) {
      shown = { asked, at: null };
      place.replaceChildren(h("p", {}, "Loading…"));
    }
    const runs = run ? await RecPress.loadRun(run).catch(() => []) : [];
    if (runs.length) {
      const focused = document.activeElement?.name === "machine";
      show(runs, shown.at ?? Math.max(runs.findIndex((each) => each.id === asked), 0));
      if (focused) place.querySelector("select[name=machine]")?.focus();
    } else {
      place.replaceChildren(h("h1", {}, "Run"), h("p", {}, run ? `There is no run ${run} on this board. ` : "No run was named. ", h("a", { href: "index.html" }, "The overview lists all.")));
    }
  }
  document.addEventListener("DOMContentLoaded", () => machine.start(open));
})();

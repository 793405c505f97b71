// Form, answer, chart and table of one page, kept in step with the state in the address.
"use strict";
(function () {
  const { h, store } = RecPress;
  const section = document.getElementById("explorer");
  const form = document.getElementById("question");
  const scope = JSON.parse(section.dataset.scope);
  const MOST = 4;
  const MARKS = 1000;
  const LISTS = { family: "family", division: "division", form: "serve_form", protocol: "protocol", status: "status" };
  const HEADLINE = [...store.columns.values()].filter((column) => column.headline).map((column) => column.key);
  // Those that fit least into a page's width are a click away.
  const AWAY = [RecPress.headline.second_column, "batch_ms", "batch_ratio"];
  const ORDER = ["method", "variant", "dataset", "backbone",
    ...HEADLINE.filter((key) => !store.isText(key) && !AWAY.includes(key) && key !== "analytic_mj"), "tier", "analytic_mj", "status", "seeds"];
  const CHOICES = ["method", "variant", "dataset", "backbone",
    ...[...store.columns.keys()].filter((key) => !["method", "variant", "dataset", "backbone", "status", "tier"].includes(key)), "status", "tier", "seeds"];

  // A page about one thing fixes it; the overview opens on the data set with most results.
  const { machine } = RecPress;
  const defaults = { machine: machine.usual() || "", dataset: scope.dataset || (scope.backbone ? "all" : form.dataset.options[0].value), ...scope };
  let state = read();
  let shown = { rows: [], keys: [] };

  function read() {
    const given = RecPress.state.read(defaults);
    return { ...given, machine: machine.known(given.machine) || "", ...scope };
  }

  const energyKey = () => `${state.grade || form.grade.value}_mj`;
  const axisKey = () => (state.x === "energy" ? energyKey() : state.x);

  function wanted(given) {
    return {
      equal: { dataset: given.dataset === "all" ? "" : given.dataset, backbone: given.backbone },
      among: { ...Object.fromEntries(Object.entries(LISTS).map(([name, key]) => [key, given[name]])), tier: store.tiersFrom(given.tier) },
      contains: given.q,
      // An interval's low end decides: what a limit asks for is surely there.
      least: { [`${RecPress.answer.measure(given)}_low`]: given.retained },
      most: { mb: given.mb, single_ms: given.ms, [energyKey()]: given.mj },
    };
  }
  const find = (given) => store.filter(wanted(given));

  function columnKeys() {
    if (state.cols.length) return CHOICES.filter((key) => key === "method" || state.cols.includes(key));
    const fixed = (key) => (key === "dataset" && state.dataset !== "all") || (key === "backbone" && state.backbone);
    return ORDER.filter((key) => !fixed(key) && store.has(key));
  }

  function sorting() {
    const [key, way] = state.sort.split(".");
    if (store.has(key)) return { key, descending: way === "down" };
    return RecPress.answer.ordering(state, energyKey());
  }

  // ---- the chart -------------------------------------------------------------------------------------------
  const place = document.getElementById("pareto");
  section.hidden = false;
  for (const element of document.querySelectorAll(".needs-script")) element.hidden = false;
  for (const element of document.querySelectorAll(".static")) element.hidden = true;
  const title = (key) => {
    const column = store.columns.get(key);
    return column.unit ? `${column.label} [${column.unit}]` : column.label;
  };
  const axis = (key) => (store.columns.get(key).timed && state.machine ? `${title(key)} on ${state.machine}` : title(key));
  const chart = RecPress.chart(place, "pareto", {
    open: (datum) => store.href(datum.row),
    tip: ({ row }) => [`${store.name(row)}, ${store.word("backbone", row)}, ${store.word("dataset", row)}`,
      `${RecPress.headline.label} ${store.write(RecPress.headline.column, row)}, ${store.write("retained", row)} % retained`, `${store.write("mb", row)} MB, ${store.write("smaller", row)}× smaller`,
      `${store.write("single_ms", row)} ms a user, ${store.write("single_ratio", row)} × fp32${state.machine ? `, on ${state.machine}` : ""}`, `${store.write(energyKey(), row)} mJ a query (${energyKey().split("_")[0]})`],
  });

  function draw(rows, marks, answer) {
    const x = axisKey();
    const y = state.dataset === "all" && state.y !== "retained" ? "retained" : state.y;
    const picked = new Set(state.runs);
    const points = [];
    // A letter of a label takes about 6.5 pixels, and there is room for a mark before it.
    const size = (row) => [(6.5 * store.name(row).length + 16) / Math.max(place.clientWidth - 90, 200), 0.06];
    const drawable = rows.filter((row) => store.number(x, row) > 0 && store.number(y, row) !== null && store.word("status", row) === "ok");
    const named = RecPress.spaced(rows.filter((row) => row === answer || marks.has(row)), (row) => [Math.log(store.number(x, row)), store.number(y, row)], size, answer, drawable);
    const chosen = (row) => row === answer || (picked.size > 0 && picked.has(store.id(row)));
    // A picture of thousands of marks tells no more than an even sample of them, and takes longer to draw.
    const step = Math.ceil(drawable.length / MARKS);
    const sample = step > 1 ? drawable.filter((row, at) => at % step === 0 || marks.has(row) || chosen(row)) : drawable;
    document.getElementById("sampled").textContent = step > 1
      ? ` ${sample.length.toLocaleString("en")} of ${drawable.length.toLocaleString("en")} marks are drawn: the front and an even sample.` : "";
    for (const row of sample) {
      const [low, high] = store.range(y, row);
      points.push({
        row, x: store.number(x, row), y: store.number(y, row), low: high > low ? low : null, high,
        family: store.word("family", row), front: marks.has(row), chosen: chosen(row),
        label: named.has(row) ? store.name(row) : null, flip: named.get(row) === "end",
      });
    }
    return chart.update(points, { x_title: `${axis(x)}, log scale`, y_title: title(y) });
  }

  // ---- the form --------------------------------------------------------------------------------------------
  const RANGES = {};
  function measure() {
    for (const [name, key] of [["mb", "mb"], ["ms", "single_ms"], ["mj", "analytic_mj"]]) {
      let low = Infinity, high = 0;
      for (let row = 0; row < store.size; row += 1) {
        const value = store.number(key, row);
        if (value > 0) { low = Math.min(low, value); high = Math.max(high, value); }
      }
      RANGES[name] = high ? [low, high] : [0.01, 100];
    }
    RANGES.of = state.machine;
  }
  // Sliders run over what the board holds, on a log scale; their far end is "any".
  function fromSlider(name, place) {
    if (name === "retained") return place === 0 ? null : 50 + place / 2;
    const [low, high] = RANGES[name];
    return place === 100 ? null : Number((low * (high / low) ** (place / 99)).toPrecision(2));
  }
  function toSlider(name, value) {
    if (name === "retained") return value === null ? 0 : Math.max(0, (value - 50) * 2);
    const [low, high] = RANGES[name];
    return value === null ? 100 : Math.round((99 * Math.log(Math.max(value, low) / low)) / Math.log(high / low || 2));
  }

  function fillForm() {
    for (const name of ["dataset", "backbone", "goal", "tier", "x", "y", "q"]) form.elements[name].value = state[name];
    if (state.grade) form.grade.value = state.grade;
    for (const name of ["retained", "mb", "ms", "mj"]) {
      const field = form.elements[name];
      if (document.activeElement !== field) field.value = state[name] ?? "";
      const slider = form.querySelector(`[data-for="${name}"]`);
      if (document.activeElement !== slider) slider.value = toSlider(name, state[name]);
      slider.setAttribute("aria-valuetext", state[name] === null ? "any" : String(state[name]));
    }
    let more = 0;
    for (const name of Object.keys(LISTS)) {
      for (const box of form.querySelectorAll(`input[type=checkbox][name="${name}"]`)) box.checked = state[name].includes(box.value);
      more += state[name].length;
    }
    more += (state.q ? 1 : 0) + (state.tier ? 1 : 0);
    document.getElementById("more-count").textContent = more ? ` (${more} on)` : "";
    for (const name of Object.keys(scope)) form.elements[name].closest("label").hidden = true;
  }

  function readForm(target) {
    const name = target.name;
    if (target.dataset.for) return { [target.dataset.for]: fromSlider(target.dataset.for, Number(target.value)) };
    if (target.type === "number") {
      const value = target.value === "" ? null : Number(target.value);
      return { [name]: Number.isFinite(value) ? value : null };
    }
    if (target.type === "checkbox") {
      return { [name]: [...form.querySelectorAll(`input[name="${name}"]:checked`)].map((box) => box.value) };
    }
    return { [name]: target.value };
  }

  form.addEventListener("input", (event) => event.target.name !== undefined && change({ ...readForm(event.target), page: 1 }));
  for (const name of ["x", "y"]) form.elements[name].addEventListener("change", (event) => change({ [name]: event.target.value }));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    const whose = state.machine;
    history.replaceState(null, "", "#");
    state = { ...read(), machine: whose };
    update();
  });
  const examples = document.getElementById("examples");
  function fillExamples() {
    const asked = RecPress.answer.examples(find({ ...state, retained: null, mb: null, ms: null, mj: null }));
    examples.replaceChildren("For example: ", ...asked.map(({ words, ...question }) =>
      h("button", { type: "button", onclick: () => change({ ...question, sort: "", page: 1 }) }, words)));
  }

  // ---- columns, export, compare ----------------------------------------------------------------------------
  const columnMenu = document.getElementById("columns");
  function fillColumns() {
    columnMenu.replaceChildren(...CHOICES.filter((key) => key !== "method" && store.has(key)).map((key) => {
      const box = h("input", { type: "checkbox", value: key });
      box.checked = shown.keys.includes(key);
      return h("label", {}, box, ` ${store.columns.has(key) ? title(key) : "Seeds"}`);
    }));
  }
  columnMenu.addEventListener("change", (event) => {
    const chosen = [...columnMenu.querySelectorAll("input:checked")].map((box) => box.value);
    change({ cols: ["method", ...chosen] });
    columnMenu.querySelector(`[value="${event.target.value}"]`)?.focus();
  });
  for (const button of section.querySelectorAll("[data-export]")) {
    button.addEventListener("click", () => {
      const [ending, type] = RecPress.exportTypes[button.dataset.export];
      RecPress.download(`recpress.${ending}`, type, RecPress.exporters[button.dataset.export](shown.rows, shown.keys));
    });
  }
  document.addEventListener("click", (event) => {
    for (const menu of section.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });

  const draws = RecPress.table(document.getElementById("table"), document.getElementById("pager"), {
    sort(key) {
      const now = sorting();
      const column = store.columns.get(key);
      const first = Boolean(column && column.better === "high");
      const descending = now.key === key ? !now.descending : first;
      change({ sort: `${key}.${descending ? "down" : "up"}`, page: 1 });
    },
    pick(id, on) {
      const runs = state.runs.filter((each) => each !== id);
      change({ runs: on ? [...runs, id].slice(-MOST) : runs }, id);
    },
    page: (page) => change({ page }),
  });

  // ---- all of it -------------------------------------------------------------------------------------------
  function change(given) {
    const focus = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.run : null;
    state = { ...state, ...given };
    const done = update();
    if (focus) document.querySelector(`input[data-run="${CSS.escape(focus)}"]`)?.focus();
    return done;
  }

  function update() {
    // Nothing is drawn with one machine's name and another's times.
    if (machine.known(state.machine) !== machine.now()) {
      return machine.use(state.machine).then((done) => {
        if (!done) return undefined;
        state.machine = machine.now();
        return update();
      });
    }
    if (RANGES.of !== state.machine) measure();
    const began = performance.now();
    const sorted = sorting();
    const rows = store.sort(find(state), sorted.key, sorted.descending);
    const keys = columnKeys();
    shown = { rows, keys };
    const y = state.dataset === "all" ? "retained" : state.y;
    // Quality is comparable within a data set only, so the front across several is of what is kept.
    const marks = store.front(rows, axisKey(), y);
    const answer = RecPress.answer.show(document.getElementById("answer"), rows, find, state, energyKey());
    draws({ rows, keys, front: marks, answer, state: { ...state, sorted } });
    fillForm();
    fillColumns();
    fillExamples();
    const timed = rows.filter((row) => store.number("single_ms", row) !== null).length;
    document.getElementById("count").textContent = `${rows.length.toLocaleString("en")} of ${store.size.toLocaleString("en")} rows, ${marks.size} on the front, ${timed && timed === rows.length ? "all" : timed.toLocaleString("en")} timed${state.machine ? " on this machine" : ""}`;
    const compare = document.getElementById("compare");
    const ready = state.runs.length >= 2;
    compare.textContent = state.runs.length ? `Compare ${state.runs.length} of up to ${MOST}` : "Pick rows to compare";
    compare.setAttribute("aria-disabled", String(!ready));
    if (ready) compare.href = machine.carry(`${RecPress.root}compare.html#runs=${state.runs.map(RecPress.address).join(",")}`);
    else compare.removeAttribute("href");
    RecPress.state.write(state, defaults);
    performance.measure("recpress-rows", { start: began });
    return draw(rows, marks, answer).then(() => {
      performance.measure("recpress-update", { start: began });
      section.dataset.drawn = String(Number(section.dataset.drawn || 0) + 1);
    });
  }

  window.addEventListener("hashchange", () => {
    state = read();
    update();
  });
  // Tests and the console see what is shown.
  RecPress.shown = () => ({ ...shown, state });
  update();
  performance.mark("recpress-interactive");
})();

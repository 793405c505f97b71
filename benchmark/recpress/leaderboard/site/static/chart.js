// Charts: which marks get a label, and how a compiled chart is drawn.
"use strict";
// Which items get a label, so that labels keep apart: a map to "end" for those that stand on the left of their mark.
// place(item) is [x, y] on the axes' own scales, size(item) the share of both axes that its label takes; the axes hold
// all of `drawn`. The first item is labelled before the others.
RecPress.spaced = function (items, place, size, first, drawn = items) {
  const spans = [0, 1].map((axis) => {
    const values = drawn.map((item) => place(item)[axis]).filter(Number.isFinite);
    const low = Math.min(...values);
    return [low, Math.max(...values) - low || 1];
  });
  const taken = [], labelled = new Map();
  for (const item of items.includes(first) ? [first, ...items.filter((each) => each !== first)] : items) {
    const [x, y] = place(item).map((value, axis) => (value - spans[axis][0]) / spans[axis][1]);
    if (!Number.isFinite(x) || !Number.isFinite(y)) continue;
    const [width, height] = size(item);
    const side = x + width > 1 ? "end" : "start";
    const box = [side === "end" ? x - width : x, side === "end" ? x : x + width, y - height / 2, y + height / 2];
    if (taken.some((other) => box[0] < other[1] && box[1] > other[0] && box[2] < other[3] && box[3] > other[2])) continue;
    taken.push(box);
    labelled.set(item, side);
  }
  return labelled;
};

// Draws a compiled chart with Vega and keeps it in step with its data and the theme.
RecPress.chart = function (place, name, options) {
  let view = null;
  let rows = [];
  let made = Promise.resolve();
  let titles = {};
  const said = place.getAttribute("aria-label");

  function colours() {
    const style = getComputedStyle(document.documentElement);
    return Object.fromEntries(["ink", "muted", "line", "paper"].map((key) => [key, style.getPropertyValue(`--${key}`).trim()]));
  }

  // The page's own tooltip, written when it is asked for.
  const box = document.getElementById("tip");
  function tip(_, event, item, value) {
    const lines = options.tip ? item && item.datum && "row" in item.datum && options.tip(item.datum)
      : value && Object.entries(value).map(([key, text]) => `${key}: ${text}`);
    box.hidden = !lines;
    if (!lines) return;
    box.replaceChildren(...lines.map((line) => RecPress.h("div", {}, line)));
    box.style.left = `${Math.max(8, Math.min(event.clientX + 14, innerWidth - box.offsetWidth - 8))}px`;
    box.style.top = `${event.clientY + 18 + box.offsetHeight > innerHeight ? event.clientY - box.offsetHeight - 10 : event.clientY + 18}px`;
  }

  async function embed() {
    const { ink, muted, line, paper } = colours();
    let text = JSON.stringify(RecPress.specs[name]).replaceAll('"INK"', () => JSON.stringify(ink)).replaceAll('"PAPER"', () => JSON.stringify(paper));
    if (options.series) text = text.replaceAll('"SERIES"', () => options.series.map((name) => JSON.stringify(name)).join(","));
    const spec = JSON.parse(text);
    for (const signal of spec.signals || []) if (signal.name in titles) signal.value = titles[signal.name];
    spec.data.find((each) => each.name === "rows").values = rows;
    const axis = { labelColor: muted, titleColor: muted, gridColor: line, domainColor: line, tickColor: line, labelFontSize: 12, titleFontSize: 12 };
    // Vega would call every chart "Vega visualization".
    spec.description = said;
    if (view) view.finalize();
    const result = await vegaEmbed(place, spec, {
      mode: "vega", actions: false, logLevel: 1, renderer: options.renderer || "canvas",
      tooltip: tip,
      config: { background: null, font: "system-ui, sans-serif", axis, legend: { labelColor: ink, labelFontSize: 12 }, style: { cell: { stroke: line } } },
    });
    view = result.view;
    view.addEventListener("click", (_, item) => {
      if (options.open && item && item.datum && "row" in item.datum) location.href = options.open(item.datum);
    });
  }

  function again(step) {
    made = made.then(step).catch((error) => { console.error(error); });
    return made;
  }
  // vega.js is the last script of the page.
  const ready = window.vegaEmbed ? Promise.resolve() : new Promise((done) => document.addEventListener("DOMContentLoaded", done));
  window.addEventListener("recpress-theme", () => view && again(embed));

  return {
    // titles: {x_title, y_title}, for the charts whose axes can change.
    update(newRows, newTitles = {}) {
      rows = newRows;
      titles = newTitles;
      return again(async () => {
        await ready;
        if (newRows !== rows) return; // a later update has come meanwhile
        if (!view) { await embed(); return; }
        for (const [name, title] of Object.entries(titles)) view.signal(name, title);
        await view.data("rows", rows).runAsync();
      });
    },
  };
};

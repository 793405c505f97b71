// Lines of what is retained against how small: of one data set by method, or of one method by data set and backbone.
"use strict";
(function () {
  const { store } = RecPress;
  const place = document.getElementById("curves");
  for (const element of document.querySelectorAll(".needs-script")) element.hidden = false;
  const method = place.dataset.method;
  const series = (row) => `${store.word("dataset", row)}, ${store.word("backbone", row)}`;
  const names = method ? [...new Set(fitting({ method }).map(series))].sort() : null;
  const chart = RecPress.chart(place, method ? "series" : "curves", {
    series: names,
    open: (datum) => store.href(datum.row),
    tip: ({ row }) => [`${store.name(row)}, ${store.word("backbone", row)}, ${store.word("dataset", row)}`,
      `${store.write("retained", row)} % of ${RecPress.headline.label} retained`, `${store.write("mb", row)} MB, ${store.write("smaller", row)}× smaller`],
  });

  function fitting(equal) {
    return store.sort(store.filter({ equal, among: { status: ["ok"] }, contains: "", least: {}, most: {} }), "smaller", false)
      .filter((row) => store.number("retained", row) !== null && store.number("smaller", row) > 0);
  }

  // A line joins the budgets of its series. Explicit parameters are no step on it, unless they are all there is.
  function onLines(rows, series) {
    const budgeted = new Set(rows.filter((row) => store.number("budget", row) !== null).map(series));
    return rows.filter((row) => !budgeted.has(series(row)) || store.number("budget", row) !== null);
  }

  function rowsOf(equal, series) {
    const found = onLines(fitting(equal), series);
    // Each line is named at its small end, where there is room; a legend names the lines of a method's page.
    const last = new Map(found.map((row) => [series(row), row]));
    const size = (row) => [(6 * series(row).length + 14) / Math.max(place.clientWidth - 90, 200), 0.045];
    const named = method ? new Map() : RecPress.spaced([...last.values()],
      (row) => [Math.log(store.number("smaller", row)), store.number("retained", row)], size, null, found);
    return found.map((row) => {
      const [low, high] = store.range("retained", row);
      return {
        x: store.number("smaller", row), y: store.number("retained", row), low, high, series: series(row),
        row, family: store.word("family", row),
        label: named.has(row) ? series(row) : null, flip: named.get(row) === "end",
      };
    });
  }

  if (method) {
    chart.update(rowsOf({ method }, series));
    return;
  }
  const scope = JSON.parse(document.getElementById("explorer").dataset.scope);
  const backbone = document.getElementById("curves-backbone");
  const show = () => chart.update(rowsOf({ dataset: scope.dataset, backbone: backbone.value }, (row) => store.word("method", row)));
  backbone.addEventListener("change", show);
  show();
})();

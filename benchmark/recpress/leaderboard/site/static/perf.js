// The speed of the code over its commits: one benchmark at a time, with the level that noise alone leaves.
"use strict";
RecPress.receivePerf = function (series) {
  const place = document.getElementById("perf");
  const choice = document.getElementById("perf-series");
  for (const element of document.querySelectorAll(".needs-script")) element.hidden = false;
  const chart = RecPress.chart(place, "history", {
    tip: ({ row }) => [`${row.commit}, ${row.date.slice(0, 10)}`, `${row.y} ${row.unit}`.trim(),
      row.low === null ? "one call was timed" : `99 % interval ${row.low} to ${row.high}`],
  });
  function show() {
    const { name, unit, points } = series[Number(choice.value)];
    const rows = points.map((point, at) => ({ x: at + 1, y: point.y, low: point.low, high: point.high, level: point.level, row: { ...point, unit } }));
    chart.update(rows, { y_title: unit ? `${name} [${unit}]` : name })
      .then(() => place.setAttribute("aria-label", `${name} at ${points.length} commits, oldest first`));
  }
  const asked = new URLSearchParams(location.hash.slice(1)).get("series");
  const found = series.findIndex((each) => each.name === asked);
  // The longest history is the one that shows most.
  const longest = series.reduce((best, each, at) => (each.points.length > series[best].points.length ? at : best), 0);
  choice.value = String(found >= 0 ? found : longest);
  choice.addEventListener("change", () => {
    history.replaceState(null, "", `#${new URLSearchParams({ series: series[Number(choice.value)].name })}`);
    show();
  });
  show();
};

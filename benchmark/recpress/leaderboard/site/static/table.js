// The table of one page of rows. It draws what it is given and reports clicks; it decides nothing.
"use strict";
RecPress.table = function (place, pager, actions) {
  const { h, store } = RecPress;
  const PAGE = 50;

  function heading(key, state) {
    const column = store.columns.get(key) || { label: "Seeds", unit: "", help: "Number of seeds that the row averages." };
    const sorted = state.sorted.key === key;
    const arrow = sorted ? (state.sorted.descending ? " ↓" : " ↑") : "";
    return h("th", {
      scope: "col", class: store.isText(key) ? null : "num",
      "aria-sort": sorted ? (state.sorted.descending ? "descending" : "ascending") : null,
    }, h("button", { type: "button", "data-sort": key, "data-tip": column.help }, column.label,
      column.unit ? h("small", {}, ` ${column.unit}`) : null, arrow ? h("span", { "aria-hidden": "true" }, arrow) : null));
  }

  function methodCell(row, view) {
    return h("th", { scope: "row" }, RecPress.mark(store.word("family", row)),
      h("a", { href: store.href(row), title: RecPress.titleOf(store.word("method", row)) }, store.word("method", row)),
      store.word("developed", row) ? h("span", { tabindex: "0", "data-tip": store.columns.get("developed").help }, " †") : null,
      store.word("doubtful", row) ? h("span", { tabindex: "0", class: "doubt", "data-tip": `Flagged for review: ${store.word("doubtful", row)}.` }, " ‡") : null,
      store.word("isolated", row) === "no" ? h("span", { tabindex: "0", class: "badge", "data-tip": store.columns.get("isolated").help }, "not isolated") : null,
      view.front.has(row) ? h("span", { class: "front", "data-tip": "On the Pareto front of what is shown." }, " ◆") : null);
  }

  function cell(key, row, view) {
    if (key === "method") return methodCell(row, view);
    if (key === "status" && store.word(key, row) !== "ok") {
      return h("td", {}, h("span", { class: "badge", tabindex: "0", "data-tip": store.word("reason", row) || "No figures." }, store.word(key, row)));
    }
    if (key === "variant") {
      const text = store.word(key, row);
      return h("td", { class: "variant" }, text.length > 18 ? h("span", { tabindex: "0", "data-tip": text }, text) : text);
    }
    if (key === "tier") return h("td", {}, h("span", { tabindex: "0", "data-tip": store.tiers[store.word(key, row)] }, store.word(key, row)));
    const noisy = !store.isText(key) && key !== "seeds" && store.write(key, row).startsWith("~");
    const [figure, ...spread] = store.write(key, row).split(/(?= ± | \()/);
    return h("td", { class: [store.isText(key) ? "" : "num", noisy ? "noisy" : ""].join(" ").trim() || null },
      store.isText(key) ? store.write(key, row) : [figure, spread.length ? h("small", {}, spread.join("")) : null]);
  }

  function line(row, keys, view) {
    const id = store.id(row);
    const ok = store.word("status", row) === "ok";
    const box = h("input", { type: "checkbox", "data-run": id, "aria-label": `Compare ${store.name(row)}, ${store.word("backbone", row)}, ${store.word("dataset", row)}` });
    box.checked = view.state.runs.includes(id);
    return h("tr", { class: [ok ? "" : "off", row === view.answer ? "answer-row" : ""].join(" ").trim() || null },
      h("td", { class: "pick" }, box), keys.map((key) => cell(key, row, view)));
  }

  place.addEventListener("click", function (event) {
    const button = event.target.closest("button[data-sort]");
    if (button) actions.sort(button.dataset.sort);
  });
  place.addEventListener("change", function (event) {
    if (event.target.dataset.run) actions.pick(event.target.dataset.run, event.target.checked);
  });
  pager.addEventListener("click", function (event) {
    if (event.target.dataset.page) actions.page(Number(event.target.dataset.page));
  });

  // view: {rows (sorted), keys, front, answer, state}
  return function draw(view) {
    const pages = Math.max(1, Math.ceil(view.rows.length / PAGE));
    const page = Math.min(view.state.page, pages);
    const shown = view.rows.slice((page - 1) * PAGE, page * PAGE);
    const focused = document.activeElement && document.activeElement.dataset && document.activeElement.dataset.sort;
    place.replaceChildren(h("table", { class: "board" },
      h("thead", {}, h("tr", {}, h("td", { class: "pick" }, h("span", { class: "hidden" }, "Compare")), view.keys.map((key) => heading(key, view.state)))),
      h("tbody", {}, shown.length ? shown.map((row) => line(row, view.keys, view))
        : h("tr", {}, h("td", { colspan: view.keys.length + 1 }, "Nothing fits. Loosen a limit or clear the filters.")))));
    // Drawing anew must not take the keyboard's place away.
    if (focused) place.querySelector(`button[data-sort="${focused}"]`)?.focus();
    pager.hidden = pages === 1;
    pager.replaceChildren(
      h("button", { type: "button", class: "quiet", "data-page": page - 1, disabled: page === 1 }, "Previous"),
      h("span", {}, `page ${page} of ${pages}`),
      h("button", { type: "button", class: "quiet", "data-page": page + 1, disabled: page === pages }, "Next"));
  };
};

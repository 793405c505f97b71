// Who pays for the compression: what each tenth of the items and of the users keeps.
"use strict";
(function () {
  const { h } = RecPress;
  const percent = (value) => `${(100 * value).toFixed(0)} %`;
  const mean = (values) => {
    const known = values.filter((value) => value !== null);
    return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
  };

  // In words, or null where the record has no such figures. Rare items have few test items, hence the caution.
  RecPress.whoPays = function (record) {
    const { item_deciles: items, user_deciles: users } = record.quality || {};
    const said = [];
    if (users && users.length) {
      const [least, most] = [users[0], users[users.length - 1]];
      if (least !== null && most !== null) said.push(`The least active tenth of the users retains ${percent(least)} of its NDCG@20, the most active tenth ${percent(most)}.`);
    }
    if (items && items.length) {
      const rare = mean(items.slice(0, 5)), popular = mean(items.slice(5));
      if (rare !== null && popular !== null) said.push(`Averaged over its tenths, the rarer half of the catalogue retains ${percent(rare)} of its recall@20, the more popular half ${percent(popular)}. The rarest items have few test items.`);
    }
    return said.length ? said.join(" ") : null;
  };

  // A row of ten cells, shaded by what is lost and written out.
  function strip(caption, ends, values) {
    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, h("table", { class: "board strip" },
      h("caption", {}, caption),
      h("thead", {}, h("tr", {}, values.map((_, at) => h("th", { scope: "col", class: "num" }, at === 0 ? ends[0] : at === values.length - 1 ? ends[1] : String(at + 1))))),
      h("tbody", {}, h("tr", {}, values.map((value) => h("td", {
        class: "num heat", style: value === null ? null : `--loss: ${Math.round(100 * Math.min(Math.max((1 - value) * 2, 0), 0.4))}%`,
      }, value === null ? "–" : percent(value)))))));
  }

  RecPress.slices = function (record) {
    const { item_deciles: items, user_deciles: users, paired } = record.quality;
    const parts = [
      paired && h("p", {}, `Of ${paired.metric}, ${(100 * paired.low).toFixed(1)} to ${(100 * paired.high).toFixed(1)} % is kept, with 95 % confidence. `,
        paired.margin === null ? "No margin of non-inferiority holds. " : paired.margin <= 0.01 ? "Lossless at the 1 % margin. " : `Non-inferior at the ${(100 * paired.margin).toFixed(0)} % margin. `,
        paired.p_value < 0.05 ? `The difference is significant (p = ${paired.p_value.toPrecision(2)}).` : `It can't be told apart from the backbone (p = ${paired.p_value.toPrecision(2)}); a difference of ${(100 * paired.detectable).toFixed(1)} % would be found.`),
      items && items.length && strip("Recall@20 retained, by tenth of the items", ["rarest", "most popular"], items),
      users && users.length && strip(`${RecPress.headline.label} retained, by tenth of the users`, ["least active", "most active"], users),
    ].filter(Boolean);
    return parts.length ? h("section", {}, h("h2", {}, "Who pays"), parts) : null;
  };
})();

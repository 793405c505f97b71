// The board's rows as columns, and what can be asked of them: filter, sort, Pareto front. No page in here.
"use strict";
RecPress.receiveBoard = function (board) {
  const { intervals, tiers } = board;
  let { text, numbers } = board;
  const ladder = Object.keys(tiers);
  const columns = new Map(board.columns.map((column) => [column.key, column]));
  const collator = new Intl.Collator("en", { numeric: true });
  const ranks = new Map();

  // Over the columns that are the same on every machine, those of one.
  function lay(timed) {
    text = { ...board.text, ...timed.text };
    numbers = { ...board.numbers, ...timed.numbers };
    ranks.clear();
  }

  const isText = (key) => key in text;
  const word = (key, row) => text[key].words[text[key].codes[row]];
  const number = (key, row) => (key in numbers ? numbers[key][row] : null);
  const noisy = (scenario, row) => number(`${scenario}_noisy`, row) === 1;

  // Place of each word of a text column in reading order, worked out once.
  function rank(key) {
    if (!ranks.has(key)) {
      const order = text[key].words.map((_, code) => code);
      const place = (code) => ladder.indexOf(text[key].words[code]);
      order.sort((a, b) => (key === "tier" ? place(a) - place(b) : collator.compare(text[key].words[a], text[key].words[b])));
      const places = [];
      order.forEach((code, place) => { places[code] = place; });
      ranks.set(key, places);
    }
    return ranks.get(key);
  }

  // Rows that fit: {equal: {key: word}, among: {key: [words]}, contains, least: {key: n}, most: {key: n}}.
  function filter(wanted) {
    const words = [];
    for (const [key, value] of Object.entries(wanted.equal)) {
      if (value) words.push([text[key].codes, text[key].words.map((each) => each === value)]);
    }
    for (const [key, values] of Object.entries(wanted.among)) {
      if (values.length) words.push([text[key].codes, text[key].words.map((each) => values.includes(each))]);
    }
    if (wanted.contains) {
      const part = wanted.contains.toLowerCase();
      words.push([text.method.codes, text.method.words.map((each) => each.toLowerCase().includes(part))]);
    }
    const limits = [];
    for (const [key, least] of Object.entries(wanted.least)) {
      if (least !== null) limits.push([numbers[key] || [], (value) => value >= least, null]);
    }
    for (const [key, most] of Object.entries(wanted.most)) {
      if (most !== null) limits.push([numbers[key] || [], (value) => value <= most, numbers[key.replace("_ms", "_noisy")]]);
    }
    const rows = [];
    for (let row = 0; row < board.rows; row += 1) {
      const fits = words.every(([codes, allowed]) => allowed[codes[row]]) && limits.every(([values, test, noise]) =>
        values[row] !== null && values[row] !== undefined && test(values[row]) && !(noise && noise !== values && noise[row]));
      if (fits) rows.push(row);
    }
    return rows;
  }

  // Plain numbers to sort by: place in reading order for text, unknown last whichever way it goes.
  function keys(rows, key, sign) {
    const values = new Float64Array(board.rows);
    const source = isText(key) ? null : numbers[key] || [];
    for (const row of rows) {
      const value = source ? source[row] : rank(key)[text[key].codes[row]];
      values[row] = value === null || value === undefined ? Infinity : sign * value;
    }
    return values;
  }

  // A new array, sorted; equal rows keep the board's order.
  function sort(rows, key, descending) {
    const values = keys(rows, key, descending ? -1 : 1);
    return [...rows].sort((a, b) => (values[a] === values[b] ? a - b : values[a] - values[b]));
  }

  // Rows on the front of low x and high y: the same rule as recpress.leaderboard.pareto.
  function front(rows, x, y) {
    const costs = keys(rows, x, 1), gains = keys(rows, y, -1);
    const ok = text.status.words.indexOf("ok");
    const noise = x.endsWith("_ms") ? numbers[x.replace("_ms", "_noisy")] : null;
    const known = rows.filter((row) => text.status.codes[row] === ok && costs[row] !== Infinity && gains[row] !== Infinity && !(noise && noise[row]));
    known.sort((a, b) => costs[a] - costs[b] || gains[a] - gains[b]);
    const chosen = new Set();
    let last = null;
    for (const row of known) {
      const better = last === null || gains[row] < gains[last];
      if (better || (gains[row] === gains[last] && costs[row] === costs[last])) { chosen.add(row); last = row; }
    }
    return chosen;
  }

  // A cell as it is read: mean ± sd, or ratio (interval).
  function write(key, row) {
    if (key === "seeds") return String(number(key, row));
    if (isText(key)) return word(key, row);
    const column = columns.get(key);
    const value = number(key, row);
    if (value === null) return "–";
    const places = column.significant ? RecPress.places(value, column.decimals) : column.decimals;
    const written = RecPress.fixed(value, places);
    const mark = (key.endsWith("_ms") || key.endsWith("_ratio")) && noisy(key.split("_")[0], row) ? "~" : "";
    if (intervals[key]) {
      const [low, high] = intervals[key].map((end) => number(end, row));
      if (low !== null) return `${mark}${written} (${low.toFixed(column.decimals)}–${high.toFixed(column.decimals)})`;
    }
    const sd = number(`${key}_sd`, row);
    const spread = sd === null ? 0 : Number(sd.toFixed(places));
    return mark + (spread ? `${written} ± ${sd.toFixed(places)}` : written);
  }

  // What is known of a figure's range: its 95 % interval, or one standard deviation over seeds either way.
  function range(key, row) {
    const value = number(key, row), sd = number(`${key}_sd`, row);
    const [low, high] = (intervals[key] || []).map((end) => number(end, row));
    if (low !== null && low !== undefined) return [low, high];
    return value === null ? null : [value - (sd || 0), value + (sd || 0)];
  }

  const id = (row) => [word("dataset", row), word("backbone", row), word("method", row),
    word("variant", row).replaceAll("/", "-")].join("/");

  // That tier and the stronger ones; of a name that is none, nothing is asked.
  const tiersFrom = (tier) => (ladder.includes(tier) ? ladder.slice(ladder.indexOf(tier)) : []);

  RecPress.store = {
    size: board.rows, columns, isText, word, number, noisy, filter, sort, front, write, range, lay, id, tiers, tiersFrom,
    words: (key) => text[key].words,
    has: (key) => key in numbers || key in text,
    name: (row) => `${word("method", row)} ${word("variant", row)}`,
    href: (row) => RecPress.machine.carry(`${RecPress.root}run.html#run=${RecPress.address(id(row))}`),
    shard: (row) => id(row).split("/").slice(0, 3).join("/"),
  };
};

// The answer in words: what fits best, what it loses, for whom, and how to run it again.
"use strict";
RecPress.answer = (function () {
  const { h, store } = RecPress;
  const GOALS = {
    best: { words: "as accurate as any", tail: ", and the smallest such", key: () => null, descending: true },
    smallest: { words: "the smallest", tail: "", key: () => "mb", descending: false },
    fastest: { words: "as fast as any", tail: ", and the smallest such", key: () => "single_ms", descending: false },
    frugal: { words: "as frugal as any", tail: ", and the smallest such", key: (energy) => energy, descending: false },
  };
  // With any backbone, what counts is the best uncompressed model of the set; of a backbone that is chosen, its own fp32.
  // A board without an uncompressed model has nothing else than the first.
  const measure = (state) => (state.backbone || !store.has("of_best") ? "retained" : "of_best");
  const whole = (state) => (measure(state) === "retained" ? `${state.backbone || "the backbone"}’s own fp32 tables` : "the best uncompressed model");
  // Accuracy is compared across data sets by that share, within one by NDCG itself.
  const accuracy = (state) => (state.dataset === "all" ? measure(state) : RecPress.headline.column);

  function ordering(state, energy) {
    const goal = GOALS[state.goal] || GOALS.best;
    return { key: goal.key(energy) || accuracy(state), descending: goal.descending };
  }

  function choose(rows, state, energy) {
    const { key, descending } = ordering(state, energy);
    const timed = key.endsWith("_ms") ? key.replace("_ms", "") : null;
    const able = rows.filter((row) => store.word("status", row) === "ok" && store.number(key, row) !== null &&
      store.number(RecPress.headline.column, row) !== null && !(timed && store.noisy(timed, row)));
    if (!able.length) return null;
    const first = store.sort(able, key, descending)[0];
    // What can't be told apart from it is as good, so the smaller file is the answer, and the better one of two such.
    const [low, high] = within(first, key, state);
    const tied = able.filter((row) => {
      const range = within(row, key, state);
      return row === first || (range !== null && range[0] <= high && range[1] >= low);
    });
    return store.sort(store.sort(tied, RecPress.headline.column, true), "mb", false)[0];
  }

  // The interval of what is asked for: of a time it is that of its ratio to fp32.
  function within(row, key, state) {
    if (key === RecPress.headline.column) return store.range(measure(state), row);
    if (!key.endsWith("_ms")) return store.range(key, row);
    const scale = store.number(key, row) / store.number(key.replace("_ms", "_ratio"), row);
    return store.range(key.replace("_ms", "_ratio"), row).map((end) => end * scale);
  }

  function limits(state) {
    const said = [];
    if (state.retained !== null) said.push(`surely keeps ${state.retained} % of ${whole(state)}`);
    if (state.mb !== null) said.push(`fits ${state.mb} MB`);
    if (state.ms !== null) said.push(`answers in ${state.ms} ms`);
    if (state.mj !== null) said.push(`takes at most ${state.mj} mJ`);
    return said;
  }

  function sentence(row, state, energy, count) {
    const goal = GOALS[state.goal] || GOALS.best;
    const said = limits(state);
    const parts = [`reaches ${RecPress.headline.label} ${store.write(RecPress.headline.column, row)}, ${store.write(measure(state), row)} % of ${whole(state)},`, `${store.write("mb", row)} MB`];
    if (store.number("single_ms", row) !== null) parts.push(`${store.write("single_ms", row)} ms a user`);
    if (store.number(energy, row) !== null) parts.push(`${store.write(energy, row)} mJ a query (${energy.split("_")[0]})`);
    return h("p", { class: "summary" },
      RecPress.mark(store.word("family", row)), h("a", { href: store.href(row), title: RecPress.titleOf(store.word("method", row)) }, store.name(row)),
      ` with ${store.word("backbone", row)}`, state.dataset === "all" ? ` on ${store.word("dataset", row)}` : "",
      ` is ${goal.words}`, said.length ? ` that ${said.join(" and ")}` : " that is shown",
      `${goal.tail}. It ${parts[0]} in ${parts.slice(1).join(", ")}.`, h("small", {}, ` ${count} ${count === 1 ? "variant fits" : "variants fit"}.`));
  }

  // What one limit less would give, where nothing fits all of them.
  function nearest(find, state, energy) {
    const hints = [];
    for (const [key, words] of [["retained", "retention"], ["mb", "the size"], ["ms", "the time"], ["mj", "the energy"]]) {
      if (state[key] === null) continue;
      const row = choose(find({ ...state, [key]: null }), state, energy);
      if (row !== null) {
        hints.push(h("li", {}, `Without the limit on ${words}: `, h("a", { href: store.href(row) }, store.name(row)),
          ` keeps ${store.write(measure(state), row)} % of ${whole(state)} in ${store.write("mb", row)} MB.`));
      }
    }
    return h("div", {}, h("p", { class: "summary" }, "Nothing fits all of that."), hints.length ? h("ul", {}, hints) : null);
  }

  function loss(row) {
    const kept = store.number("retained", row);
    if (kept === null) return "There is nothing to lose: the uncompressed model finds nothing.";
    const lost = 100 - kept;
    const [low, high] = store.range("retained", row);
    const spread = (from, to) => (high > low ? ` (${from.toFixed(1)} to ${to.toFixed(1)})` : "");
    if (Math.abs(lost) < 0.05) return `Nothing in ${RecPress.headline.label}, to a tenth of a percent.`;
    return lost > 0 ? `${lost.toFixed(1)} % of ${RecPress.headline.label}${spread(100 - high, 100 - low)}.`
      : `Nothing: ${RecPress.headline.label} is ${(-lost).toFixed(1)} % higher${spread(low - 100, high - 100)}.`;
  }

  function speed(row) {
    const ratio = store.number("single_ratio", row);
    if (ratio === null) return "Not timed on the chosen machine.";
    return `One user takes ${store.write("single_ratio", row)} × the time of dense fp32${store.noisy("single", row) ? ", timed while others used the machine" : ""}, on ${RecPress.machine.label(RecPress.machine.now())}.`;
  }

  // Questions to begin with; sizes are taken from what the data set holds.
  function examples(rows) {
    const dense = rows.reduce((most, row) => Math.max(most, store.word("status", row) === "ok" ? store.number("mb", row) : 0), 0);
    const step = 10 ** (Math.floor(Math.log10(dense / 4 || 1)) - 1);
    const quarter = Number((Math.ceil(dense / 4 / step) * step).toPrecision(2));
    return [
      { words: "the smallest that retains at least 97 % (whole interval)", goal: "smallest", retained: 97 },
      { words: `the most accurate in ${quarter} MB`, goal: "best", mb: quarter },
      { words: "the fastest that retains at least 95 % (whole interval)", goal: "fastest", retained: 95 },
    ].map((each) => ({ retained: null, mb: null, ms: null, mj: null, ...each }));
  }

  function whose() {
    const now = RecPress.machine.now();
    return now === null ? null : h("small", {}, ` times on ${RecPress.machine.label(now)}`);
  }

  // Where nothing is asked yet: what the first questions would give.
  function openings(find, state, energy) {
    const lines = examples(find(state)).map(({ words, ...question }) => {
      const row = choose(find({ ...state, ...question }), { ...state, ...question }, energy);
      if (row === null) return h("li", {}, `${words}: none`);
      const ratio = store.number("single_ratio", row);
      return h("li", {}, `${words}: `, RecPress.mark(store.word("family", row)), h("a", { href: store.href(row) }, store.name(row)),
        ` with ${store.word("backbone", row)}, ${RecPress.headline.label} ${store.write(RecPress.headline.column, row)}, ${store.write(measure(state), row)} % of ${whole(state)}, ${store.write("mb", row)} MB (${store.write("smaller", row)}× smaller)`,
        ratio === null ? "" : `, ${ratio.toFixed(2)}× the time of fp32`);
    });
    return h("div", {}, h("p", { class: "summary" }, state.dataset === "all" ? "Over all data sets:" : `On ${state.dataset}:`, whose()), h("ul", { class: "openings" }, lines));
  }

  // Others that fit, of the same data set and backbone, whose interval of what is kept overlaps the answer's.
  function tied(row, rows) {
    const mine = store.range("retained", row);
    const same = ["dataset", "backbone", "protocol"];
    return rows.filter((other) => {
      if (other === row || store.word("status", other) !== "ok" || same.some((key) => store.word(key, other) !== store.word(key, row))) return false;
      const theirs = store.range("retained", other);
      return theirs !== null && theirs[0] <= mine[1] && theirs[1] >= mine[0];
    });
  }

  function ties(row, rows) {
    const others = tied(row, rows);
    if (!others.length) return "Nothing else that fits: its interval of retention overlaps with no other.";
    const named = others.slice(0, 4).map((other) => [h("a", { href: store.href(other) }, store.name(other)), ", "]).flat().slice(0, -1);
    return h("span", {}, named, others.length > 4 ? ` and ${others.length - 4} more` : "", ": their retention can't be told apart from its retention here.");
  }

  // Details come with the record, which is loaded after the sentence is on the page.
  async function details(place, row, rows, current) {
    const facts = h("dl", { class: "facts-wide" },
      h("dt", {}, "What it loses"), h("dd", {}, loss(row)), h("dt", {}, "Tied with"), h("dd", {}, ties(row, rows)), h("dt", {}, "Speed"), h("dd", {}, speed(row)));
    place.append(facts);
    try {
      const [first] = await RecPress.loadRun(store.id(row));
      if (!first || !current()) return;
      const words = RecPress.whoPays(first.record);
      if (words) facts.append(h("dt", {}, "For whom"), h("dd", {}, words));
      facts.append(h("dt", {}, "Reproduce it"), h("dd", {}, RecPress.command(first.record.provenance.command), again(first.record)));
    } catch {
      facts.append(h("dt", {}, "Reproduce it"), h("dd", {}, "The record could not be loaded."));
    }
  }

  // What the command needs: the code of then, and so much time.
  function again(record) {
    const { commit, seconds } = record.provenance;
    const training = record.cost && record.cost.backbone_seconds;
    const took = (time) => (time < 90 ? `${RecPress.significant(time, 2)} s` : `${RecPress.significant(time / 60, 2)} min`);
    return h("small", {}, commit ? `In a checkout of the repository, made at ${commit.slice(0, 10)}. ` : "In a checkout of the repository. ",
      `It took ${took(seconds)}${training ? `, and ${took(training)} to train the backbone` : ""}.`);
  }

  let latest = 0;
  // find(state) gives the rows that fit; returns the row that is the answer, or null.
  function show(place, rows, find, state, energy) {
    const row = choose(rows, state, energy);
    const mine = latest += 1;
    if (!limits(state).length && state.goal === "best" && row !== null) {
      place.replaceChildren(openings(find, state, energy));
      return null;
    }
    if (row === null) {
      place.replaceChildren(nearest(find, state, energy));
      return null;
    }
    const ok = rows.filter((each) => store.word("status", each) === "ok").length;
    place.replaceChildren(sentence(row, state, energy, ok));
    details(place, row, rows, () => mine === latest);
    return row;
  }

  return { show, ordering, examples, measure };
})();

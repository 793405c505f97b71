// The paired test of two runs, user by user: the same statistics as recpress.evaluate, in the reader's browser.
"use strict";
(function () {
  const { h } = RecPress;
  const FULL = 65535; // A metric in [0, 1] is shipped as a 16-bit fraction.
  const DRAWS = 2e7; // Users drawn for one comparison, over all resamples.
  const waiting = new Map();

  RecPress.receiveUsers = (shard, runs) => waiting.get(shard)?.done(new Map(Object.entries(runs)));

  // shard: "<dataset>/<backbone>/<method>". Gives an empty map where the site was built without per-user results.
  function load(shard) {
    if (!waiting.has(shard)) {
      const entry = {};
      entry.promise = new Promise((done) => { entry.done = done; });
      waiting.set(shard, entry);
      const script = h("script", { src: `${RecPress.root}data/users/${RecPress.address(shard)}.js` });
      script.addEventListener("error", () => entry.done(new Map())); // an older site has no such file
      document.head.append(script);
    }
    return waiting.get(shard).promise;
  }

  function decode(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return Float64Array.from(new Uint16Array(bytes.buffer), (value) => value / FULL);
  }

  // A seeded generator of floats in [0, 1): the same page shows the same figures twice. (Marsaglia's xorshift32.)
  function random(seed) {
    let state = seed;
    return function () {
      state ^= state << 13; state ^= state >>> 17; state ^= state << 5;
      return (state >>> 0) / 4294967296;
    };
  }

  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

  // Mean of each user over the seeds.
  function pooled(seeds) {
    return seeds[0].map((_, user) => mean(seeds.map((values) => values[user])));
  }

  // {kept, low, high, p, better, worse, equal}: percentile bootstrap of the ratio, sign flips for the difference.
  RecPress.paired = function (candidate, baseline) {
    const n = candidate.length;
    const draws = Math.round(Math.min(Math.max(DRAWS / n, 500), 5000));
    const draw = random(20);
    const difference = candidate.map((value, user) => value - baseline[user]);
    const observed = Math.abs(difference.reduce((sum, value) => sum + value, 0)) - 1e-12;
    const ratios = new Float64Array(draws);
    let extreme = 0;
    for (let k = 0; k < draws; k += 1) {
      let ours = 0, theirs = 0, flipped = 0;
      for (let i = 0; i < n; i += 1) {
        const user = Math.floor(draw() * n);
        ours += candidate[user];
        theirs += baseline[user];
        flipped += draw() < 0.5 ? difference[i] : -difference[i];
      }
      ratios[k] = ours / theirs;
      extreme += Math.abs(flipped) >= observed ? 1 : 0;
    }
    ratios.sort();
    const at = (share) => ratios[Math.min(draws - 1, Math.floor(share * draws))];
    return {
      kept: mean(candidate) / mean(baseline), low: at(0.025), high: at(0.975), p: (extreme + 1) / (draws + 1),
      better: difference.filter((value) => value > 0).length, worse: difference.filter((value) => value < 0).length,
      equal: difference.filter((value) => value === 0).length,
    };
  };

  // Gives the test of a setting against another, or null where their per-user results aren't on the site.
  // settings: {shard, runs: [{id, record}]} of each.
  RecPress.pairedTest = async function (candidate, baseline) {
    const [ours, theirs] = await Promise.all([candidate.shard, baseline.shard].map(load));
    const of = (runs, users) => new Map(runs.filter((run) => users.has(run.id)).map((run) => [run.record.identity.seed, users.get(run.id)]));
    const mine = of(candidate.runs, ours), base = of(baseline.runs, theirs);
    const seeds = [...mine.keys()].filter((seed) => base.has(seed));
    if (!seeds.length) return null;
    const values = [mine, base].map((each) => pooled(seeds.map((seed) => decode(each.get(seed)))));
    if (values[0].length !== values[1].length) return null;
    return { ...RecPress.paired(values[0], values[1]), users: values[0].length, seeds: seeds.length };
  };
})();

// The headline metric of each user of a run, from the hits that the site ships; two shards of them are loaded for two runs.
"use strict";
(function () {
  const { h } = RecPress;
  const DEPTH = 20;
  const FAR = 255; // So many misses, and more to come.
  const GAIN = Float64Array.from({ length: DEPTH }, (_, place) => 1 / Math.log2(place + 2));
  const IDEAL = GAIN.map((_, place) => GAIN.slice(0, place + 1).reduce((sum, gain) => sum + gain, 0));
  const waiting = new Map();

  RecPress.receiveUsers = (name, values) => waiting.get(name)?.done(new Map(Object.entries(values)));

  // name: "<dataset>/<backbone>/<method>" for the hits of its runs, "<dataset>" for the test items of its users by split.
  function load(name) {
    if (!waiting.has(name)) {
      const entry = {};
      entry.promise = new Promise((done) => { entry.done = done; });
      waiting.set(name, entry);
      const script = h("script", { src: `${RecPress.root}data/users/${RecPress.address(name)}.js` });
      script.addEventListener("error", () => entry.done(new Map())); // an older site has no such file
      document.head.append(script);
    }
    return waiting.get(name).promise;
  }

  // tested: of each user, how many of the first 20 places can be hits. text: the misses before each hit.
  async function ndcg(text, tested) {
    const values = new Float64Array(tested.length);
    let place = 0;
    for (const misses of await RecPress.unpacked(text)) {
      place += misses;
      if (misses === FAR) continue;
      values[Math.floor(place / DEPTH)] += GAIN[place % DEPTH];
      place += 1;
    }
    return values.map((gain, user) => gain / IDEAL[tested[user] - 1]);
  }

  // Gives the test of a variant against another of its split, or null where the site was built without their hits.
  // variants: {shard, runs: [{id, record}]} of each.
  RecPress.pairedTest = async function (candidate, baseline) {
    const { dataset, split } = baseline.runs[0].record.identity;
    const [ours, theirs, users] = await Promise.all([candidate.shard, baseline.shard, dataset].map(load));
    const of = (runs, hits) => new Map(runs.filter((run) => hits.has(run.id)).map((run) => [run.record.identity.seed, hits.get(run.id)]));
    const mine = of(candidate.runs, ours), base = of(baseline.runs, theirs);
    const seeds = [...mine.keys()].filter((seed) => base.has(seed));
    if (!seeds.length || !users.has(split)) return null;
    const tested = await RecPress.unpacked(users.get(split));
    const [after, before] = await Promise.all([mine, base].map((each) => Promise.all(seeds.map((seed) => ndcg(each.get(seed), tested)))));
    return RecPress.paired(after, before);
  };
})();

// What recpress.evaluation tells of two runs, in the reader's browser. No page in here.
"use strict";
(function () {
  const DRAWS = 4e7; // Users drawn for one comparison, over all resamples.
  const LOW = 0.025, HIGH = 0.975;

  // A seeded generator of floats in [0, 1): the same page shows the same figures twice. (Marsaglia's xorshift32.)
  function random(seed) {
    let state = seed;
    return function () {
      state ^= state << 13; state ^= state >>> 17; state ^= state << 5;
      return (state >>> 0) / 4294967296;
    };
  }

  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const mean = (values) => sum(values) / values.length;
  const variance = (values, around) => sum(values.map((value) => (value - around) ** 2)) / (values.length - 1);

  // The logarithm of the gamma function, by Stirling's series where that is exact enough.
  function logGamma(x) {
    let shift = 0, at = x;
    for (; at < 10; at += 1) shift += Math.log(at);
    const inverse = 1 / (at * at);
    return (at - 0.5) * Math.log(at) - at + 0.5 * Math.log(2 * Math.PI) + (1 / 12 - inverse * (1 / 360 - inverse / 1260)) / at - shift;
  }

  // The regularized incomplete beta function, by its continued fraction (Lentz's method; DLMF 8.17.22).
  function incompleteBeta(a, b, x) {
    if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
    if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(b, a, 1 - x);
    const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x)) / a;
    let c = 1, d = 1 / (1 - (a + b) * x / (a + 1)), fraction = d;
    for (let m = 1; m < 500; m += 1) {
      const even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
      d = 1 / (1 + even * d); c = 1 + even / c; fraction *= d * c;
      const odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
      d = 1 / (1 + odd * d); c = 1 + odd / c; fraction *= d * c;
      if (Math.abs(d * c - 1) < 1e-14) break;
    }
    return front * fraction;
  }

  // The two-sided p-value of Student's t, and the t whose p-value is 5 %.
  const student = (t, freedom) => incompleteBeta(freedom / 2, 0.5, freedom / (freedom + t * t));
  function quantile(freedom) {
    let low = 0, high = 1e3;
    while (high - low > 1e-9) {
      const middle = (low + high) / 2;
      if (student(middle, freedom) > 0.05) low = middle; else high = middle;
    }
    return high;
  }

  // A mean over users crossed with seeds, both random: recpress.evaluation.mean_over.
  function meanOver(seeds) {
    const many = seeds.length, n = seeds[0].length;
    const bySeed = seeds.map(mean), byUser = pooled(seeds), middle = mean(byUser);
    const users = variance(byUser, middle) / n, between = variance(bySeed, middle) / many;
    const rest = sum(seeds.map((values, seed) => sum(values.map((value, user) => (value - byUser[user] - bySeed[seed] + middle) ** 2))));
    const shared = rest / ((many - 1) * (n - 1)) / (many * n);
    const whole = Math.max(users + between - shared, users, between);
    if (whole === 0) return { mean: middle, half: 0, p: middle === 0 ? 1 : 0 };
    const freedom = whole ** 2 / (users ** 2 / (n - 1) + between ** 2 / (many - 1)), error = Math.sqrt(whole);
    return { mean: middle, half: error * quantile(freedom), p: student(middle / error, freedom) };
  }

  // Mean of each user over the seeds.
  function pooled(seeds) {
    return seeds[0].map((_, user) => mean(seeds.map((values) => values[user])));
  }

  // One seed: percentile bootstrap over users, sign flips for the difference.
  function ofOneSeed(candidate, baseline) {
    const n = candidate.length;
    const draws = Math.round(Math.min(Math.max(DRAWS / n, 1000), 10000));
    const draw = random(20);
    const difference = candidate.map((value, user) => value - baseline[user]);
    const moved = difference.filter((value) => value !== 0);
    const observed = Math.abs(sum(moved)) - 1e-12;
    const ratios = new Float64Array(draws), differences = new Float64Array(draws);
    let extreme = 0;
    for (let k = 0; k < draws; k += 1) {
      let ours = 0, theirs = 0, flipped = 0;
      for (let i = 0; i < n; i += 1) {
        const user = Math.floor(draw() * n);
        ours += candidate[user];
        theirs += baseline[user];
      }
      for (let i = 0; i < moved.length; i += 1) flipped += draw() < 0.5 ? moved[i] : -moved[i];
      ratios[k] = ours / theirs;
      differences[k] = (ours - theirs) / n;
      extreme += Math.abs(flipped) >= observed ? 1 : 0;
    }
    const ends = (values) => [LOW, HIGH].map((share) => values.sort()[Math.round(share * (draws - 1))]);
    return { retained: ends(ratios), difference: ends(differences), p: (extreme + 1) / (draws + 1) };
  }

  // Several seeds: a t-test in which users and seeds are both drawn.
  function ofSeveral(candidates, baselines, kept, base) {
    const apart = meanOver(candidates.map((values, seed) => values.map((value, user) => value - baselines[seed][user])));
    const half = meanOver(candidates.map((values, seed) => values.map((value, user) => (value - kept * baselines[seed][user]) / base))).half;
    return { retained: [kept - half, kept + half], difference: [apart.mean - apart.half, apart.mean + apart.half], p: apart.p };
  }

  // candidates, baselines: the values of each seed, by user. Intervals are of 95 %, as [low, high]. Null where the
  // baseline finds nothing, of which no share can be kept.
  RecPress.paired = function (candidates, baselines) {
    const ours = pooled(candidates), theirs = pooled(baselines), base = mean(theirs);
    if (!(base > 0)) return null;
    const kept = mean(ours) / base;
    const told = candidates.length === 1 ? ofOneSeed(ours, theirs) : ofSeveral(candidates, baselines, kept, base);
    const signs = ours.map((value, user) => Math.sign(value - theirs[user]));
    const count = (sign) => signs.filter((each) => each === sign).length;
    return {
      retained: kept, retainedEnds: told.retained, difference: mean(ours) - base, differenceEnds: told.difference, p: told.p,
      better: count(1), worse: count(-1), equal: count(0), users: ours.length, seeds: candidates.length,
    };
  };

  // P-values adjusted for their number (Holm, 1979).
  RecPress.holm = function (values) {
    const order = values.map((_, at) => at).sort((a, b) => values[a] - values[b]);
    const adjusted = [];
    let highest = 0;
    order.forEach((at, place) => {
      highest = Math.max(highest, Math.min(1, (values.length - place) * values[at]));
      adjusted[at] = highest;
    });
    return adjusted;
  };
})();

// What the reader chose, and its place in the address: everything that is not a default is in the hash.
"use strict";
RecPress.state = (function () {
  const DEFAULTS = {
    dataset: "", backbone: "", goal: "best", retained: null, mb: null, ms: null, mj: null,
    family: [], division: [], form: [], protocol: [], status: [], machine: "", grade: "", tier: "", q: "",
    x: "mb", y: RecPress.headline.column, sort: "", cols: [], page: 1, runs: [],
  };

  function read(defaults) {
    const given = new URLSearchParams(location.hash.slice(1));
    const state = { ...DEFAULTS, ...defaults };
    for (const [key, usual] of Object.entries(DEFAULTS)) {
      if (!given.has(key)) continue;
      const value = given.get(key);
      if (Array.isArray(usual)) state[key] = value ? value.split(",").map(decodeURIComponent) : [];
      else if (usual === null || typeof usual === "number") {
        const parsed = value === "" ? NaN : Number(value);
        if (Number.isFinite(parsed) && parsed >= 0) state[key] = parsed;
      } else state[key] = value;
    }
    return state;
  }

  function write(state, defaults) {
    const usual = { ...DEFAULTS, ...defaults };
    const given = new URLSearchParams();
    for (const key of Object.keys(DEFAULTS)) {
      const value = state[key];
      const text = Array.isArray(value) ? value.map(encodeURIComponent).join(",") : String(value ?? "");
      const usualText = Array.isArray(usual[key]) ? usual[key].join(",") : String(usual[key] ?? "");
      if (text !== usualText) given.set(key, text);
    }
    const hash = given.toString();
    if (hash !== location.hash.slice(1)) history.replaceState(null, "", `#${hash}`);
  }

  return { read, write };
})();

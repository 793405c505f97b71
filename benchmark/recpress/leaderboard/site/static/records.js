// Whole records, loaded when a page needs them: a script a method, so that it works from a file.
"use strict";
(function () {
  const waiting = new Map();
  const loaded = new Map();
  // Timings come beside the runs, each once, and a run says by machine which is its own.
  RecPress.receiveRecords = function (name, records, timings) {
    for (const each of records) {
      each.timings = Object.fromEntries(Object.entries(each.timings).map(([machine, timing]) => [machine, timings[timing]]));
    }
    loaded.set(name, records);
    waiting.get(name)?.done(records);
  };
  // Bytes from base64 of zlib, as raw times and hits are shipped.
  RecPress.unpacked = async function (text) {
    const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };

  // name: "<dataset>/<backbone>/<method>". Rejects when there is no such file.
  RecPress.loadRecords = function (name) {
    if (loaded.has(name)) return Promise.resolve(loaded.get(name));
    if (!waiting.has(name)) {
      const entry = {};
      entry.promise = new Promise((done, failed) => { entry.done = done; entry.failed = failed; });
      waiting.set(name, entry);
      const script = RecPress.h("script", { src: `${RecPress.root}data/runs/${RecPress.address(name)}.js` });
      script.addEventListener("error", () => entry.failed(new Error(`no records of ${name}`)));
      document.head.append(script);
    }
    return waiting.get(name).promise;
  };

  // run: "<dataset>/<backbone>/<method>/<variant>": the records of its seeds.
  RecPress.loadRun = async function (run) {
    const name = run.split("/").slice(0, 3).join("/");
    const all = await RecPress.loadRecords(name);
    return all.filter((each) => each.id.slice(0, each.id.lastIndexOf(".seed")) === run);
  };
})();

// Whose times are shown: those of one machine, `machine` in the address or else the board's own. The choice stays when
// a link is followed.
"use strict";
RecPress.machine = (function () {
  const columns = new Map(), waiting = new Map();
  let all = {}, usual = null, now = null, latest = 0;

  RecPress.receiveMachines = function (machines, own) {
    all = machines;
    usual = now = own;
    for (const place of document.querySelectorAll("[data-whose]")) if (usual) place.replaceWith(choice());
  };
  // The board's own come with the page, those of others when they are chosen.
  RecPress.receiveTimings = function (name, timed) {
    columns.set(name, timed);
    if (name === now) RecPress.store.lay(timed);
    waiting.get(name)?.done();
  };

  const known = (name) => (name && Object.hasOwn(all, name) && all[name].timed ? name : usual);
  const label = (name) => (Object.hasOwn(all, name) ? all[name].label : name);
  const timed = () => Object.keys(all).filter((name) => all[name].timed);
  const page = (name) => `${RecPress.root}machine/${encodeURIComponent(name)}.html`;

  function load(name) {
    if (!RecPress.store || !name || columns.has(name)) return Promise.resolve();
    if (!waiting.has(name)) {
      const entry = {};
      entry.promise = new Promise((done, failed) => { entry.done = done; entry.failed = failed; });
      waiting.set(name, entry);
      const script = RecPress.h("script", { src: `${RecPress.root}data/timings/${encodeURIComponent(name)}.js` });
      script.addEventListener("error", () => entry.failed(new Error(`no timings of ${name}`)));
      document.head.append(script);
    }
    return waiting.get(name).promise;
  }

  // Resolves once the page has a machine's times (of one that has none here, the board's own), with true, or with
  // false where another was chosen meanwhile.
  async function use(name) {
    const mine = latest += 1;
    let wanted = known(name);
    await load(wanted).catch(() => { wanted = usual; });
    if (mine !== latest) return false;
    if (RecPress.store && wanted) RecPress.store.lay(columns.get(wanted));
    now = wanted;
    for (const place of document.querySelectorAll(".whose.choice")) tell(place);
    return true;
  }

  function tell(place) {
    place.querySelector("select").value = now;
    place.querySelector("a").href = page(now);
    place.querySelector(".note").textContent = all[now].note;
  }

  // A line to choose the machine by; beside(name) is said of each.
  function choice(beside = () => "") {
    const options = timed().map((name) => RecPress.h("option", { value: name }, all[name].label + beside(name)));
    const place = RecPress.h("p", { class: "whose choice" },
      RecPress.h("label", { "data-tip": "Milliseconds, and ratios to fp32, belong to one machine; quality and bytes are the same on all." }, "Times on ", RecPress.h("select", { name: "machine" }, options)),
      RecPress.h("a", {}, "About this machine"), RecPress.h("span", { class: "note" }));
    tell(place);
    return place;
  }

  const asked = () => known(new URLSearchParams(location.hash.slice(1)).get("machine"));
  function written(hash) {
    const parts = hash.split("&").filter((part) => part && !part.startsWith("machine="));
    return [...parts, ...(now === usual ? [] : [`machine=${encodeURIComponent(now)}`])].join("&");
  }
  // An address of this site with the choice in it.
  function carry(address) {
    const [to, hash = ""] = address.split("#");
    const whole = written(hash);
    return whole ? `${to}#${whole}` : to;
  }
  for (const kind of ["click", "auxclick"]) {
    document.addEventListener(kind, (event) => {
      const link = event.target.closest && event.target.closest("a[href]");
      const href = link ? link.getAttribute("href") : "";
      if (/^[^:#]*\.html(#|$)/.test(href)) link.setAttribute("href", carry(href));
    });
  }
  // Of a page without a form: the address changes, and with it what is drawn.
  document.addEventListener("change", ({ target }) => {
    if (target.name !== "machine" || target.form) return;
    use(target.value).then(() => { location.hash = written(location.hash.slice(1)); });
  });

  // Draw now and whenever the address changes, with the times of the machine that it names.
  function start(draw) {
    const again = () => use(asked()).then((done) => (done ? draw() : undefined));
    window.addEventListener("hashchange", again);
    return again();
  }

  return { use, known, label, page, choice, carry, start, about: (name) => all[name], now: () => now, usual: () => usual };
})();

// Small things that every page uses. Text from records only ever becomes text nodes and attributes.
"use strict";
window.RecPress = {
  root: document.body.dataset.root,
  // Its name in records, its column, and what people call it.
  headline: JSON.parse(document.body.dataset.headline),
};
{
  const titles = new Map(Object.entries(JSON.parse(document.body.dataset.titles)));
  // What people call a method, beside its id; null where it isn't installed.
  RecPress.titleOf = (method) => titles.get(method) ?? null;
}

// Make an element: h("td", {class: "num"}, "1.0", otherElement). Attributes that are null or false are left out.
RecPress.h = function (tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
};

// A figure with so many decimals and thousands set apart.
RecPress.fixed = function (value, places) {
  const text = Math.abs(value).toFixed(places);
  const whole = text.split(".")[0];
  const grouped = whole.length > 3 ? whole.replace(/\B(?=(\d{3})+$)/g, ",") : whole;
  return (value < 0 && Number(text) !== 0 ? "-" : "") + grouped + text.slice(whole.length);
};

RecPress.places = function (value, digits) {
  if (value === 0) return digits - 1;
  return Math.min(Math.max(digits - 1 - Math.floor(Math.log10(Math.abs(value))), 0), 9);
};

RecPress.significant = (value, digits) => RecPress.fixed(value, RecPress.places(value, digits));

RecPress.bytes = function (count) {
  const steps = [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]];
  const step = steps.find(([size]) => Math.abs(count) >= size);
  return step ? `${RecPress.significant(count / step[0], 3)} ${step[1]}` : `${count} B`;
};

// The id of a run as part of an address.
RecPress.address = (name) => name.split("/").map(encodeURIComponent).join("/");

// What a browser copies, where it lets a file copy at all; else the text is selected for the reader to copy.
RecPress.copyButton = function (text, source) {
  const button = RecPress.h("button", { type: "button", class: "quiet" }, "Copy");
  button.addEventListener("click", async function () {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return button;
};

RecPress.command = function (text) {
  const code = RecPress.h("code", {}, text);
  return RecPress.h("div", { class: "command" }, RecPress.h("pre", { tabindex: "0" }, code), RecPress.copyButton(text, code));
};

RecPress.download = function (name, type, text) {
  const link = RecPress.h("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};

// One tooltip for everything with data-tip, on hover and on focus.
(function () {
  const tip = document.getElementById("tip");
  function show(event) {
    const target = event.target.closest && event.target.closest("[data-tip]");
    if (!target || !target.dataset.tip) { tip.hidden = true; return; }
    tip.textContent = target.dataset.tip;
    tip.hidden = false;
    const box = target.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(box.left, innerWidth - tip.offsetWidth - 8))}px`;
    const below = box.bottom + 6;
    tip.style.top = `${below + tip.offsetHeight > innerHeight ? box.top - tip.offsetHeight - 6 : below}px`;
  }
  document.addEventListener("mouseover", show);
  document.addEventListener("focusin", show);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") tip.hidden = true; });
  document.addEventListener("scroll", () => { tip.hidden = true; }, true);
})();

// Marks of the families, the same as in the charts, drawn once their looks are known.
RecPress.receiveSpecs = function (specs, looks, tiers) {
  RecPress.tiers = tiers;
  RecPress.specs = specs;
  RecPress.looks = looks;
  for (const mark of document.querySelectorAll(".mark[data-family]")) RecPress.paintMark(mark);
};
RecPress.GLYPHS = {
  cross: "✚", circle: "●", square: "■", "triangle-up": "▲", diamond: "◆",
  "triangle-down": "▼", "triangle-right": "▶", "triangle-left": "◀", arrow: "⬆", stroke: "▬",
};
RecPress.paintMark = function (mark) {
  const look = RecPress.looks && RecPress.looks[mark.dataset.family];
  if (!look) return;
  mark.textContent = RecPress.GLYPHS[look.mark];
  mark.style.color = look.colour;
  mark.setAttribute("aria-hidden", "true");
};
RecPress.mark = function (family) {
  const mark = RecPress.h("span", { class: "mark", "data-family": family });
  RecPress.paintMark(mark);
  return mark;
};

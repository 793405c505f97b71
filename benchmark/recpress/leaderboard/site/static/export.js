// The shown rows and columns, all pages of them, as text.
"use strict";
RecPress.exporters = (function () {
  const { store } = RecPress;
  const label = (key) => {
    const column = store.columns.get(key);
    if (!column) return "Seeds";
    return column.unit ? `${column.label} [${column.unit}]` : column.label;
  };
  const raw = (key, row) => (store.isText(key) ? store.word(key, row) : store.number(key, row));

  // A spreadsheet runs a cell that begins like a formula, unless a quote comes first.
  function csvCell(value) {
    if (value === null) return "";
    if (typeof value === "number") return String(value);
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }
  const LATEX = { "\\": "\\textbackslash{}", "{": "\\{", "}": "\\}", $: "\\$", "&": "\\&", "#": "\\#", _: "\\_", "%": "\\%",
    "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "×": "$\\times$", "±": "$\\pm$", "–": "--" };
  const latex = (text) => text.replace(/[\\{}$&#_%~^×±–]/g, (sign) => LATEX[sign]);
  const markdown = (text) => text.replace(/[\\|<>`*_[\]]/g, "\\$&").replace(/\s+/g, " ");

  // Times don't leave the page without the machine that they belong to.
  const whole = (keys) => (keys.includes("machine") || !store.has("machine") || !keys.some((key) => store.columns.get(key)?.timed) ? keys : [...keys, "machine"]);

  const written = {
    csv: (rows, keys) => [keys.join(","), ...rows.map((row) => keys.map((key) => csvCell(raw(key, row))).join(","))].join("\n") + "\n",
    json: (rows, keys) => JSON.stringify(rows.map((row) => Object.fromEntries(keys.map((key) => [key, raw(key, row)]))), null, 1) + "\n",
    markdown: (rows, keys) => [keys.map(label), keys.map((key) => (store.isText(key) ? "---" : "---:")),
      ...rows.map((row) => keys.map((key) => markdown(store.write(key, row))))].map((cells) => `| ${cells.join(" | ")} |`).join("\n") + "\n",
    latex: (rows, keys) => [
      `\\begin{tabular}{${keys.map((key) => (store.isText(key) ? "l" : "r")).join("")}}`, "\\toprule",
      `${keys.map((key) => latex(label(key))).join(" & ")} \\\\`, "\\midrule",
      ...rows.map((row) => `${keys.map((key) => latex(store.write(key, row))).join(" & ")} \\\\`),
      "\\bottomrule", "\\end{tabular}"].join("\n") + "\n",
  };
  return Object.fromEntries(Object.entries(written).map(([name, write]) => [name, (rows, keys) => write(rows, whole(keys))]));
})();
RecPress.exportTypes = { csv: ["csv", "text/csv"], json: ["json", "application/json"], markdown: ["md", "text/markdown"], latex: ["tex", "application/x-tex"] };

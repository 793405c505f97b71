// The theme follows the system until the reader chooses; it runs before the page is drawn, so nothing flashes.
(function () {
  "use strict";
  const THEMES = ["system", "light", "dark"];
  function stored() {
    try { return localStorage.getItem("recpress-theme") || "system"; } catch { return "system"; }
  }
  function apply(theme) {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }
  apply(stored());
  document.addEventListener("DOMContentLoaded", function () {
    const button = document.getElementById("theme");
    let theme = stored();
    button.hidden = false;
    button.textContent = `Theme: ${theme}`;
    button.addEventListener("click", function () {
      theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
      try { localStorage.setItem("recpress-theme", theme); } catch { /* a file may have no storage */ }
      apply(theme);
      button.textContent = `Theme: ${theme}`;
      window.dispatchEvent(new Event("recpress-theme"));
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
      window.dispatchEvent(new Event("recpress-theme")));
  });
})();

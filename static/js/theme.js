// Which theme does this page wear? Load it in <head> without async or defer, so that nothing
// flashes: <script src="…/theme.js"></script>. Expects, anywhere in the page,
// <button data-theme-choice="system|light|dark">; the chosen one gets aria-pressed="true".
(() => {
  const root = document.documentElement;
  const read = () => {
    try {
      return localStorage.getItem("theme") ?? "system";
    } catch {
      return "system"; // storage is closed to us: follow the system
    }
  };
  const wear = (choice) => {
    if (choice === "light" || choice === "dark") root.dataset.theme = choice;
    else delete root.dataset.theme;
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === choice));
    }
  };
  wear(read());
  document.addEventListener("DOMContentLoaded", () => wear(read()));
  window.addEventListener("storage", () => wear(read()));
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-theme-choice]");
    if (!button) return;
    try {
      localStorage.setItem("theme", button.dataset.themeChoice);
    } catch {
      // The choice then lasts for this page only.
    }
    wear(button.dataset.themeChoice);
  });
})();

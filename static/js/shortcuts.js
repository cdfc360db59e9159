// Which keys work on every page? Ctrl+K (Cmd+K) goes to the search box [data-search]; "?" opens
// <dialog id="shortcuts">. A page may take a key first by calling preventDefault.
const WRITES = "input, textarea, select, [contenteditable]";

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented) return;
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "k") {
    const search = document.querySelector("[data-search]");
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
  }
  if (event.key === "?" && !event.target.closest(WRITES)) {
    document.getElementById("shortcuts")?.showModal();
  }
});

// How does the page say in passing that something is done? Expects <div id="toasts" class="toasts">.
// Anything may dispatch "eventflow:toast" on the document or below, with detail
// {text, kind: "ok"|"failed"|"info", href?, link?}; a server does it with an HX-Trigger header.
// Toasts that the server rendered into #toasts go away by themselves too, failures only when closed.
const STAYS_MS = 6000;
const place = document.getElementById("toasts");

function letGo(toast) {
  const close = document.createElement("button");
  close.className = "button quiet small icon-only";
  close.setAttribute("aria-label", "Close");
  close.textContent = "×";
  close.addEventListener("click", () => toast.remove());
  toast.append(close);
  if (toast.dataset.kind !== "failed") setTimeout(() => toast.remove(), STAYS_MS);
}

function show({ text, kind = "info", href, link }) {
  const toast = document.createElement("div");
  toast.className = "toast";
  toast.dataset.kind = kind;
  const words = document.createElement("span");
  words.textContent = text;
  toast.append(words);
  if (href) {
    const anchor = document.createElement("a");
    anchor.href = href;
    anchor.textContent = link ?? "Open";
    toast.append(anchor);
  }
  letGo(toast);
  place.append(toast);
}

if (place) {
  for (const toast of place.querySelectorAll(".toast")) letGo(toast);
  document.addEventListener("eventflow:toast", (event) => show(event.detail));
}

// When does a polled part change? It carries data-live and htmx's own hx-get and hx-trigger="every …".
// A hidden page doesn't ask; an answer that says nothing new isn't swapped in; with data-live="hold"
// the part also keeps still while the pointer or the focus is in it, so that no row runs away.
const last = new WeakMap();

const isHeld = (element) =>
  element.dataset.live === "hold" && (element.matches(":hover") || element.matches(":focus-within"));

document.addEventListener("htmx:beforeRequest", (event) => {
  const { elt } = event.detail;
  if (!elt.hasAttribute("data-live")) return;
  const isFirst = !last.has(elt);
  if (document.hidden || (isHeld(elt) && !isFirst)) event.preventDefault();
});

document.addEventListener("htmx:beforeSwap", (event) => {
  const { elt, xhr } = event.detail;
  if (!elt.hasAttribute("data-live") || xhr.status !== 200) return;
  if (last.get(elt) === xhr.responseText || isHeld(elt)) event.detail.shouldSwap = false;
  else last.set(elt, xhr.responseText);
});

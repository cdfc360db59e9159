// What do forms do by themselves? <form data-auto> is sent when a choice in it changes;
// <input data-slug-from="id"> follows the text of that field until somebody writes into it;
// <a data-dialog-open> opens its dialog, and leads to the page with the same form without scripts.
const slug = (text) =>
  text
    .replace(/ß/g, "ss")
    .normalize("NFKD")
    .replace(/[^\w\s-]/g, "")
    .trim()
    .toLowerCase()
    .replace(/[-\s]+/g, "-")
    .slice(0, 60);

document.addEventListener("click", (event) => {
  if (event.target.closest?.("a[data-dialog-open]")) event.preventDefault();
});

document.addEventListener("change", (event) => {
  const form = event.target.closest?.("form[data-auto]");
  if (form && event.target.matches("select")) form.requestSubmit();
});

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-auto]")) return;
  // Empty filters would only make the address longer.
  for (const field of event.target.elements) if (field.name && !field.value) field.disabled = true;
});

document.addEventListener("input", (event) => {
  if (event.target.dataset.slugFrom) event.target.dataset.written = "yes";
  for (const field of document.querySelectorAll("[data-slug-from]")) {
    if (field.dataset.slugFrom === event.target.id && !field.dataset.written) {
      field.value = slug(event.target.value);
    }
  }
});

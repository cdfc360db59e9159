// How does a button put text on the clipboard? <button data-copy="text"> copies the text,
// <button data-copy="#id"> the text or value of that element; the button says "Copied" for a moment.
async function copy(button) {
  const what = button.dataset.copy;
  const source = /^#[\w-]+$/.test(what) ? document.querySelector(what) : null;
  await navigator.clipboard.writeText(source ? (source.value ?? source.textContent) : what);
  if (button.dataset.copied) return;
  button.dataset.copied = "yes";
  const before = [...button.childNodes];
  button.replaceChildren("Copied");
  setTimeout(() => {
    button.replaceChildren(...before);
    delete button.dataset.copied;
  }, 1200);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  event.preventDefault();
  copy(button).catch(() => {
    const detail = { kind: "failed", text: "The browser did not allow copying. Select and copy by hand." };
    document.dispatchEvent(new CustomEvent("eventflow:toast", { detail }));
  });
});

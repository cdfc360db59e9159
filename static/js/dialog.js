// How do dialogs and menus open and close? <button data-dialog-open="id"> opens <dialog id>;
// data-dialog-close or a click beside it closes it. <form data-confirm="Delete this flow?"
// data-confirm-verb="Delete"> asks before it is sent, and so does any hx-confirm.
// <details class="menu"> closes on Escape and on a click elsewhere.
function ask(question, verb) {
  const dialog = document.createElement("dialog");
  dialog.className = "dialog";
  const form = document.createElement("form");
  form.method = "dialog";
  form.innerHTML =
    '<div class="dialog-body"></div><footer class="actions">' +
    '<button class="button" value="">Cancel</button>' +
    '<button class="button danger" value="yes"></button></footer>';
  form.querySelector(".dialog-body").textContent = question;
  form.querySelector(".danger").textContent = verb;
  dialog.append(form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("[data-dialog-open]");
  if (opener) document.getElementById(opener.dataset.dialogOpen)?.showModal();
  const closer = event.target.closest?.("[data-dialog-close]");
  if (closer) closer.closest("dialog")?.close();
  if (event.target instanceof HTMLDialogElement) event.target.close();
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.confirm || form.dataset.confirmed) return;
  event.preventDefault();
  const submitter = event.submitter;
  if (!(await ask(form.dataset.confirm, form.dataset.confirmVerb ?? "Continue"))) return;
  form.dataset.confirmed = "yes";
  form.requestSubmit(submitter);
  delete form.dataset.confirmed;
}, true);

document.addEventListener("htmx:confirm", (event) => {
  if (!event.detail.question) return;
  event.preventDefault();
  const verb = event.detail.elt.dataset.confirmVerb ?? "Continue";
  ask(event.detail.question, verb).then((yes) => yes && event.detail.issueRequest(true));
});

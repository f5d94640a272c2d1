// Buttons that open a <dialog>, and the menu of the account.

document.addEventListener("click", (click) => {
  const opener = click.target.closest("[data-open-dialog]");
  if (opener) document.getElementById(opener.dataset.openDialog)?.showModal();
  // A click beside the dialog's content closes it.
  if (click.target instanceof HTMLDialogElement && click.target.open) click.target.close();
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(click.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (key) => {
  if (key.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// Buttons that open a <dialog>, and the account menu.

import { dialogById, targetOf } from "./dom.js";

const openMenus = () => /** @type {NodeListOf<HTMLDetailsElement>} */ (document.querySelectorAll("details[data-menu][open]"));

document.addEventListener("click", (click) => {
  const target = targetOf(click);
  const opener = /** @type {HTMLElement | null} */ (target.closest("[data-open-dialog]"));
  if (opener) dialogById(opener.dataset.openDialog)?.showModal();
  // A click outside the dialog's content closes it.
  if (target instanceof HTMLDialogElement && target.open) target.close();
  for (const menu of openMenus()) {
    if (!menu.contains(target)) menu.open = false;
  }
});

document.addEventListener("keydown", (key) => {
  if (key.key !== "Escape") return;
  for (const menu of openMenus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

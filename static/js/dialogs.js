// Buttons that open a <dialog>.

import { dialogById, targetOf } from "./dom.js";

document.addEventListener("click", (click) => {
  const target = targetOf(click);
  const opener = /** @type {HTMLElement | null} */ (target.closest("[data-open-dialog]"));
  if (opener) dialogById(opener.dataset.openDialog)?.showModal();
  // A click outside the dialog's content closes it.
  if (target instanceof HTMLDialogElement && target.open) target.close();
});

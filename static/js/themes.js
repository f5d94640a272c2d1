// The theme switch. Without JavaScript it reloads the page; here the colours change in place. The server keeps the choice.

import { all, targetOf } from "./dom.js";

document.addEventListener("submit", (submission) => {
  const form = /** @type {HTMLFormElement} */ (targetOf(submission));
  if (!form.matches("[data-theme-switch]")) return;
  submission.preventDefault();
  const pressed = /** @type {HTMLButtonElement} */ (submission.submitter);
  const theme = pressed.value;
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  for (const button of all("[data-theme-switch] button")) {
    button.setAttribute("aria-pressed", String(/** @type {HTMLButtonElement} */ (button).value === theme));
  }
  fetch(form.action, { method: "POST", body: new FormData(form, pressed), redirect: "manual", keepalive: true });
});

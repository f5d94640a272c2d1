// The button that keeps a post or removes it again. Without JavaScript, its form leads back to the page.

import { setText, targetOf } from "./dom.js";
import { keptChanged } from "./kept-list.js";
import { failed, toast } from "./toasts.js";
import { FAILED, SIGNED_OUT, gettext } from "./words.js";

document.addEventListener("submit", async (submission) => {
  const form = /** @type {HTMLFormElement} */ (targetOf(submission));
  if (!form.matches("form[data-keep]")) return;
  submission.preventDefault();
  const button = form.querySelector("button");
  if (button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
    });
    if (answer.redirected) return failed(SIGNED_OUT);
    if (!answer.ok) throw new Error(String(answer.status));
    const { said, kept, action } = await answer.json();
    if (action) form.action = action;
    button.setAttribute("aria-pressed", String(kept));
    button.setAttribute("aria-label", kept ? button.dataset.on : button.dataset.off);
    setText(button.querySelector("[data-word]"), kept ? gettext("Kept") : gettext("Keep"));
    toast(said);
    keptChanged();
  } catch {
    failed(FAILED);
  } finally {
    button.removeAttribute("aria-disabled");
  }
});

// The button that keeps a post or removes it again. Without JavaScript, its form leads back to the page.

import { troubleOf } from "./answers.js";
import { all, setText, targetOf } from "./dom.js";
import { keptChanged } from "./kept-list.js";
import { failed, toast } from "./toasts.js";
import { FAILED, gettext } from "./words.js";

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
    // Somebody who has this page open twice has removed it there.
    const isGone = answer.status === 404 && button.getAttribute("aria-pressed") === "true";
    if (answer.redirected || (!answer.ok && !isGone)) return failed(await troubleOf(answer));
    const { said, kept, action } = isGone ? { said: gettext("No longer kept."), kept: false, action: "" } : await answer.json();
    showKept(form, kept, action);
    toast(said);
    keptChanged();
  } catch {
    failed(FAILED);
  } finally {
    button.removeAttribute("aria-disabled");
  }
});

// What is removed in the tab "Kept" may be among the posts, too.
document.addEventListener("htmx:afterSwap", (swap) => {
  const { verb, path } = /** @type {CustomEvent} */ (swap).detail.requestConfig;
  if (targetOf(swap).id !== "kept-list" || verb !== "post") return;
  for (const form of all("form[data-keep]")) if (form.getAttribute("action") === path) showKept(form, false, "");
});

/** Show whether the post is kept. `action` removes it or keeps it; "" stands for the address that keeps it. */
function showKept(form, kept, action) {
  const button = form.querySelector("button");
  form.setAttribute("action", action || form.dataset.keep);
  button.setAttribute("aria-pressed", String(kept));
  button.setAttribute("aria-label", kept ? button.dataset.on : button.dataset.off);
  setText(button.querySelector("[data-word]"), kept ? gettext("Kept") : gettext("Keep"));
}

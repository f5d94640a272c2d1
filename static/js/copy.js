// Buttons that copy one post, all posts, or the entries of the list in data-copy-from.

import { all, targetOf } from "./dom.js";
import { failed, toast } from "./toasts.js";
import { gettext } from "./words.js";

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Over plain HTTP from another machine there is no clipboard API.
    const before = /** @type {HTMLElement} */ (document.activeElement);
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    before.focus({ preventScroll: true });
    return done;
  }
}

document.addEventListener("click", async (click) => {
  const button = /** @type {HTMLElement | null} */ (targetOf(click).closest("[data-copy], [data-copy-all], [data-copy-from]"));
  if (!button) return;
  const texts = button.dataset.copyFrom ? entries(button.dataset.copyFrom) : posts(button);
  const word = button.querySelector("[data-word]") ?? button;
  button.dataset.before ??= word.textContent;
  const isCopied = await copy(texts.join("\n"));
  word.textContent = isCopied ? gettext("Copied") : gettext("Not copied");
  if (isCopied) toast(word.textContent);
  else failed(word.textContent);
  setTimeout(() => (word.textContent = button.dataset.before), 1500);
});

function entries(list) {
  return all(`${list} > li`).map((entry) => entry.textContent.trim());
}

function posts(button) {
  const place = button.hasAttribute("data-copy") ? button.closest(".post") : button.closest(".generation");
  return [...place.querySelectorAll("p")].filter((node) => node.matches(".post > p, .post-body > p")).map((node) => node.textContent);
}

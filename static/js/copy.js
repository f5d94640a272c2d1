// Buttons that copy one post, all posts, or the entries of the list in data-copy-from.

import { all, targetOf } from "./dom.js";
import { gettext } from "./words.js";

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Over plain HTTP from another machine there is no clipboard API.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

document.addEventListener("click", async (click) => {
  const button = /** @type {HTMLElement | null} */ (targetOf(click).closest("[data-copy], [data-copy-all], [data-copy-from]"));
  if (!button) return;
  const texts = button.dataset.copyFrom ? entries(button.dataset.copyFrom) : posts(button);
  const before = button.dataset.word ?? button.textContent;
  button.dataset.word = before;
  button.textContent = (await copy(texts.join("\n"))) ? gettext("Copied") : gettext("Not copied");
  setTimeout(() => (button.textContent = before), 1500);
});

function entries(list) {
  return all(`${list} > li`).map((entry) => entry.textContent.trim());
}

function posts(button) {
  const place = button.hasAttribute("data-copy") ? button.closest(".post") : button.closest(".generation");
  return [...place.querySelectorAll(".post p, p")].filter((node) => node.closest(".post")).map((node) => node.textContent);
}

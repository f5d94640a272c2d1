// "Why?" of a post opens below it. Without JavaScript, the link leads to a page.

import { element, targetOf } from "./dom.js";
import { gettext } from "./words.js";

document.addEventListener("click", async (click) => {
  const link = /** @type {HTMLAnchorElement | null} */ (targetOf(click).closest("a[data-why]"));
  if (!link || click.ctrlKey || click.metaKey || click.shiftKey) return;
  click.preventDefault();
  const place = /** @type {HTMLElement} */ (link.closest(".post").querySelector("[data-why-place]"));
  const opens = place.hidden;
  place.hidden = !opens;
  link.setAttribute("aria-expanded", String(opens));
  if (!opens || place.hasChildNodes()) return;
  place.setAttribute("role", "status");
  try {
    const answer = await fetch(link.href, { headers: { "HX-Request": "true" } });
    if (!answer.ok) throw new Error(String(answer.status));
    place.innerHTML = await answer.text();
  } catch {
    place.replaceChildren(element("p", { className: "quiet" }, gettext("That didn’t work. Try again, or reload the page.")));
  }
});

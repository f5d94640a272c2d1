// Links whose answer opens below their post ("Why?", "Edit", "Report"), and the forms that come this way. Without
// JavaScript, each link leads to a page.

import { troubleOf } from "./answers.js";
import { element, targetOf } from "./dom.js";
import { keptChanged } from "./kept-list.js";
import { failed, toast } from "./toasts.js";
import { FAILED } from "./words.js";

/** The newest request for each place. What answers an earlier one comes too late. */
const newest = new WeakMap();

document.addEventListener("click", async (click) => {
  const link = /** @type {HTMLAnchorElement | null} */ (targetOf(click).closest("a[data-below]"));
  if (!link || click.ctrlKey || click.metaKey || click.shiftKey) return;
  click.preventDefault();
  const place = placeOf(link);
  const opens = place.hidden || place.dataset.shows !== link.href;
  for (const other of link.parentElement.querySelectorAll("a[data-below]")) {
    other.setAttribute("aria-expanded", String(opens && other === link));
  }
  place.hidden = !opens;
  newest.delete(place);
  if (!opens) return;
  place.dataset.shows = link.href;
  place.replaceChildren();
  place.setAttribute("role", "status");
  const request = ask(link.href);
  newest.set(place, request);
  const { html, trouble } = await request;
  if (newest.get(place) !== request) return;
  if (trouble) tell(place, trouble);
  else put(place, html);
});

/** Return the part at this address, or what's wrong. */
async function ask(address) {
  try {
    const answer = await fetch(address, { headers: { "HX-Request": "true" } });
    const isPart = answer.ok && !answer.redirected;
    return isPart ? { html: await answer.text() } : { trouble: await troubleOf(answer) };
  } catch {
    return { trouble: FAILED };
  }
}

document.addEventListener("submit", async (submission) => {
  const form = /** @type {HTMLFormElement} */ (targetOf(submission));
  const place = form.matches("[data-below-form]") && placeOf(form);
  if (!place) return;
  submission.preventDefault();
  try {
    const headers = { Accept: "application/json", "HX-Request": "true" };
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers });
    const type = answer.headers.get("Content-Type") ?? "";
    if (answer.ok && type.startsWith("application/json")) {
      close(place);
      toast((await answer.json()).said);
      keptChanged();
    } else if (answer.status === 400) {
      put(place, await answer.text());
    } else {
      failed(await troubleOf(answer));
    }
  } catch {
    failed(FAILED);
  }
});

function placeOf(node) {
  return /** @type {HTMLElement | null} */ (node.closest(".post")?.querySelector("[data-below-place]"));
}

function tell(place, sentence) {
  place.replaceChildren(element("p", { className: "quiet" }, sentence));
}

function put(place, html) {
  place.innerHTML = html;
  const field = /** @type {HTMLElement | null} */ (place.querySelector("textarea, input:not([type=hidden])"));
  field?.focus();
}

/** Close the place, and give focus back to the link that opened it. */
function close(place) {
  place.hidden = true;
  place.replaceChildren();
  const link = place.closest(".post").querySelector("a[aria-expanded=true]");
  link?.setAttribute("aria-expanded", "false");
  link?.focus();
}

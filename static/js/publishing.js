// What the pages of publishing have in common: the list of what waits, writing proposals, the time zone.

import { all, byId, element, setText, show, targetOf } from "./dom.js";
import { fail, writeInto } from "./streams.js";
import { failed } from "./toasts.js";
import { FAILED, gettext, interpolate, ngettext } from "./words.js";

const REFRESH_MS = 800;
let refreshing = 0;

/** Bring the list of what waits up to date once nothing has been decided for a moment. */
export function refreshSoon() {
  clearTimeout(refreshing);
  refreshing = window.setTimeout(refresh, REFRESH_MS);
}

/** Bring the list of what waits up to date. */
export async function refresh() {
  try {
    const answer = await fetch(location.pathname + location.search);
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("queue");
    if (fresh) byId("queue").replaceChildren(...fresh.childNodes);
  } catch {
    failed(FAILED);
  }
}

document.addEventListener("submit", (submission) => {
  const form = /** @type {HTMLFormElement} */ (targetOf(submission));
  if (!form.matches("[data-proposes]")) return;
  submission.preventDefault();
  propose(form);
});

/** Let the bot write. Posts appear as they are written; in the end, the proposals take their place. */
async function propose(form) {
  const button = form.querySelector("[type=submit]");
  if (button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  const body = new FormData(form);
  const place = byId("written");
  const writing = new AbortController();
  const cancel = form.querySelector("[data-cancel]");
  cancel.onclick = () => writing.abort();
  show(cancel, true);
  const say = (text) => setText(form.querySelector("[data-progress]"), text);
  const count = Number(body.get("count"));
  const ended = (number) => say(interpolate(gettext("Writing… %(number)s of %(count)s"), { number, count }));
  ended(0);
  try {
    await writeInto(place, { action: form.action, body, signal: writing.signal, ended });
    say(takeOver(place));
  } catch (error) {
    const isCancelled = error.name === "AbortError";
    say(isCancelled ? gettext("Cancelled.") : "");
    if (isCancelled) place.replaceChildren();
    else fail(place, FAILED);
  } finally {
    button.removeAttribute("aria-disabled");
    if (document.activeElement === cancel) button.focus();
    show(cancel, false);
  }
}

/** Put new proposals into the list, and return what to say. */
function takeOver(place) {
  const fresh = place.querySelectorAll("[data-proposal]");
  if (!fresh.length) return "";
  byId("proposal-list").append(...fresh);
  place.replaceChildren();
  document.dispatchEvent(new Event("proposed"));
  const n = fresh.length;
  return interpolate(ngettext("%(n)s new proposal.", "%(n)s new proposals.", n), { n });
}

// A new queue begins with the time zone of this browser, whatever is done first.
if (document.querySelector("[data-new-queue]")) {
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const zone = /** @type {HTMLSelectElement | null} */ (document.querySelector("select[name=zone]"));
  if (zone && [...zone.options].some((option) => option.value === here)) zone.value = here;
  for (const form of all("form[method=post]:not(:has([name=zone]))")) {
    form.append(element("input", { type: "hidden", name: "zone", value: here }));
  }
}

// The proposals of a bot: decide by keys or buttons. A decided post leaves at once, and the server hears of it meanwhile.
// If the server objects, the post comes back with the reason. Without JavaScript, each decision is a form.

import { troubleOf } from "./answers.js";
import { all, byId, element, setText, show, targetOf } from "./dom.js";
import { fail, writeInto } from "./streams.js";
import { failed } from "./toasts.js";
import { FAILED, gettext, interpolate, ngettext } from "./words.js";

const REFRESH_MS = 800;
/** How many decisions the server hasn't answered yet. */
let pending = 0;
let refreshing = 0;

const cards = () => all("[data-proposal]:not([hidden])");

/** The proposal that keys are about: the focused one, or the first. */
function current() {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement?.closest("[data-proposal]"));
  return focused ?? cards()[0];
}

document.addEventListener("submit", async (submission) => {
  const form = /** @type {HTMLFormElement} */ (targetOf(submission));
  if (form.matches("[data-proposes]")) {
    submission.preventDefault();
    return propose(form);
  }
  const card = /** @type {HTMLElement | null} */ (form.dataset.decide ? form.closest("[data-proposal]") : null);
  if (!card) return;
  submission.preventDefault();
  const button = /** @type {HTMLButtonElement | null} */ (submission.submitter);
  await decide(form, card, button?.name ? new FormData(form, button) : new FormData(form));
});

/** Take the post off the page, and tell the server. */
async function decide(form, card, body) {
  goOn(card);
  card.hidden = true;
  show(document.querySelector("[data-none]"), !cards().length);
  pending += 1;
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
    if (answer.ok && !answer.redirected) card.remove();
    else await bringBack(card, answer);
  } catch {
    tell(card, FAILED);
  } finally {
    pending -= 1;
    clearTimeout(refreshing);
    refreshing = window.setTimeout(refresh, REFRESH_MS);
  }
}

/** Focus the next proposal, or the one before. */
function goOn(card) {
  const shown = cards();
  const at = shown.indexOf(card);
  (shown[at + 1] ?? shown[at - 1])?.focus();
}

async function bringBack(card, answer) {
  if (answer.status !== 400) return tell(card, await troubleOf(answer));
  const { error, code } = await answer.json();
  tell(card, error);
  show(card.querySelector("[data-sure]"), code === "duplicate");
}

function tell(card, sentence) {
  const place = card.querySelector("[data-trouble]");
  card.hidden = false;
  show(document.querySelector("[data-none]"), false);
  show(place, true);
  setText(place.querySelector("p"), sentence);
}

/** Bring the list of what waits up to date, unless more decisions are on their way. */
async function refresh() {
  if (pending) return;
  try {
    const answer = await fetch(location.pathname);
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("queue");
    if (fresh && !pending) byId("queue").replaceChildren(...fresh.childNodes);
  } catch {
    failed(FAILED);
  }
}

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
  for (const shown of [byId("proposal-list"), document.querySelector("[data-keys]")]) show(shown, true);
  show(document.querySelector("[data-none]"), false);
  const n = fresh.length;
  return interpolate(ngettext("%(n)s new proposal.", "%(n)s new proposals.", n), { n });
}

const KEYS = {
  a: (card) => card.querySelector("[data-decide=approve]").requestSubmit(),
  e: (card) => open(card, "[data-edit]", "textarea"),
  r: (card) => open(card, "[data-reject]", "button"),
  w: (card) => card.querySelector("[data-why]")?.click(),
  j: (card) => step(card, 1),
  k: (card) => step(card, -1),
};

document.addEventListener("keydown", (press) => {
  if (press.ctrlKey || press.metaKey || press.altKey || targetOf(press).closest("input, textarea, select, dialog")) return;
  const card = current();
  const act = KEYS[press.key.toLowerCase()];
  if (!card || !act || byId("proposals")?.hidden) return;
  press.preventDefault();
  act(card);
});

function open(card, details, field) {
  const found = card.querySelector(details);
  found.open = true;
  found.querySelector(field).focus();
}

function step(card, by) {
  const shown = cards();
  const isFocused = card.contains(document.activeElement);
  (shown[shown.indexOf(card) + (isFocused ? by : 0)] ?? card).focus();
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

// The form that makes a bot write. Posts appear as they are written. At the end, the stored posts replace them. The button
// keeps focus, which a disabled button would lose. A status line announces the outcome once, so that screen readers don't
// read every post.

import { all, byId, element, inputById, targetOf } from "./dom.js";
import { sideBySide, threeTemperatures } from "./side-by-side.js";
import { fail, writeInto } from "./streams.js";
import { gettext } from "./words.js";

/** The heading of stored posts. */
const WRITTEN = ".generation:not(.writing) h2";
/** Ends the writing that the page began when it opened. */
let opening = new AbortController();
/** What the place showed before that writing, until it ends. */
let unopened = null;
/** What says why the last writing failed. */
let failure = [];

document.addEventListener("submit", (submission) => {
  const form = /** @type {HTMLFormElement} */ (targetOf(submission));
  if (!form.matches("form[data-writes]")) return;
  submission.preventDefault();
  opening.abort();
  const button = form.querySelector("button[type=submit]");
  if (button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  const pressed = /** @type {HTMLButtonElement | null} */ (submission.submitter);
  if (pressed?.matches("[data-chip]")) inputById(pressed.dataset.chip).value = pressed.value;
  const place = pressed?.matches("[data-more]") ? another() : byId("generation");
  for (const node of failure) node.remove();
  const earlier = unopened ?? [...place.childNodes];
  unopened = null;
  say(form, gettext("Writing…"));
  const writing = pressed?.matches("[data-three]")
    ? sideBySide(place, new FormData(form), threeTemperatures(form.action, pressed.dataset.three))
    : write(form, place, { isMore: place.id !== "generation" });
  writing
    .catch(() => fail(place, gettext("Can’t reach the server. Try again.")))
    .finally(() => {
      button.removeAttribute("aria-disabled");
      // Errors are alerts, so screen readers announce them already.
      const heading = place.querySelector(WRITTEN);
      say(form, heading ? `${heading.textContent.trim()}.` : "");
      const isFailed = !heading && !place.querySelector(".post");
      failure = isFailed ? [...place.childNodes] : [];
      // The same nodes, so that their buttons work and what is open below a post stays open.
      if (isFailed) place.append(...earlier);
      const { parentElement: shown } = byId("generation");
      shown.querySelector("[data-more-posts]")?.toggleAttribute("hidden", !shown.querySelector(`#generation ${WRITTEN}`));
    });
});

/** Return a new place below what is written so far. */
function another() {
  const place = element("div");
  byId("generation").append(place);
  return place;
}

/**
 * @param {HTMLFormElement} form
 * @param {HTMLElement} place what shows the posts
 * @param {{isMore?: boolean, signal?: AbortSignal}} options
 */
function write(form, place, { isMore = false, signal } = {}) {
  const body = new FormData(form);
  // With the same seed, more would be the same.
  if (isMore) body.delete("seed");
  return writeInto(place, { action: form.action, body, signal });
}

function say(form, text) {
  form.querySelector("[role=status]").textContent = text;
}

// A bot without posts writes some when its page opens. If that fails, the page stays as it was.
for (const form of all("form[data-opening]")) {
  const place = byId("generation");
  unopened = [...place.childNodes];
  opening = new AbortController();
  write(/** @type {HTMLFormElement} */ (form), place, { signal: opening.signal })
    .catch((error) => {
      // The page was left, something else was asked for, or the server is gone.
      if (!(error instanceof TypeError) && error.name !== "AbortError") throw error;
    })
    .finally(() => {
      const isWritten = place.querySelector(".post:not(.waiting)");
      // Otherwise, something else was asked for.
      if (unopened && !isWritten) place.replaceChildren(...unopened);
      unopened = null;
      if (isWritten) form.closest(".split").querySelector("[data-more-posts]")?.removeAttribute("hidden");
    });
}

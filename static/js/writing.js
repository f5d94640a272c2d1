// The form that makes a bot write. Posts appear as they are written. At the end, the stored posts replace them. The button
// keeps focus, which a disabled button would lose. A status line announces the outcome once, so that screen readers don't
// read every post.

import { all, byId, element, inputById, targetOf } from "./dom.js";
import { gettext } from "./words.js";

/** Ends the writing that the page began when it opened. */
let opening = new AbortController();

document.addEventListener("submit", (submission) => {
  const form = /** @type {HTMLFormElement} */ (targetOf(submission));
  if (!form.matches("form[data-writes]")) return;
  submission.preventDefault();
  opening.abort();
  const button = form.querySelector("button[type=submit]");
  if (button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  const pressed = /** @type {HTMLButtonElement | null} */ (submission.submitter);
  if (pressed?.matches("[data-chip]")) inputById("id_prompt").value = pressed.value;
  const place = pressed?.matches("[data-more]") ? another() : byId("generation");
  say(form, gettext("Writing…"));
  write(form, place, { isMore: place.id !== "generation" })
    .catch(() => fail(place, gettext("Can’t reach the server. Try again.")))
    .finally(() => {
      button.removeAttribute("aria-disabled");
      // Errors are alerts, so screen readers announce them already.
      const heading = place.querySelector("h2");
      say(form, heading ? `${heading.textContent.trim()}.` : "");
      byId("generation").parentElement.querySelector("[data-more-posts]")?.toggleAttribute("hidden", !heading);
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
async function write(form, place, { isMore = false, signal } = {}) {
  const body = new FormData(form);
  // With the same seed, more would be the same.
  if (isMore) body.delete("seed");
  waiting(place, Number(body.get("count")));
  const answer = await fetch(form.action, {
    method: "POST",
    body,
    headers: { Accept: "application/x-ndjson", "HX-Request": "true" },
    signal,
  });
  if (answer.redirected) return location.assign(answer.url);
  const type = answer.headers.get("Content-Type") ?? "";
  if (type.startsWith("application/x-ndjson")) return follow(answer, place);
  if (type.startsWith("text/html")) return put(place, await answer.text());
  fail(place, gettext("That didn’t work. Try again, or reload the page."));
}

/** Show cards without text until the first post comes: as many, so that nothing below moves much. */
function waiting(place, count) {
  const list = element("ul", { className: "posts timeline waiting", ariaHidden: "true" });
  for (let number = 0; number < Math.min(count || 1, 10); number += 1) {
    const lines = element("div", { className: "post-body" }, bar("skeleton short"), bar("skeleton"));
    list.append(element("li", { className: "post" }, bar("skeleton round"), lines));
  }
  place.replaceChildren(list);
}

function bar(className) {
  return element("span", { className });
}

/** Show the posts as they arrive. Each line is a post, except the last: HTML that replaces them all. */
async function follow(answer, place) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const list = element("ul", { className: "posts timeline" });
  let rest = "";
  let isComplete = false;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines.filter(Boolean)) {
      const { post, generation, error } = JSON.parse(line);
      if (generation ?? error) {
        put(place, (generation ?? error).html);
        isComplete = true;
      } else {
        if (!list.isConnected) place.replaceChildren(list);
        list.append(card(post));
      }
    }
  }
  if (!isComplete) fail(place, gettext("The connection was lost before all posts were written. Try again."));
}

function card(post) {
  const template = /** @type {HTMLTemplateElement} */ (document.getElementById("post-card"));
  const made = /** @type {HTMLElement} */ (template.content.firstElementChild.cloneNode(true));
  made.classList.add("arriving");
  made.querySelector("p").textContent = post;
  return made;
}

function put(place, html) {
  place.innerHTML = html;
}

function fail(place, sentence) {
  place.replaceChildren(element("div", { className: "note error", role: "alert" }, element("p", {}, sentence)));
}

function say(form, text) {
  form.querySelector("[role=status]").textContent = text;
}

// A bot without posts writes some when its page opens. If that fails, the page stays as it was.
for (const form of all("form[data-opening]")) {
  const place = byId("generation");
  const empty = place.innerHTML;
  opening = new AbortController();
  write(/** @type {HTMLFormElement} */ (form), place, { signal: opening.signal })
    .catch((error) => {
      // The page was left, something else was asked for, or the server is gone.
      if (!(error instanceof TypeError) && error.name !== "AbortError") throw error;
    })
    .finally(() => {
      const isWritten = place.querySelector(".post");
      if (!isWritten && !opening.signal.aborted) place.innerHTML = empty;
      if (isWritten) form.closest(".split").querySelector("[data-more-posts]")?.removeAttribute("hidden");
    });
}

// The parts of a page that htmx brings. If an answer lacks the part, because the database is busy or the session has
// ended, the page keeps what it shows, says why, and asks again as usual.

import { sentenceOf } from "./answers.js";
import { all, byId, element, setText } from "./dom.js";
import { failed } from "./toasts.js";
import { SIGNED_OUT, gettext } from "./words.js";

/** What is said about the last answer without a part, and the address that gave it. */
const note = element("p", { className: "note error" });
let troubled = "";
/** How far the regions of the part were scrolled to the side before it came anew, by their ids. */
let places = new Map();

document.addEventListener("htmx:sendError", (event) => say(gettext("Can’t reach the server. Try again."), event));
document.addEventListener("htmx:responseError", (event) => {
  const { xhr } = /** @type {CustomEvent} */ (event).detail;
  say(sentenceOf(new DOMParser().parseFromString(xhr.responseText, "text/html")), event);
});

document.addEventListener("htmx:beforeSwap", (event) => {
  const { detail } = /** @type {CustomEvent} */ (event);
  if (!detail.shouldSwap) return;
  const page = new DOMParser().parseFromString(detail.serverResponse, "text/html");
  const part = detail.requestConfig.elt.closest("[hx-select]")?.getAttribute("hx-select");
  // Without hx-select, the whole answer should be the part, so it has no <main>.
  if (part ? page.querySelector(part) : !page.querySelector("main")) {
    if (troubled === addressOf(event)) note.remove();
    tellChanges(page);
    places = new Map(regionsOf(detail.target).map((region) => [region.id, region.scrollLeft]));
    return;
  }
  detail.shouldSwap = false;
  say(isOfSignIn(detail) ? SIGNED_OUT : sentenceOf(page), event);
});

document.addEventListener("htmx:afterSwap", () => {
  for (const [id, left] of places) byId(id)?.scrollTo({ left, behavior: "instant" });
  places.clear();
});

const regionsOf = (part) => [...part.querySelectorAll("[id][tabindex='0']")];

/** Change alerts, which are outside of the part, only if they say something else: each change is read at once. */
function tellChanges(page) {
  for (const live of all("[data-live-part]")) {
    const newer = page.getElementById(live.id);
    if (newer && newer.textContent.trim() !== live.textContent.trim()) live.replaceChildren(...newer.childNodes);
  }
}

/** Return whether the answer without the part is another page. Only the end of a session leads to one. */
function isOfSignIn({ xhr, pathInfo }) {
  const asked = new URL(pathInfo.finalRequestPath, location.href);
  return xhr.status < 400 && new URL(xhr.responseURL).pathname !== asked.pathname;
}

function addressOf(event) {
  return event.detail?.pathInfo?.requestPath ?? "";
}

/**
 * Say it once, however often the page asks again. What somebody did themselves is answered where they see it, wherever they
 * have scrolled to.
 */
function say(text, event) {
  if (event.detail?.requestConfig?.verb === "post") return failed(text);
  troubled = addressOf(event);
  setText(note, text);
  if (!note.isConnected) byId("messages").replaceChildren(note);
}

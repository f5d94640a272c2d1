// The way of a new bot on one page: each stage takes the place of the one before, under an address of its own. Where that
// isn't possible, the browser opens the address, as it does without this script.

import { settleDrafts, startDrafts } from "./drafts.js";
import { all, byId, element, targetOf } from "./dom.js";
import { FAILED, gettext } from "./words.js";

/** Runs the listeners of a stage that is replaced, so that they let go of its elements. */
export const LEAVING = "stage:leaving";
/** Runs what decorates pages, for a stage that has come. */
export const SHOWN = "stage:shown";

/** The addresses of scripts that this document has run. */
const ran = new Set(all("script[src]").map((script) => script.getAttribute("src")));
let shown = location.pathname;
let stages = 0;

/** Return whether a stage has taken the place of the page that this document was loaded with. */
export const hasMoved = () => stages > 0;

/**
 * Show the page at this address in place of the current one.
 * @param {string} address
 * @param {{instead?: boolean}} options `instead`: Back leads to the page before the current one
 */
export async function goOn(address, options = {}) {
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    await showStage(await answer.text(), answer.url, options);
  } catch {
    open(address, options);
  }
}

/** Show the HTML of a page that was sent from this address, or open the address if the page is no stage. */
export async function showStage(html, address, { instead = false } = {}) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const main = page.querySelector("main");
  if (!main?.querySelector(".stages") || !byId("main")) return open(address, { instead });
  document.dispatchEvent(new Event(LEAVING));
  await addSources(page);
  stages += 1;
  if (instead) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  shown = location.pathname;
  document.title = page.title;
  for (const place of ["#messages", ".main-nav"]) replace(document.querySelector(place), page.querySelector(place));
  replace(byId("main"), main);
  // At once: what somebody changes while the modules are still coming would be lost.
  globalThis.htmx.process(document.body);
  byId("main").classList.add("arriving-stage");
  window.scrollTo(0, 0);
  const title = document.querySelector("h1");
  title.tabIndex = -1;
  title.focus({ preventScroll: true });
  await runModules(page);
  startDrafts();
  document.dispatchEvent(new Event(SHOWN));
}

function open(address, { instead = false } = {}) {
  if (instead) location.replace(address);
  else location.assign(address);
}

function replace(old, other) {
  if (old && other) old.replaceChildren(...[...other.childNodes].map((node) => document.adoptNode(node)));
}

/** Add the page's styles and classic scripts that this document doesn't have yet. */
async function addSources(page) {
  const own = document.querySelector('link[rel="stylesheet"]');
  for (const link of page.querySelectorAll('link[rel="stylesheet"]')) {
    const href = link.getAttribute("href");
    if (!document.querySelector(`link[href="${CSS.escape(href)}"]`)) own.after(element("link", { rel: "stylesheet", href }));
  }
  for (const script of page.querySelectorAll("script[src]:not([type=module])")) {
    const src = script.getAttribute("src");
    if (ran.has(src)) continue;
    ran.add(src);
    const added = element("script", { src });
    const loaded = new Promise((resolve, reject) => {
      added.addEventListener("load", resolve);
      added.addEventListener("error", reject);
    });
    document.head.append(added);
    await loaded;
  }
}

/** Run the page's own modules. One that has run in this document before runs again under another address. */
async function runModules(page) {
  for (const script of page.querySelectorAll("body script[type=module][src]")) {
    const src = script.getAttribute("src");
    await import(ran.has(src) ? `${src}?stage=${stages}` : src);
    ran.add(src);
  }
}

document.addEventListener("submit", async (submission) => {
  const form = /** @type {HTMLFormElement | null} */ (targetOf(submission).closest("form[data-stage]"));
  if (!form || submission.defaultPrevented) return;
  submission.preventDefault();
  if (form.dataset.sent) return;
  form.dataset.sent = "yes";
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      body: new FormData(form, /** @type {HTMLElement | null} */ (submission.submitter)),
      headers: { Accept: "text/html" },
    });
    await take(form, answer.url, await answer.text(), answer.ok);
  } catch {
    say(form, element("p", {}, gettext("Can’t reach the server. Try again.")));
  } finally {
    delete form.dataset.sent;
  }
});

/** Show what the server answered to a form: the next stage, or what's wrong with the form, which stays as it is. */
export async function take(form, address, html, isOk) {
  const page = new DOMParser().parseFromString(html, "text/html");
  if (isOk) {
    if (page.querySelector("main .stages")) {
      settleDrafts(form);
      return showStage(html, address);
    }
    // A refusal comes with the page that the form is on. Opened again, that page would no longer say it.
    const refusals = [...page.querySelectorAll("#messages .note:is(.error, .warning)")];
    if (refusals.length) return say(form, ...refusals.map((note) => element("p", {}, ...note.childNodes)));
    // After the end of a session, this is the page to sign in, and what was typed is still unsent.
    return open(address);
  }
  const wrong = page.querySelector("[data-form-errors]") ?? page.querySelector("main p");
  say(form, ...(wrong ? [...wrong.childNodes] : [FAILED]));
}

function say(form, ...words) {
  document.querySelector("[data-form-errors]")?.remove();
  const note = element("div", { className: "note error", role: "alert" }, ...words);
  note.dataset.formErrors = "";
  form.before(note);
  note.scrollIntoView({ block: "nearest" });
}

// Back and forward lead to addresses whose stages are gone from this document.
window.addEventListener("popstate", () => {
  if (location.pathname !== shown) location.reload();
});

// Forms with `data-draft` keep what a person typed until they send it: through a reload, on another day, after a lost
// connection. Each person has their own drafts in this browser. Signing out deletes them, and so does deleting the account.

import { all, targetOf } from "./dom.js";

const PREFIX = "draft:";
const SAVING_MS = 300;
/** A draft that was sent is kept for a while, for those who go back. */
const SENT_MS = 60 * 60 * 1000;
/** Under this name, a tab remembers the draft that it sends, until its next page. */
const SENDING = "sending-draft";
/** Under this name, a tab remembers that a person asked to delete their account. */
const ENDING = "ending-account";
const UNKEPT = ["hidden", "file", "password", "submit", "button", "reset"];

const { person } = document.body.dataset;
const isReturn = ["back_forward", "reload"].includes(
  /** @type {PerformanceNavigationTiming} */ (performance.getEntriesByType("navigation")[0])?.type,
);
let isFirstPage = true;
const waiting = new Map();

/** Fill the forms of the page with their drafts. */
export function startDrafts() {
  if (isFirstPage) takeBack();
  if (!person) return;
  sweep();
  for (const form of all("form[data-draft]")) restore(/** @type {HTMLFormElement} */ (form));
  isFirstPage = false;
}

/** Note that the form was sent, so that its draft doesn't come back on a new page. */
export function settleDrafts(form) {
  if (!person || !form.dataset.draft) return;
  save(form);
  const draft = read(keyOf(form));
  if (draft) write(keyOf(form), { ...draft, sent: Date.now() });
}

/**
 * If the form led to a page without a person, their session had ended, and what they typed is still unsent. If they had asked
 * to delete their account, it's gone, and their drafts go, too.
 */
function takeBack() {
  const isEnding = sessionStorage.getItem(ENDING);
  sessionStorage.removeItem(ENDING);
  if (isEnding && !person) forgetAll();
  const key = sessionStorage.getItem(SENDING);
  sessionStorage.removeItem(SENDING);
  const draft = key && !person && read(key);
  if (draft) write(key, { values: draft.values });
}

const keyOf = (form) => `${PREFIX}${person}:${form.dataset.draft}`;
const ours = () => Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));

function fieldsOf(form) {
  const named = [...form.elements].filter((field) => field.name && "value" in field && !UNKEPT.includes(field.type));
  return /** @type {HTMLInputElement[]} */ (named);
}

const isBox = (field) => field.type === "radio" || field.type === "checkbox";
const idOf = (field) => (isBox(field) ? `${field.name}=${field.value}` : field.name);
const shownIn = (field) => (isBox(field) ? field.checked : field.value);
function usualOf(field) {
  if (isBox(field)) return field.defaultChecked;
  if (field.type !== "select-one") return field.defaultValue;
  return ([...field.options].find((option) => option.defaultSelected) ?? field.options[0])?.value;
}

/** Keep what differs from what the page came with. */
function save(form) {
  clearTimeout(waiting.get(form));
  waiting.delete(form);
  const changed = fieldsOf(form).filter((field) => shownIn(field) !== usualOf(field));
  const values = Object.fromEntries(changed.map((field) => [idOf(field), shownIn(field)]));
  // A radio button that is no longer chosen says nothing of its own.
  for (const field of changed) if (field.type === "radio" && !field.checked) delete values[idOf(field)];
  if (Object.keys(values).length) write(keyOf(form), { values });
  else localStorage.removeItem(keyOf(form));
}

function restore(form) {
  const draft = read(keyOf(form));
  if (!draft || (draft.sent && !(isReturn && isFirstPage))) return localStorage.removeItem(keyOf(form));
  const isSelect = (field) => Number(field.type === "select-one");
  // What is selected counts only with the choice that it belongs to, so it comes first and says nothing.
  for (const field of fieldsOf(form).sort((a, b) => isSelect(b) - isSelect(a))) {
    const value = draft.values[idOf(field)];
    if (value === undefined || value === shownIn(field)) continue;
    if (isBox(field)) field.checked = value;
    else field.value = value;
    field.closest("details")?.setAttribute("open", "");
    for (const kind of isSelect(field) ? [] : ["input", "change"]) field.dispatchEvent(new Event(kind, { bubbles: true }));
  }
}

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}

function write(key, draft) {
  try {
    localStorage.setItem(key, JSON.stringify(draft));
  } catch {
    // More than this browser keeps, such as a long pasted text. The page itself still has it.
  }
}

/** Delete the drafts of others who used this browser, and old ones that were sent. */
function sweep() {
  for (const key of ours()) {
    const sent = read(key)?.sent;
    if (!key.startsWith(`${PREFIX}${person}:`) || (sent && Date.now() - sent > SENT_MS)) localStorage.removeItem(key);
  }
}

function forgetAll() {
  for (const timer of waiting.values()) clearTimeout(timer);
  waiting.clear();
  for (const key of ours()) localStorage.removeItem(key);
}

for (const kind of ["input", "change"]) {
  document.addEventListener(kind, (event) => {
    const form = targetOf(event).closest?.("form[data-draft]");
    if (!form || !person) return;
    clearTimeout(waiting.get(form));
    waiting.set(
      form,
      setTimeout(() => save(form), SAVING_MS),
    );
  });
}
window.addEventListener("pagehide", () => {
  for (const form of [...waiting.keys()]) save(form);
});
document.addEventListener("submit", (submission) => {
  const form = /** @type {HTMLFormElement} */ (targetOf(submission));
  if (form.matches("[data-signs-out]")) forgetAll();
  else if (form.matches("[data-ends-account]")) sessionStorage.setItem(ENDING, "yes");
  else if (!submission.defaultPrevented && form.matches("[data-draft]:not([data-stage])")) {
    settleDrafts(form);
    if (person) sessionStorage.setItem(SENDING, keyOf(form));
  }
});
// After the modules of the page, whose listeners hear what is restored.
document.addEventListener("DOMContentLoaded", startDrafts);

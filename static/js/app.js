// Scripts of every page.

import "./copy.js";
import "./dialogs.js";
import "./list-find.js";
import "./menus.js";
import "./parts.js";
import "./tabs.js";
import "./themes.js";
import "./dials.js";
import "./below.js";
import "./keep.js";
import "./picture.js";
import "./writing.js";
import "./drafts.js";
import { all, setText, targetOf } from "./dom.js";
import { duration } from "./format.js";
import { SHOWN } from "./stages.js";
import { forgetOthers } from "./in-browser/forget.js";

/** Milliseconds after which a form may be sent again: the browser doesn't say that somebody stopped it. */
const SENDING_MS = 10_000;

function decorate() {
  for (const node of all("[data-duration]")) setText(node, duration(Number(node.dataset.duration)));
  for (const node of all("time[datetime]")) {
    node.title = new Date(node.getAttribute("datetime")).toLocaleString(document.documentElement.lang || "en");
  }
}
decorate();
document.addEventListener("htmx:afterSettle", decorate);
document.addEventListener(SHOWN, decorate);

// Pressing a button twice submits once: otherwise two trainings would be queued. Forms with their own scripts handle this themselves.
document.addEventListener("submit", (submission) => {
  const form = /** @type {HTMLFormElement} */ (targetOf(submission));
  const isOurs = form.method === "post" && !form.matches("[hx-post], [data-job-action], [data-theme-switch], [data-keep], [data-below-form], [data-compare], #new-corpus");
  if (!isOurs || submission.defaultPrevented) return;
  if (form.dataset.sent) return submission.preventDefault();
  form.dataset.sent = "yes";
  setTimeout(() => delete form.dataset.sent, SENDING_MS);
});
// What is changed is meant to be sent. Stages know themselves when they are sent.
for (const kind of ["input", "change"]) {
  document.addEventListener(kind, (event) => {
    const form = targetOf(event).closest?.("form[data-sent]:not([data-stage])");
    if (form) delete (/** @type {HTMLFormElement} */ (form).dataset.sent);
  });
}
// A page restored from the back/forward cache may submit again.
window.addEventListener("pageshow", () => {
  for (const form of all("form[data-sent]")) delete form.dataset.sent;
});

// Bots that this browser keeps are for the person who is signed in, and go when they sign out.
forgetOthers(document.body.dataset.person);
document.addEventListener("submit", (submission) => {
  if (targetOf(submission).matches("[data-signs-out]")) forgetOthers(undefined);
});

// Scripts of every page.

import "./copy.js";
import "./dialogs.js";
import "./spark.js";
import "./writing.js";
import { all, setText, targetOf } from "./dom.js";
import { duration } from "./format.js";

for (const node of all("[data-duration]")) setText(node, duration(Number(node.dataset.duration)));
for (const node of all("time[datetime]")) {
  node.title = new Date(node.getAttribute("datetime")).toLocaleString();
}

document.addEventListener("htmx:sendError", () => note("The server could not be reached. Try once more."));
document.addEventListener("htmx:responseError", () => note("The server could not do that. Try once more, or reload the page."));

// Pressing a button twice submits once: otherwise two trainings would be queued. Forms with their own scripts handle this themselves.
document.addEventListener("submit", (submission) => {
  const form = /** @type {HTMLFormElement} */ (targetOf(submission));
  const isOurs = form.method === "post" && !form.matches("[hx-post], [data-job-action], #new-corpus");
  if (!isOurs || submission.defaultPrevented) return;
  if (form.dataset.sent) submission.preventDefault();
  form.dataset.sent = "yes";
});
// A page restored from the back/forward cache may submit again.
window.addEventListener("pageshow", () => {
  for (const form of all("form[data-sent]")) delete form.dataset.sent;
});

function note(text) {
  const line = document.createElement("p");
  line.className = "note error";
  line.textContent = text;
  document.getElementById("messages").replaceChildren(line);
}

// The form that makes a bot write. Posts appear as they are written. At the end, the stored posts replace them. The button
// keeps focus, which a disabled button would lose. A status line announces the outcome once, so that screen readers don't
// read every post.

import { byId, element, targetOf } from "./dom.js";
import { gettext } from "./words.js";

document.addEventListener("submit", (submission) => {
  const form = /** @type {HTMLFormElement} */ (targetOf(submission));
  if (!form.matches("form[data-writes]")) return;
  submission.preventDefault();
  const button = form.querySelector("button[type=submit]");
  if (button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  say(form, gettext("Writing…"));
  write(form)
    .catch(() => fail(gettext("Can’t reach the server. Try again.")))
    .finally(() => {
      button.removeAttribute("aria-disabled");
      // Errors are alerts, so screen readers announce them already.
      const heading = byId("generation").querySelector("h2");
      say(form, heading ? `${heading.textContent.trim()}.` : "");
    });
});

/** @param {HTMLFormElement} form */
async function write(form) {
  const answer = await fetch(form.action, {
    method: "POST",
    body: new FormData(form),
    headers: { Accept: "application/x-ndjson", "HX-Request": "true" },
  });
  if (answer.redirected) return location.assign(answer.url);
  const type = answer.headers.get("Content-Type") ?? "";
  if (type.startsWith("application/x-ndjson")) return follow(answer);
  if (type.startsWith("text/html")) return put(await answer.text());
  fail(gettext("That didn’t work. Try again, or reload the page."));
}

/** Show the posts as they arrive. Each line is a post, except the last: HTML that replaces them all. */
async function follow(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const list = element("ul", { className: "posts" });
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
        put((generation ?? error).html);
        isComplete = true;
      } else {
        if (!list.isConnected) byId("generation").replaceChildren(list);
        list.append(element("li", { className: "post" }, element("p", { dir: "auto" }, post)));
      }
    }
  }
  if (!isComplete) fail(gettext("The connection was lost before all posts were written. Try again."));
}

function put(html) {
  byId("generation").innerHTML = html;
}

function fail(sentence) {
  byId("generation").replaceChildren(element("div", { className: "note error", role: "alert" }, element("p", {}, sentence)));
}

function say(form, text) {
  form.querySelector("[role=status]").textContent = text;
}

// Posts that appear in a place as a bot writes them. At the end, the stored posts replace them.

import { element } from "./dom.js";
import { gettext } from "./words.js";

/**
 * Let a bot write into the place.
 * @param {HTMLElement} place what shows the posts
 * @param {{action: string, body: FormData, signal?: AbortSignal}} options
 */
export async function writeInto(place, { action, body, signal }) {
  waiting(place, Number(body.get("count")));
  const answer = await fetch(action, {
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

export function fail(place, sentence) {
  place.replaceChildren(element("div", { className: "note error", role: "alert" }, element("p", {}, sentence)));
}

// Posts that appear in a place as a bot writes them. At the end, the stored posts replace them.

import { element } from "./dom.js";
import { FAILED, SIGNED_OUT, gettext } from "./words.js";

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
  if (answer.redirected) return fail(place, SIGNED_OUT);
  const type = answer.headers.get("Content-Type") ?? "";
  if (type.startsWith("application/x-ndjson")) return follow(answer, place);
  if (type.startsWith("text/html")) return putPart(place, await answer.text());
  fail(place, FAILED);
}

/** Show a part of a page. A whole page, such as the one for a bot that is gone, never takes the place of posts. */
function putPart(place, html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  if (!page.querySelector("main")) return put(place, html);
  fail(place, page.querySelector("[data-form-errors]")?.textContent.trim() || FAILED);
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

/** Show the posts as they begin and end. The last line is HTML that replaces them all. */
async function follow(answer, place) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const list = element("ul", { className: "posts timeline" });
  const begun = new Begun(list);
  let rest = "";
  let isComplete = false;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines.filter(Boolean)) {
      const { post, beginnings, generation, error } = JSON.parse(line);
      if (generation ?? error) {
        put(place, (generation ?? error).html);
        isComplete = true;
      } else {
        if (beginnings) begun.show(beginnings);
        else begun.end(post);
        if (!list.isConnected && list.children.length > 0) place.replaceChildren(list);
      }
    }
  }
  if (!isComplete) fail(place, gettext("The connection was lost before all posts were written. Try again."));
}

/** The cards of posts that are being written. Each stays in its place when its post ends. */
class Begun {
  /** @param {HTMLElement} list */
  constructor(list) {
    this.list = list;
    /** @type {Map<string, {text: string, card: HTMLElement}>} by the number of the draft */
    this.drafts = new Map();
  }

  /**
   * Show how posts begin. A card without a beginning belongs to a draft that was rejected.
   * @param {Record<string, string>} beginnings by the number of the draft
   */
  show(beginnings) {
    for (const [number, { card }] of this.drafts) {
      if (number in beginnings) continue;
      card.remove();
      this.drafts.delete(number);
    }
    for (const [number, text] of Object.entries(beginnings)) {
      const draft = this.drafts.get(number) ?? { text, card: this.add("begun") };
      draft.text = text;
      write(draft.card, text);
      this.drafts.set(number, draft);
    }
  }

  /** Show a whole post, in the card of its beginning if there is one. */
  end(post) {
    const [number, draft] =
      [...this.drafts]
        .filter(([, { text }]) => post.startsWith(text))
        .sort(([, one], [, other]) => other.text.length - one.text.length)[0] ?? [];
    this.drafts.delete(number);
    draft?.card.classList.remove("begun");
    write(draft?.card ?? this.add(), post);
  }

  add(...classes) {
    const made = card();
    made.classList.add("arriving", ...classes);
    this.list.append(made);
    return made;
  }
}

function card() {
  const template = /** @type {HTMLTemplateElement} */ (document.getElementById("post-card"));
  return /** @type {HTMLElement} */ (template.content.firstElementChild.cloneNode(true));
}

function write(card, text) {
  card.querySelector("p").textContent = text;
}

function put(place, html) {
  place.innerHTML = html;
}

export function fail(place, sentence) {
  place.replaceChildren(element("div", { className: "note error", role: "alert" }, element("p", {}, sentence)));
}

// Posts that appear in a place as a bot writes them. At the end, the stored posts replace them.

import { sentenceOf } from "./answers.js";
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
  fail(place, sentenceOf(page));
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
  const list = element("ul", { className: "posts timeline" });
  const begun = new Begun(list);
  try {
    for await (const { post, beginnings, generation, error } of linesOf(answer.body)) {
      if (generation) return put(place, generation.html);
      if (error) return breakOff(place, list, error.html);
      if (beginnings) begun.show(beginnings);
      else begun.end(post);
      if (!list.isConnected && list.children.length > 0) place.replaceChildren(list);
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  const why = gettext("The connection was lost before all posts were written. Try again.");
  breakOff(place, list, alertOf(why).outerHTML);
}

/** Yield what each line of the body says. */
async function* linesOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line) yield JSON.parse(line);
  }
}

/** Say why no more posts come. Those that are whole stay, because they aren't stored anywhere else. */
function breakOff(place, list, html) {
  for (const begun of list.querySelectorAll(".begun")) begun.remove();
  if (!list.children.length) return put(place, html);
  const note = element("div");
  put(note, html);
  note.append(element("p", { className: "quiet" }, gettext("The posts above aren’t saved. Copy those that you like.")));
  place.replaceChildren(list, note);
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
  place.replaceChildren(alertOf(sentence));
}

function alertOf(sentence) {
  return element("div", { className: "note error", role: "alert" }, element("p", {}, sentence));
}

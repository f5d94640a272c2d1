// Posts that appear in a place as a bot writes them. At the end, the stored posts replace them.

import { sentenceOf } from "./answers.js";
import { byId, element } from "./dom.js";
import { cardOf } from "./post-card.js";
import { FAILED, SIGNED_OUT, gettext } from "./words.js";

/**
 * Let a bot write into the place.
 * @param {HTMLElement} place what shows the posts
 * @param {{action: string, body: FormData, signal?: AbortSignal, ended?: (posts: number) => void}} options ended: is told
 *   how many posts are whole
 */
export async function writeInto(place, { action, body, signal, ended }) {
  const cards = new Cards(place, countOf(body));
  const answer = await fetch(action, {
    method: "POST",
    body,
    headers: { Accept: "application/x-ndjson", "HX-Request": "true" },
    signal,
  });
  if (answer.redirected) return fail(place, SIGNED_OUT);
  const type = answer.headers.get("Content-Type") ?? "";
  if (type.startsWith("application/x-ndjson")) return follow(answer, place, cards, ended);
  if (type.startsWith("text/html")) return putPart(place, await answer.text());
  fail(place, FAILED);
}

/** Show a part of a page. A whole page, such as the one for a bot that is gone, never takes the place of posts. */
function putPart(place, html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  if (!page.querySelector("main")) return put(place, html);
  fail(place, sentenceOf(page));
}

/** Show the posts as they begin and end. The last line is HTML that replaces them all. */
async function follow(answer, place, cards, ended) {
  try {
    for await (const { beginnings, generation, error, ...posted } of linesOf(answer.body)) {
      if (generation) return putWritten(place, generation.html, cards);
      if (error) return breakOff(place, cards, error.html);
      if (beginnings) cards.show(beginnings);
      else {
        cards.end(posted);
        ended?.(cards.all.filter((card) => !card.matches(".waiting, .begun")).length);
      }
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  const why = gettext("The connection was lost before all posts were written. Try again.");
  breakOff(place, cards, alertOf(why).outerHTML);
}

/** Show the stored posts, each where its card is and as high. */
function putWritten(place, html, cards) {
  const heights = cards.ended().map((card) => card.querySelector("p").style.minHeight);
  put(place, html);
  for (const [number, line] of place.querySelectorAll(".post-body > p").entries()) {
    /** @type {HTMLElement} */ (line).style.minHeight = heights[number];
  }
}

/** Return how many posts the body asks for. With temperature 0 or top k 1, all would be the same, so there is one. */
function countOf(body) {
  return Number(body.get("temperature")) === 0 || body.get("top_k") === "1" ? 1 : Number(body.get("count"));
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
function breakOff(place, cards, html) {
  if (!cards.ended().length) return put(place, html);
  const note = element("div");
  put(note, html);
  note.append(element("p", { className: "quiet" }, gettext("The posts above aren’t saved. Copy those that you like.")));
  place.replaceChildren(cards.list, note);
}

/**
 * The cards of the posts that are asked for, each in the place where it stays. One without text waits for a draft; the draft
 * that replaces a rejected one takes its place.
 */
class Cards {
  /**
   * @param {HTMLElement} place
   * @param {number} count
   */
  constructor(place, count) {
    this.list = element("ul", { className: "posts timeline" });
    while (this.list.children.length < count) this.add();
    const head = /** @type {HTMLTemplateElement} */ (byId("writing-head")).content.cloneNode(true);
    place.replaceChildren(element("div", { className: "generation writing" }, head, this.list));
  }

  /**
   * Show how posts begin. A card that had a beginning and has none now had that of a draft that was rejected.
   * @param {Record<string, string>} beginnings by the place of the post
   */
  show(beginnings) {
    for (const [number, card] of this.all.entries()) {
      if (!(String(number) in beginnings) && card.matches(".begun")) this.wait(card);
    }
    for (const [number, text] of Object.entries(beginnings)) write(this.at(Number(number)), text, "begun");
  }

  /** @param {{place: number, post: string}} posted a whole post */
  end({ place, post }) {
    write(this.at(place), post);
  }

  get all() {
    return /** @type {HTMLElement[]} */ ([...this.list.children]);
  }

  at(number) {
    while (this.list.children.length <= number) this.add();
    return this.all[number];
  }

  add() {
    const card = cardOf(this.list.children.length + 1);
    this.list.append(card);
    this.wait(card);
  }

  /** Empty the card, which stays as high as it was. */
  wait(card) {
    const line = card.querySelector("p");
    if (line.textContent) line.style.minHeight = `${line.offsetHeight}px`;
    card.classList.remove("begun");
    card.classList.add("waiting");
    card.ariaHidden = "true";
    line.replaceChildren(bar("skeleton"), bar("skeleton short"));
  }

  /** Return the cards of whole posts; the others are removed. */
  ended() {
    for (const card of this.all) if (card.matches(".waiting, .begun")) card.remove();
    return this.all;
  }
}

function bar(className) {
  return element("span", { className });
}

function write(card, text, ...classes) {
  card.classList.remove("waiting", "begun");
  card.classList.add(...classes);
  card.ariaHidden = null;
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

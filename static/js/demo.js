// The demo bot on the front page. It writes a few posts by itself while the page is visible, unless the visitor prefers
// reduced motion; the button stops that, or asks for one more.

import { all, element, setText } from "./dom.js";
import { gettext } from "./words.js";

const SHOWN = 4;
/** The bot writes so many posts by itself; the first and the others after so many milliseconds. */
const BY_ITSELF = 4;
const FIRST = 1500;
const PAUSE = 5000;
/** Milliseconds for each typed character, at most for a post. */
const TYPING = 22;
const LONGEST = 4000;

for (const form of all("form[data-demo]")) start(/** @type {HTMLFormElement} */ (form));

/** @param {HTMLFormElement} form */
function start(form) {
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const list = document.querySelector("[data-demo-posts] > ul");
  const state = document.querySelector("[data-demo-state]");
  const words = form.querySelector("button > span");
  let left = isCalm ? 0 : BY_ITSELF;
  let isWriting = false;

  form.addEventListener("submit", (submission) => {
    submission.preventDefault();
    if (left) return stop();
    // Only what the visitor asked for is announced.
    state.setAttribute("role", "status");
    write();
  });
  if (left) {
    setText(words, gettext("Stop"));
    setTimeout(next, FIRST);
  }

  async function next() {
    if (!left) return;
    if (document.visibilityState === "visible") {
      left -= 1;
      const isWritten = await write();
      if (!isWritten || !left) return stop();
    }
    setTimeout(next, PAUSE);
  }

  function stop() {
    left = 0;
    setText(words, gettext("Write another"));
  }

  /** Show one more post. Returns whether there is one. */
  async function write() {
    if (isWriting) return true;
    isWriting = true;
    setText(state, gettext("Writing…"));
    const answer = await ask(form);
    const post = answer.post ?? answer.earlier.find((text) => !shown().includes(text));
    if (post) await show(post);
    if (answer.post) setText(state, gettext("Written just now."));
    else setText(state, post ? gettext("Written earlier: the bot can’t write right now.") : gettext("The bot can’t write right now. Try again in a moment."));
    isWriting = false;
    return Boolean(post);
  }

  function shown() {
    return [...list.querySelectorAll(".post-body > p")].map((line) => line.textContent);
  }

  async function show(post) {
    const template = /** @type {HTMLTemplateElement} */ (document.getElementById("post-card"));
    const card = /** @type {HTMLElement} */ (template.content.firstElementChild.cloneNode(true));
    const line = card.querySelector("p");
    // What is below the list keeps its place.
    list.parentElement.style.minBlockSize = `${list.parentElement.offsetHeight}px`;
    card.classList.add("arriving");
    list.prepend(card);
    while (list.children.length > SHOWN) list.lastElementChild.remove();
    if (isCalm) setText(line, post);
    else await typed(line, post);
  }
}

/** Type the text; the rest is there but invisible, so that nothing moves. */
async function typed(line, text) {
  const signs = [...text];
  const written = element("span");
  const rest = element("span", { className: "to-come" }, text);
  line.replaceChildren(written, rest);
  const pause = Math.min(TYPING, LONGEST / signs.length);
  for (let count = 1; count <= signs.length; count += 1) {
    written.textContent = signs.slice(0, count).join("");
    rest.textContent = signs.slice(count).join("");
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  line.textContent = text;
}

/** @returns {Promise<{post: string | null, earlier: string[]}>} */
async function ask(form) {
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" } });
    if (answer.ok) return await answer.json();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  return { post: null, earlier: [] };
}

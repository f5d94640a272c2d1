// The proposals of a bot: decide by keys, buttons or swipes. A decided post leaves at once, and the server hears of it
// meanwhile. If the server objects, the post comes back with the reason. Each decision can be taken back.

import { troubleOf } from "./answers.js";
import { all, setText, show, targetOf } from "./dom.js";
import { refreshSoon } from "./publishing.js";
import { failed } from "./toasts.js";
import { FAILED, gettext, interpolate, ngettext } from "./words.js";

/** How far a finger moves a post to decide about it, and until it's clear that it's a swipe, in pixels. */
const FAR = 96;
const SURE = 12;

/** @typedef {{card: HTMLElement, kind: "approve" | "reject", isDone?: Promise<boolean>}} Decision */

const place = /** @type {HTMLElement} */ (document.querySelector("[data-deciding]"));
const bar = /** @type {HTMLElement} */ (place.querySelector("[data-decided]"));
const none = /** @type {HTMLElement} */ (place.querySelector("[data-none]"));
/** What can be taken back, the newest last. @type {Decision[]} */
const decisions = [];
/** The last request about each post. @type {WeakMap<HTMLElement, Promise<boolean>>} */
const sending = new WeakMap();
/** @type {HTMLElement | null} */
let current = null;

const cards = () => all("[data-proposal]:not([hidden])");
const part = (card, selector) => /** @type {HTMLElement | null} */ (card.querySelector(selector));
const formOf = (card, kind) => /** @type {HTMLFormElement} */ (card.querySelector(`[data-decide=${kind}]`));

/** Open this post and close the others. @param {HTMLElement | undefined} card */
function turnTo(card, { focus = true } = {}) {
  current?.removeAttribute("aria-current");
  current = card ?? null;
  show(none, !card);
  for (const each of all("[data-some]")) show(each, Boolean(card));
  if (!card) return focus && none.focus();
  card.setAttribute("aria-current", "true");
  if (!focus) return;
  card.focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
}

/** Return the post behind this one, or the one before. */
function neighbour(card, by = 1) {
  const shown = cards();
  const at = shown.indexOf(card);
  return shown[at + by] ?? shown[at - by];
}

/** Do something after all that was sent about this post. @param {() => Promise<boolean>} work */
function inTurn(card, work) {
  const done = (sending.get(card) ?? Promise.resolve(true)).then(work);
  sending.set(card, done);
  return done;
}

/** Take the post off the page, and tell the server. @param {HTMLElement} card @param {"approve" | "reject"} kind */
async function decide(card, kind) {
  const decision = { card, kind };
  const form = formOf(card, kind);
  const body = new FormData(form);
  const next = neighbour(card);
  card.hidden = true;
  show(part(card, "[data-trouble]"), false);
  decisions.push(decision);
  say(decision, kind === "approve" ? gettext("Approved.") : gettext("Rejected."));
  turnTo(next);
  count();
  decision.isDone = inTurn(card, () =>
    send(
      form,
      body,
      (said) => decisions.at(-1) === decision && setText(part(bar, "[data-said]"), said),
      (sentence, code) => comesBack(card, sentence, code),
    ),
  );
  if (await decision.isDone) return;
  if (decisions.at(-1) === decision) show(bar, false);
  if (decisions.includes(decision)) decisions.splice(decisions.indexOf(decision), 1);
}

/** Send a form. Return whether the server did it; if not, `objects` is called with a sentence and its code. */
async function send(form, body, heard, objects) {
  try {
    // Also if the person leaves the page at this moment.
    const headers = { Accept: "application/json" };
    const answer = await fetch(form.action, { method: "POST", body, headers, keepalive: true });
    if (answer.ok && !answer.redirected) {
      heard((await answer.json()).said);
      return true;
    }
    if (answer.status === 400) {
      const { error, code } = await answer.json();
      objects(error, code);
    } else objects(await troubleOf(answer), "");
  } catch {
    objects(FAILED, "");
  } finally {
    refreshSoon();
  }
  return false;
}

/** Show the post again with what's wrong: it's the next one that the person sees. */
function comesBack(card, sentence, code) {
  card.hidden = false;
  if (current && current !== card) current.after(card);
  const trouble = part(card, "[data-trouble]");
  show(trouble, true);
  setText(trouble?.querySelector("p"), sentence);
  const isDuplicate = code === "duplicate";
  show(part(card, "[data-sure]"), isDuplicate);
  // Who approves it once more is sure.
  const sure = /** @type {HTMLInputElement} */ (card.querySelector("[name=sure]"));
  sure.checked = isDuplicate;
  if (code === "too_long") edit(card, { focus: false });
  if (!current) turnTo(card);
  count();
}

/** Say what was decided last. */
function say(decision, sentence) {
  setText(part(bar, "[data-said]"), sentence);
  const reasons = part(bar, "[data-reasons]");
  show(reasons, decision.kind === "reject");
  for (const button of reasons?.children ?? []) button.setAttribute("aria-pressed", "false");
  show(bar, true);
}

/** Say why the last post was rejected. @param {HTMLElement} button */
function giveReason(button) {
  const decision = decisions.at(-1);
  if (decision?.kind !== "reject") return;
  for (const each of button.parentElement?.children ?? []) each.setAttribute("aria-pressed", String(each === button));
  const form = formOf(decision.card, "reject");
  const body = new FormData(form);
  body.set("reason", /** @type {HTMLButtonElement} */ (button).value);
  inTurn(decision.card, async () => (await decision.isDone) && send(form, body, () => {}, failed));
}

/** Take the last decision back. */
function undo() {
  const decision = decisions.pop();
  if (!decision) return;
  const { card } = decision;
  show(bar, false);
  card.hidden = false;
  turnTo(card);
  count();
  const form = /** @type {HTMLFormElement} */ (card.querySelector("[data-back]"));
  const stays = (sentence) => {
    card.hidden = true;
    if (current === card) turnTo(cards()[0]);
    count();
    failed(sentence);
  };
  // What the server didn't take is a proposal anyway.
  inTurn(card, async () => !(await decision.isDone) || send(form, new FormData(form), () => {}, stays));
}

/** Bring the number of posts up to date. */
function count() {
  const left = cards().length;
  const words = ngettext("%(n)s post to decide", "%(n)s posts to decide", left);
  setText(part(place, "[data-to-decide]"), interpolate(words, { n: left }));
  const found = place.querySelectorAll("[data-proposal]").length;
  const progress = /** @type {HTMLProgressElement} */ (place.querySelector("[data-decided-share]"));
  progress.value = found ? 1 - left / found : 0;
}

function edit(card, { focus = true } = {}) {
  const details = /** @type {HTMLDetailsElement} */ (card.querySelector("[data-edit]"));
  details.open = focus ? !details.open : true;
  part(card, "[data-open-edit]")?.setAttribute("aria-expanded", String(details.open));
  const field = /** @type {HTMLTextAreaElement} */ (card.querySelector("textarea"));
  if (details.open && focus) field.focus();
  else if (focus) card.focus();
}

const KEYS = {
  a: (card) => decide(card, "approve"),
  r: (card) => decide(card, "reject"),
  e: (card) => edit(card),
  w: (card) => part(card, "[data-why]")?.click(),
  j: (card) => turnTo(neighbour(card, document.activeElement === document.body ? 0 : 1)),
  k: (card) => turnTo(neighbour(card, -1)),
};

document.addEventListener("keydown", (press) => {
  const at = targetOf(press);
  const card = /** @type {HTMLElement | null} */ (at.closest("[data-proposal]")) ?? current;
  if (place.closest("[hidden]") || press.altKey) return;
  if (at.closest("textarea, input, select, dialog")) {
    if (!card || !at.closest("[data-proposal]")) return;
    if (press.key === "Escape") edit(card);
    else if (press.key === "Enter" && (press.ctrlKey || press.metaKey)) decide(card, "approve");
    else return;
    return press.preventDefault();
  }
  if (press.ctrlKey || press.metaKey) return;
  const key = press.key.toLowerCase();
  if (key === "z") undo();
  else if (KEYS[key] && card) KEYS[key](card);
  else if (/^[1-9]$/.test(key) && !bar.hidden) {
    const reason = part(bar, `[data-reasons]:not([hidden]) > :nth-child(${key})`);
    if (!reason) return;
    giveReason(reason);
  } else return;
  press.preventDefault();
});

document.addEventListener("submit", (submission) => {
  const form = /** @type {HTMLFormElement} */ (targetOf(submission));
  const card = /** @type {HTMLElement | null} */ (form.dataset.decide ? form.closest("[data-proposal]") : null);
  if (!card) return;
  submission.preventDefault();
  decide(card, form.dataset.decide === "approve" ? "approve" : "reject");
});

place.addEventListener("click", (click) => {
  const at = targetOf(click);
  const card = /** @type {HTMLElement | null} */ (at.closest("[data-proposal]"));
  if (at.closest("[data-undo]")) return undo();
  if (at.closest("[data-reasons]")) return giveReason(/** @type {HTMLElement} */ (at.closest("button")));
  if (!card) return;
  if (card !== current) turnTo(card, { focus: !at.closest("a, button, textarea, input, summary") });
  if (at.closest("[data-open-edit]")) edit(card);
});

place.addEventListener("focusin", (focus) => {
  const card = /** @type {HTMLElement | null} */ (targetOf(focus).closest("[data-proposal]"));
  if (card && card !== current) turnTo(card, { focus: false });
});

// The characters left follow what is typed. Only the server knows how each network counts, and it judges again.
place.addEventListener("input", (input) => {
  const field = /** @type {HTMLTextAreaElement} */ (targetOf(input));
  if (!field.matches("textarea")) return;
  const more = lengthOf(field.value.trim()) - lengthOf(field.defaultValue.trim());
  const card = field.closest("[data-proposal]");
  setText(card.querySelector("[data-text]"), field.value);
  for (const room of /** @type {NodeListOf<HTMLElement>} */ (card.querySelectorAll("[data-room]"))) {
    const left = Number(room.dataset.room) - more;
    setText(room.querySelector("strong"), String(left));
    room.classList.toggle("over", left < 0);
  }
});

const segmenter = new Intl.Segmenter();
const lengthOf = (text) => [...segmenter.segment(text)].length;

// A finger: right approves, left rejects. Up and down still scroll.

/** @type {{card: HTMLElement, face: HTMLElement, x: number, y: number, by: number, id: number} | null} */
let swipe = null;

place.addEventListener("pointerdown", (touch) => {
  const face = /** @type {HTMLElement | null} */ (targetOf(touch).closest("[data-face]"));
  if (!face || touch.pointerType === "mouse" || !touch.isPrimary) return;
  const card = /** @type {HTMLElement} */ (face.closest("[data-proposal]"));
  swipe = { card, face, x: touch.clientX, y: touch.clientY, by: 0, id: touch.pointerId };
});

place.addEventListener("pointermove", (touch) => {
  if (swipe?.id !== touch.pointerId) return;
  const by = touch.clientX - swipe.x;
  if (!swipe.by && (Math.abs(by) < SURE || Math.abs(by) < Math.abs(touch.clientY - swipe.y))) return;
  if (!swipe.by) swipe.face.setPointerCapture(swipe.id);
  swipe.by = by;
  swipe.card.dataset.swipe = by > 0 ? "approve" : "reject";
  swipe.card.classList.toggle("far", Math.abs(by) >= FAR);
  swipe.face.style.transform = `translateX(${by}px)`;
});

function letGo(touch) {
  if (swipe?.id !== touch.pointerId) return;
  const { card, face, by } = swipe;
  swipe = null;
  delete card.dataset.swipe;
  card.classList.remove("far");
  face.style.transform = "";
  if (touch.type === "pointerup" && Math.abs(by) >= FAR) decide(card, by > 0 ? "approve" : "reject");
}
place.addEventListener("pointerup", letGo);
place.addEventListener("pointercancel", letGo);

function begin() {
  for (const button of all("[data-open-edit]")) button.hidden = false;
  const withTrouble = cards().find((card) => !part(card, "[data-trouble]")?.hidden);
  if (!current) turnTo(withTrouble ?? cards()[0], { focus: false });
  count();
}

place.classList.add("one-by-one");
begin();
document.addEventListener("proposed", begin);

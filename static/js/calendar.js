// The calendar: drag a post to another day or a free slot, or move the focused one with the arrow keys.

import { troubleOf } from "./answers.js";
import { byId, targetOf } from "./dom.js";
import { refresh } from "./publishing.js";
import { failed, toast } from "./toasts.js";
import { FAILED } from "./words.js";

const HALF_AN_HOUR = 30 * 60 * 1000;
const DAY = 24 * 60 * 60 * 1000;
const STEPS = { ArrowLeft: -DAY, ArrowRight: DAY, ArrowUp: -HALF_AN_HOUR, ArrowDown: HALF_AN_HOUR };

document.addEventListener("keydown", (press) => {
  const card = targetOf(press);
  const by = STEPS[press.key];
  if (!by || !card.dataset.move || press.ctrlKey || press.metaKey || press.altKey) return;
  press.preventDefault();
  // Times of the wall, whatever summer time does.
  move(card, new Date(Date.parse(`${card.dataset.at}Z`) + by).toISOString().slice(0, 16));
});

document.addEventListener("dragstart", (drag) => {
  const card = /** @type {HTMLElement | null} */ (targetOf(drag).closest?.("[data-move]"));
  if (card) drag.dataTransfer.setData("text/plain", card.id);
});

document.addEventListener("dragover", (drag) => {
  if (targetOf(drag).closest?.("[data-day]")) drag.preventDefault();
});

document.addEventListener("drop", (drop) => {
  const day = /** @type {HTMLElement | null} */ (targetOf(drop).closest?.("[data-day]"));
  const card = byId(drop.dataTransfer.getData("text/plain"));
  if (!day || !card?.dataset.move) return;
  drop.preventDefault();
  const slot = /** @type {HTMLElement | null} */ (targetOf(drop).closest("[data-slot]"));
  move(card, slot ? slot.dataset.slot : `${day.dataset.day}${card.dataset.at.slice(10)}`);
});

async function move(card, at) {
  const body = new FormData(card.querySelector("form"));
  body.set("at", at);
  try {
    const answer = await fetch(card.dataset.move, { method: "POST", body, headers: { Accept: "application/json" } });
    if (!answer.ok || answer.redirected) {
      return failed(answer.status === 400 ? (await answer.json()).error : await troubleOf(answer));
    }
    toast((await answer.json()).said);
    await refresh();
    byId(card.id)?.focus();
  } catch {
    failed(FAILED);
  }
}

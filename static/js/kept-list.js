// The list in the tab "Kept": it comes when it's first shown, and again when something is kept or removed elsewhere.

import { byId, targetOf } from "./dom.js";

/** The place of the post that had the focus before the list came anew, or -1. */
let place = -1;

document.addEventListener("htmx:beforeSwap", (swap) => {
  const list = targetOf(swap);
  if (list.id === "kept-list") place = [...list.querySelectorAll(".post")].findIndex((post) => post.contains(document.activeElement));
});

document.addEventListener("htmx:afterSwap", (swap) => {
  const list = targetOf(swap);
  if (list.id !== "kept-list") return;
  list.dataset.loaded = "yes";
  if (place >= 0) focusNear(list);
  place = -1;
});

/** Focus the post that is there now, or the last one; without any, the list. */
function focusNear(list) {
  const posts = [...list.querySelectorAll(".post")];
  const next = posts[Math.min(place, posts.length - 1)]?.querySelector("button, a") ?? list.querySelector("input[type=search]") ?? list;
  if (next === list) list.tabIndex = -1;
  next.focus();
}

export function keptChanged() {
  const list = byId("kept-list");
  if (list?.dataset.loaded) list.dispatchEvent(new Event("kept-changed"));
}

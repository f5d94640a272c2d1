// The list in the tab "Kept": it comes when it's first shown, and again when something is kept or removed elsewhere.

import { byId, targetOf } from "./dom.js";

document.addEventListener("htmx:afterSwap", (swap) => {
  const list = targetOf(swap);
  if (list.id === "kept-list") list.dataset.loaded = "yes";
});

export function keptChanged() {
  const list = byId("kept-list");
  if (list?.dataset.loaded) list.dispatchEvent(new Event("kept-changed"));
}

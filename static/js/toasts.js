// Short messages in the corner of the page that leave by themselves. Screen readers announce them.

import { byId, element } from "./dom.js";

const SHOWN_MS = 2500;

/** @param {string} text */
export function toast(text) {
  const place = byId("toasts");
  if (!place) return;
  const line = element("p", { className: "toast" }, text);
  place.replaceChildren(line);
  setTimeout(() => line.remove(), SHOWN_MS);
}

// Short messages in the corner of the page. They leave by themselves. Errors stay until somebody closes them or the
// next message comes. Screen readers announce them.

import { byId, element } from "./dom.js";
import { gettext } from "./words.js";

const SHOWN_MS = 2500;

/** @param {string} text */
export function toast(text) {
  const line = put("toast", text);
  if (line) setTimeout(() => line.remove(), SHOWN_MS);
}

/**
 * Say what didn't work.
 * @param {string} text
 */
export function failed(text) {
  const close = element("button", { type: "button", className: "ghost small" }, gettext("Close"));
  const line = put("toast error", text, close);
  // The button is the last one of the page: whoever goes there comes back.
  let before = null;
  close.addEventListener("focus", ({ relatedTarget }) => (before ??= relatedTarget));
  close.addEventListener("click", () => {
    line.remove();
    (before?.isConnected ? before : byId("main")).focus({ preventScroll: true });
  });
}

function put(className, ...children) {
  const place = byId("toasts");
  if (!place) return null;
  const line = element("p", { className }, ...children);
  place.replaceChildren(line);
  return line;
}

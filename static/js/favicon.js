// The icon of the tab, as a ring that fills while a job runs. The page's own icon returns afterwards.

import { LEAVING } from "./stages.js";

const RADIUS = 25;
const AROUND = 2 * Math.PI * RADIUS;

const link = /** @type {HTMLLinkElement | null} */ (document.querySelector("link[rel=icon]"));
const usual = link?.href;

/** Show how much is done, from 0 to 1. 1 shows a tick, and null the page's own icon. */
export function showIcon(fraction) {
  if (!link) return;
  const href = fraction === null ? usual : `data:image/svg+xml,${encodeURIComponent(drawn(fraction))}`;
  if (link.href !== href) link.href = href;
}

document.addEventListener(LEAVING, () => showIcon(null));

function drawn(fraction) {
  const circle = (colour, dashes) =>
    `<circle cx="32" cy="32" r="${RADIUS}" fill="none" stroke="${colour}" stroke-width="12" stroke-dasharray="${dashes}" transform="rotate(-90 32 32)"/>`;
  const tick = fraction >= 1 ? '<path d="M20 33 29 42 45 23" fill="none" stroke="#0f8371" stroke-width="8"/>' : "";
  // Whole steps of a twentieth: browsers redraw the tab for each change.
  const done = Math.floor(fraction * 20) / 20;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">${circle("#9aa6a1", `${AROUND}`)}${circle("#0f8371", `${done * AROUND} ${AROUND}`)}${tick}</svg>`;
}

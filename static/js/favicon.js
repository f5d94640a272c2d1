// The icon of the tab, as a ring that fills while a job runs. The page's own icon returns afterwards.

import { LEAVING } from "./stages.js";

const SVG = "http://www.w3.org/2000/svg";
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
  // Whole steps of a twentieth: browsers redraw the tab for each change.
  const done = Math.floor(fraction * 20) / 20;
  const ring = { cx: 32, cy: 32, r: RADIUS, fill: "none", "stroke-width": 12, transform: "rotate(-90 32 32)" };
  const icon = svg("svg", { viewBox: "0 0 64 64" });
  icon.append(
    svg("circle", { ...ring, stroke: "#9aa6a1" }),
    svg("circle", { ...ring, stroke: "#0f8371", "stroke-dasharray": `${done * AROUND} ${AROUND}` }),
  );
  if (fraction >= 1) icon.append(svg("polyline", { points: "20,33 29,42 45,23", fill: "none", stroke: "#0f8371", "stroke-width": 8 }));
  return new XMLSerializer().serializeToString(icon);
}

function svg(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

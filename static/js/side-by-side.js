// Several bots, or one at several temperatures, write into columns at the same time, with the same seed.

import { element } from "./dom.js";
import { fail, writeInto } from "./streams.js";
import { said } from "./temperatures.js";
import { gettext } from "./words.js";

/** The temperatures of "careful, natural, wild", as in models_app/comparing/services.py. */
const THREE = [
  [0.5, gettext("Careful")],
  [0.9, gettext("Natural")],
  [1.4, gettext("Wild")],
];
/** The most posts in a column. */
const MAX_POSTS = 5;

/**
 * Write into a column for each entry.
 * @param {HTMLElement} place
 * @param {FormData} common what all columns have in common
 * @param {{action: string, temperature: number, title: string}[]} columns
 */
export async function sideBySide(place, common, columns) {
  const seed = String(common.get("seed") || Math.floor(Math.random() * 2 ** 31));
  const grid = element("div", { className: "side-by-side" });
  place.replaceChildren(grid);
  await Promise.all(
    columns.map(({ action, temperature, title }) => {
      const body = copyOf(common);
      body.set("seed", seed);
      body.set("count", String(Math.min(Number(common.get("count")) || 3, MAX_POSTS)));
      body.set("temperature", String(temperature));
      body.delete("choose_best");
      const name = element("h3", {}, `${title} `, element("span", { className: "badge" }, gettext("AI")));
      const head = element("div", {}, name, element("p", { className: "quiet" }, said(temperature)));
      const posts = element("div");
      const label = `${title}, ${said(temperature)}`;
      const column = element("section", { className: "column" }, element("div", { className: "column-head" }, head), posts);
      column.setAttribute("aria-label", label);
      grid.append(column);
      return writeInto(posts, { action, body }).catch(() => fail(posts, gettext("Can’t reach the server. Try again.")));
    }),
  );
  return seed;
}

/** Return the three columns of one bot. */
export function threeTemperatures(action) {
  return THREE.map(([temperature, title]) => ({ action, temperature: Number(temperature), title: String(title) }));
}

function copyOf(values) {
  const copy = new FormData();
  for (const [name, value] of values) copy.append(name, value);
  return copy;
}

